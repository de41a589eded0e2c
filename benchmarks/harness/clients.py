"""The clients, each driven in the same way: so many streams of so many tokens, on one core."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from harness import ROOT
from harness.processes import Used, run_on
from harness.serving import Served
from harness.workloads import body_bytes, request_bytes, write_burst

PROGRAMS = ROOT / "benchmarks" / "programs"
VLLM_INPUT_TOKENS = 64


@dataclass(frozen=True)
class Run:
    """What one client did with one load.

    Attributes:
        used: CPU and wall time of all its processes, from start to exit.
        tokens: Tokens that it was sent.
        span_s: From the first byte or event to the last; None where the client does not tell.
        failures: Streams that did not end well.
    """

    used: Used
    tokens: int
    span_s: float | None
    failures: int = 0

    @property
    def rate(self) -> float | None:
        """Token events per second, from the first event to the last."""
        return self.tokens / self.span_s if self.span_s else None


Client = Callable[[Served, int, int], Run]
"""(server, streams, tokens of each) to what became of it."""


def compile_c(source: str, folder: Path) -> Path:
    """Compile one of the C programs; return the binary."""
    binary = folder / Path(source).stem
    subprocess.run(["cc", "-O2", "-o", binary, PROGRAMS / source], check=True)
    return binary


def floor(binary: Path, core: int, folder: Path, *, streams_per_ms: int = 10) -> Client:
    """The bare loop of floor.c."""

    def run(server: Served, streams: int, tokens: int) -> Run:
        request = folder / "request"
        request.write_bytes(request_bytes(tokens, server.model))
        used = run_on(core, [binary, str(server.port), str(streams), request, str(streams_per_ms)], timeout_s=180)
        told = json.loads(used.output)
        return Run(used, streams * tokens, (told["last_ns"] - told["first_ns"]) / 1e9, told["failed"])

    return run


def replay_command(server: Served, trace: Path, tape: Path, *options: str) -> list[str | Path]:
    """Return the command that replays a trace against a server and writes a tape; options are those of replayer.py."""
    trusted = ["--cacert", server.cacert] if server.cacert else []
    return [sys.executable, PROGRAMS / "replayer.py", trace, server.url, tape, *trusted, *options]


def tokentape(core: int, folder: Path, *, spread_s: float = 0.05, watch_memory: bool = False) -> Client:
    """This program: controller and worker on the one core, from the trace file to the sealed tape."""

    def run(server: Served, streams: int, tokens: int) -> Run:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            trace = write_burst(Path(name) / "burst.parquet", streams, tokens, spread_s)
            tape = Path(name) / "burst.tape"
            used = run_on(core, replay_command(server, trace, tape), timeout_s=180, watch_memory=watch_memory)
            return tape_run(used, tape)

    return run


def tape_run(used: Used, path: Path) -> Run:
    """What a tape tells of a replay."""
    from tokentape.engine.tape import open_tape

    requests = open_tape(path).requests
    first, last = pc.min(requests["first_event_ns"]).as_py(), pc.max(requests["end_ns"]).as_py()
    failures = requests.num_rows - pc.sum(pc.equal(requests["outcome"], "ok")).as_py()
    return Run(used, pc.sum(requests["output_tokens"]).as_py(), (last - first) / 1e9, failures)


def aiohttp(core: int, folder: Path, *, spread_s: float = 0.05, stamps: Path | None = None) -> Client:
    """aiohttp_client.py."""

    def run(server: Served, streams: int, tokens: int) -> Run:
        body = folder / "body"
        body.write_bytes(body_bytes(tokens, server.model))
        command = [
            sys.executable,
            PROGRAMS / "aiohttp_client.py",
            f"{server.url}/v1/chat/completions",
            str(streams),
            body,
        ]
        command += ["--spread-s", str(spread_s), *(["--stamps", stamps] if stamps else [])]
        used = run_on(core, command, timeout_s=180)
        told = json.loads(used.output)
        return Run(used, streams * tokens, (told["last_ns"] - told["first_ns"]) / 1e9)

    return run


def vllm_rs(binary: Path, core: int, tokenizer: Path) -> Client:
    """vLLM's benchmark in Rust; its closed loop opens all streams at once."""

    def run(server: Served, streams: int, tokens: int) -> Run:
        options = {
            "backend": "openai-chat",
            "base-url": server.url,
            "endpoint": "/v1/chat/completions",
            "model": server.model,
            "tokenizer": tokenizer,
            "dataset-name": "random",
            "random-input-len": VLLM_INPUT_TOKENS,
            "random-output-len": tokens,
            "num-prompts": streams,
            "request-rate": "inf",
            "max-concurrency": streams,
            "percentile-metrics": "ttft,tpot,itl,e2el",
        }
        command: list[str | Path] = [binary, "bench", "serve", "--ignore-eos", "--disable-tqdm"]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return Run(run_on(core, command, timeout_s=180), streams * tokens, None)

    return run
