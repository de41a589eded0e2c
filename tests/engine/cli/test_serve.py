"""``tokentape serve`` as a process."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tokentape.engine.simulate.simulator import Simulator, SimulatorConfig
from tokentape.engine.tape.read import open_tape

SERVE = [sys.executable, "-m", "tokentape.engine.cli.main", "serve"]


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    """A server and its URL, once it listens."""
    process = subprocess.Popen([*SERVE, "--port", "0", *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("listening on http://127.0.0.1:"), line + process.stderr.read()
    return process, line.split()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_seals_the_tape(tmp_path: Path, number: signal.Signals) -> None:
    process, url = start("--truth", str(tmp_path / "server.tape"), "--ttft", "1ms", "--itl", "normal:1ms:0.1ms")
    with process:
        body = b'{"prompt":"a b","max_tokens":3}'
        with urllib.request.urlopen(f"{url}/v1/completions", body, 20) as answer:
            assert b'"text":"love time list"' in answer.read()
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr is not None and process.stderr.read() == ""
    tape = open_tape(tmp_path / "server.tape")
    assert tape.manifest["sealed"] and tape.requests["output_tokens"].to_pylist() == [3]
    assert "--truth" in tape.manifest["command"]


def test_the_port_is_announced_to_a_parent() -> None:
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [*SERVE, "--port", "0", "--announce-fd", str(theirs)], pass_fds=(theirs,), stderr=subprocess.PIPE, text=True
    )
    os.close(theirs)
    with process, os.fdopen(ours) as announced:
        port = int(announced.readline())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=20) as answer:
            assert answer.status == 200
        process.terminate()
        assert process.wait(20) == 0


def test_the_server_ends_with_its_parent() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as parent:
        process, _ = start("--parent-pid", str(parent.pid))
        with process:
            assert process.poll() is None
            parent.kill()
            parent.wait(20)
            assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--ttft", "soon"], "'soon' is not a duration"),
        (["--fault-share", "2"], "fault-share is 2.0"),
        (["--fault", "gremlins"], "gremlins"),
        (["--itl", "uniform:1ms"], "not a distribution of durations"),
    ],
)
def test_mistakes_are_told_in_one_sentence(options: list[str], part: str) -> None:
    done = subprocess.run([*SERVE, "--port", "0", *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert part in done.stderr and "Traceback" not in done.stderr


def test_a_port_in_use_is_the_users_to_know() -> None:
    with Simulator(SimulatorConfig()) as simulator:
        command = [*SERVE, "--port", str(simulator.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"cannot listen at 127.0.0.1:{simulator.port}: the port is in use" in done.stderr


def test_a_taken_tape_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("precious")
    command = [*SERVE, "--port", "0", "--truth", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "is not empty" in done.stderr
