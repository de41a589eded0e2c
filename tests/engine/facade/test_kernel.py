"""Tapes in a real Jupyter kernel: a blocking call in a cell, its card, and the kernel's interrupt."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import tokentape
from jupyter_client.manager import AsyncKernelManager

PATIENCE_S = 60
Output = dict[str, Any]


class Kernel:
    """A Jupyter kernel and a client of it."""

    def __init__(self, manager: AsyncKernelManager, client: Any) -> None:
        self._manager, self._client = manager, client

    async def interrupt(self) -> None:
        """Interrupt the cell that runs, as a notebook's stop button does."""
        await self._manager.interrupt_kernel()

    async def run(self, code: str, on_text: Callable[[str], Awaitable[None]] | None = None) -> list[Output]:
        """Run a cell to its end, and return its outputs. `on_text` is called with each text that it prints."""
        outputs: list[Output] = []
        asked = self._client.execute(code)
        while True:
            message = await self._client.get_iopub_msg(timeout=PATIENCE_S)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return outputs
            if kind in ("stream", "execute_result", "error"):
                outputs.append({"kind": kind, **content})
                if on_text is not None and "text" in content:
                    await on_text(content["text"])


@asynccontextmanager
async def kernel_in(folder: Path) -> AsyncIterator[Kernel]:
    """A kernel that runs in a folder."""
    manager = AsyncKernelManager(kernel_name="python3")
    env = os.environ | {"PYTHONPATH": str(Path(tokentape.__file__).parents[1]), "JUPYTER_PLATFORM_DIRS": "1"}
    await manager.start_kernel(cwd=str(folder), env=env)
    client = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=PATIENCE_S)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


def printed(outputs: list[Output]) -> str:
    """Return the output of a cell, which must not fail."""
    assert [output for output in outputs if output["kind"] == "error"] == []
    return "".join(output.get("text", "") for output in outputs if output.get("name") == "stdout")


def test_a_cell_blocks_until_the_tape_is_there_and_shows_its_card(tmp_path: Path) -> None:
    async def main() -> list[Output]:
        async with kernel_in(tmp_path) as kernel:
            return await kernel.run(
                "import asyncio, tokentape\n"
                "assert asyncio.get_running_loop().is_running()\n"
                "tape = tokentape.replay(tokentape.sample_trace(), 'x.tape', speed=8, limit=20, ttft='2ms')\n"
                "print(len(tape.requests))\n"
                "tape"
            )

    outputs = asyncio.run(main())
    assert printed(outputs) == "20\n"
    (shown,) = [output["data"] for output in outputs if output["kind"] == "execute_result"]
    assert "20 requests, 20 ok" in shown["text/html"]
    assert "<Tape x.tape: 20 requests" in shown["text/plain"]


def test_an_interrupted_cell_returns_the_tape_and_the_kernel_goes_on(small_trace: Any, tmp_path: Path) -> None:
    trace = small_trace(200)
    interrupts: list[str] = []

    async def main() -> tuple[list[Output], list[Output]]:
        async with kernel_in(tmp_path) as kernel:

            async def interrupt(text: str) -> None:
                if "running" in text and not interrupts:
                    interrupts.append(text)
                    await kernel.interrupt()

            first = await kernel.run(
                "import tokentape\n"
                "said = []\n"
                "def show(status):\n"
                "    if status.finished and not said:\n"
                "        said.append(1)\n"
                "        print('running', flush=True)\n"
                f"tape = tokentape.replay({str(trace)!r}, 'x.tape', speed=0.01, ttft='2ms', on_status=show)\n"
                "print('returned', tape.stopped, len(tape.requests))",
                interrupt,
            )
            return first, await kernel.run("print(tape.summary().requests.planned)")

    first, second = asyncio.run(main())
    assert interrupts
    assert printed(first).endswith("returned True 200\n")
    assert printed(second) == "200\n"
    tape = tokentape.open(tmp_path / "x.tape")
    assert tape.manifest["stopped_by_user"] is True
    assert set(tape.requests["outcome"].to_pylist()) == {"ok", "cancelled"}


def test_a_cell_that_is_interrupted_before_the_start_raises_keyboard_interrupt(
    raw_server: Any, small_trace: Any, tmp_path: Path
) -> None:
    """The interrupt comes while the run waits for the server's list of models."""
    trace = small_trace(3)

    async def main() -> list[Output]:
        loop = asyncio.get_running_loop()
        async with kernel_in(tmp_path) as kernel:

            def handler(exchange: Any) -> None:
                if exchange.request():
                    asyncio.run_coroutine_threadsafe(kernel.interrupt(), loop).result(PATIENCE_S)
                    exchange.wait_for_close()

            url = raw_server(handler).url
            return await kernel.run(
                f"import tokentape\ntokentape.replay({str(trace)!r}, 'x.tape', url={json.dumps(url)})"
            )

    outputs = asyncio.run(main())
    assert [output["ename"] for output in outputs if output["kind"] == "error"] == ["KeyboardInterrupt"]
    assert not (tmp_path / "x.tape").exists()
