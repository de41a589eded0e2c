"""Fixtures of tests of whole runs: traces, servers good and bad, runs in this process and by the command line.

Servers are real ones on 127.0.0.1, workers are real processes. Nothing here waits for a time to pass: what has to
have happened is waited for, and every wait has an end.
"""

import faulthandler
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import tokentape
from tokentape.engine.simulate.simulator import Simulator, SimulatorConfig
from tokentape.engine.tape import Tape
from tokentape.engine.workloads.options import ReplayOptions
from tokentape.engine.workloads.replay_run import replay

PATIENCE_S = 60.0
"""Timeout of a test in s."""

MS = 1_000_000
pytest_plugins = ("raw_servers",)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
COMMAND = [sys.executable, "-m", "tokentape.engine.cli.main"]
SHARED = Path(__file__).parents[1].parent / "shared"
"""Folder of recorded data that is too large for the repository."""


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """A file below the shared folder beside the repository; the test is skipped where there is none."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"no shared/{name} beside the repository")
        return path

    return find


@pytest.fixture
def small_trace(tmp_path: Path) -> Callable[..., Path]:
    """Writes a trace: small_trace(rows=10, gap_ms=5, input_tokens=20, output_tokens=4, name="trace.jsonl")."""

    def write(
        rows: int = 10,
        *,
        gap_ms: float = 5,
        input_tokens: int = 20,
        output_tokens: int = 4,
        name: str = "trace.jsonl",
    ) -> Path:
        lines = [
            json.dumps(
                {
                    "timestamp": row * gap_ms,
                    "input_length": input_tokens,
                    "output_length": output_tokens,
                    "hash_ids": [row << 20 | block for block in range(-(-input_tokens // 512))],
                }
            )
            for row in range(rows)
        ]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def simulator() -> Iterator[Callable[..., Simulator]]:
    """Starts simulated servers in this process: simulator(ttft="2ms", role="early", …); they end with the test."""
    running: list[Simulator] = []

    def start(**config: Any) -> Simulator:
        truth = config.pop("truth", None)
        simulator = Simulator(SimulatorConfig(**({"ttft": "3ms", "itl": "1ms"} | config)), truth)
        simulator.start()
        running.append(simulator)
        return simulator

    yield start
    for simulator in running:
        simulator.stop()


@pytest.fixture
def replayed(tmp_path: Path) -> Callable[..., Tape]:
    """Replays a trace in this process: replayed(trace, url, out="tape", notes=[], **options of ReplayOptions)."""

    def run(trace: Path, url: str | None, *, out: str = "tape", notes: list[str] | None = None, **options: Any) -> Tape:
        defaults = {"model": "m", "read_timeout_ns": 10_000 * MS, "connect_timeout_ns": 5_000 * MS, "preopen_ns": 0}
        faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
        try:
            return replay(
                trace,
                tmp_path / out,
                ReplayOptions(url=url, **(defaults | options)),
                on_note=[].append if notes is None else notes.append,
            )
        finally:
            faulthandler.cancel_dump_traceback_later()

    return run


def environment(**more: str) -> dict[str, str]:
    """The environment for processes that import tokentape from where these tests do."""
    return os.environ | {"PYTHONPATH": str(Path(tokentape.__file__).parents[1]), "COLUMNS": "200"} | more


@pytest.fixture
def run_cli(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command to its end: run_cli("replay", trace, …, env={…}, limits="ulimit -n 100")."""

    def run(
        *words: str | Path, env: dict[str, str] | None = None, limits: str = "true"
    ) -> subprocess.CompletedProcess[str]:
        limited = ["bash", "-c", f'{limits} && exec "$@"', "limited"]
        return subprocess.run(
            [*limited, *COMMAND, *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            cwd=tmp_path,
            env=environment(**(env or {})),
            check=False,
        )

    return run


class Running:
    """A running command."""

    def __init__(self, words: Sequence[str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=environment(),
        )

    def children(self, module: str) -> list[psutil.Process]:
        """Return the process ids of its child processes that run a module."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.ZombieProcess):  # it has ended and waits to be noticed
                found += [child] if module in child.cmdline() else []
        return sorted(found, key=lambda child: child.pid)

    def send(self, number: int) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Waits for its end: exit code, standard output, standard error."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@pytest.fixture
def start_cli(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a command and leaves it running: start_cli("replay", trace, …)."""
    running: list[Running] = []

    def start(*words: str | Path) -> Running:
        running.append(Running([str(word) for word in words], tmp_path))
        return running[-1]

    yield start
    for command in running:
        if command.process.poll() is None:
            command.process.kill()
        command.process.communicate()


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any], str], Any]:
    """Waits until a condition on another process holds, and gives what it gave: eventually(condition, "what")."""

    def wait(condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < deadline, f"never came: {what}"
            time.sleep(0.005)
        return found

    return wait


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the proxy settings of the environment: test servers are local."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Certificates(NamedTuple):
    """Files of a temporary certificate authority, and of a server certificate that it signed."""

    ca: Path
    """Certificate of the authority."""
    cert: Path
    """For localhost, 127.0.0.1 and ::1."""
    key: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Create the certificates once with the openssl command."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
    new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    for command in (
        f"req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca",
        f"req {new_key} -keyout host.key -out host.csr -subj /CN=localhost",
        "x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out host.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return Certificates(folder / "ca.pem", folder / "host.pem", folder / "host.key")


EMBEDDINGS = (
    "What was the first car ever driven?",
    "Who served as the 5th President of the United States of America?",
    "Is the Sydney Opera House located in Australia?",
    "In what state did they film Shrek 2?",
)


@pytest.fixture
def article(tmp_path: Path) -> Callable[..., list[subprocess.CompletedProcess[str]]]:
    """Runs the commands of NVIDIA's GenAI-Perf article side by side: article([command, …], env={…}).

    A folder called gpt2 holds a tokenizer, for there is no hub to load one of that name from.
    """
    (tmp_path / "gpt2").mkdir()
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        source = SHARED / "tokenizers" / "tiny" / file
        if not source.exists():
            pytest.skip("no shared/tokenizers beside the repository")
        (tmp_path / "gpt2" / file).write_bytes(source.read_bytes())
    lines = [json.dumps({"text": text}) + "\n" for text in EMBEDDINGS]
    (tmp_path / "embeddings.jsonl").write_text("".join(lines))

    def run(commands: Sequence[str], env: dict[str, str] | None = None) -> list[subprocess.CompletedProcess[str]]:
        running = [
            subprocess.Popen(
                [*COMMAND, *shlex.split(command)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
                env=environment(**(env or {})),
            )
            for command in commands
        ]
        done = []
        try:
            for process in running:
                out, err = process.communicate(timeout=4 * PATIENCE_S)
                done.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
        finally:
            for process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        return done

    return run
