"""The simulated server and the recorder within a Python program."""

import json
import subprocess
import sys
import threading
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tokentape


def complete(url: str, tokens: int = 2) -> dict[str, Any]:
    """Request one chat response without streaming."""
    body = {"model": "m", "max_tokens": tokens, "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Connection": "close"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_a_simulated_server_answers_and_leaves_its_tape(tmp_path: Path) -> None:
    with tokentape.serve(ttft="2ms", itl=timedelta(milliseconds=1), truth=tmp_path / "truth.tape") as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert complete(server.url, 5)["usage"]["completion_tokens"] == 5
        with pytest.raises(tokentape.UserError, match="truth='NAME' and call stop"):
            _ = server.tape
    assert server.tape.requests["output_tokens"].to_pylist() == [5]
    assert server.stats().requests == 1
    server.stop()


def test_settings_of_a_simulated_server_that_cannot_be_used() -> None:
    with pytest.raises(tokentape.UserError, match=r"^ttft is 5, a number without a unit"):
        tokentape.serve(ttft=5)  # type: ignore[arg-type]
    with pytest.raises(tokentape.UserError, match="ttft: "):
        tokentape.serve(ttft="normal:5ms")
    with pytest.raises(tokentape.UserError, match=r"fault.share is 2"):
        tokentape.serve(fault_share=2)


def test_a_recording_is_a_tape_and_a_trace(tmp_path: Path) -> None:
    with (
        tokentape.serve(ttft="2ms", itl="1ms") as server,
        tokentape.record(tmp_path / "prod.tape", url=server.url, keep_bodies=True) as recording,
    ):
        assert recording.server_url == server.url
        assert "running" in repr(recording)
        for _ in range(3):
            complete(recording.url)
        with pytest.raises(tokentape.UserError, match="the recording is still running; call stop"):
            _ = recording.tape
    assert recording.tape.requests["outcome"].to_pylist() == ["ok"] * 3
    assert recording.tapes == [recording.tape]
    assert recording.stop() is recording.tape
    assert tokentape.read_trace(tmp_path / "prod.tape").format == "tape"
    replayed = tokentape.replay(tmp_path / "prod.tape", tmp_path / "again.tape", ttft="2ms", itl="1ms")
    assert replayed.summary().requests.ok == 3


class Slow:
    """A server that responds only after it is released."""

    def __init__(self, raw_server: Any) -> None:
        self.asked, self.release = threading.Event(), threading.Event()
        self.url = raw_server(self._serve).url

    def _serve(self, exchange: Any) -> None:
        if exchange.request():
            self.asked.set()
            if self.release.wait(60):
                exchange.respond(
                    b'{"choices": [{"index": 0, "message": {"content": "a"}}]}', more="Connection: close\r\n"
                )


def test_open_requests_may_end_within_the_grace(raw_server: Any, tmp_path: Path) -> None:
    slow = Slow(raw_server)
    recording = tokentape.record(tmp_path / "prod.tape", url=slow.url)
    client = threading.Thread(target=complete, args=(recording.url,))
    client.start()
    assert slow.asked.wait(60)
    stopper = threading.Thread(target=recording.stop, kwargs={"grace": "60s"})
    stopper.start()
    slow.release.set()
    stopper.join(60)
    client.join(60)
    assert recording.tape.requests["outcome"].to_pylist() == ["ok"]


def test_an_exception_stops_a_recording_without_waiting(raw_server: Any, tmp_path: Path) -> None:
    slow = Slow(raw_server)

    def ask(url: str) -> None:
        with pytest.raises((OSError, ValueError)):
            complete(url)

    with pytest.raises(ZeroDivisionError), tokentape.record(tmp_path / "prod.tape", url=slow.url) as recording:
        client = threading.Thread(target=ask, args=(recording.url,))
        client.start()
        assert slow.asked.wait(60)
        raise ZeroDivisionError
    client.join(60)
    slow.release.set()
    assert recording.tape.requests["outcome"].to_pylist() == ["cancelled"]


def test_the_end_of_a_program_stops_what_it_has_started(tmp_path: Path) -> None:
    program = (
        "import tokentape\n"
        "server = tokentape.serve()\n"
        "recording = tokentape.record('prod.tape', url=server.url)\n"
        "from urllib.request import urlopen\n"
        'urlopen(recording.url + \'/v1/completions\', b\'{"prompt": "hi", "max_tokens": 2}\').read()\n'
    )
    env = {"PYTHONPATH": str(Path(tokentape.__file__).parents[1])}
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tokentape.open(tmp_path / "prod.tape").requests["outcome"].to_pylist() == ["ok"]


def test_parameters_of_a_recording_that_cannot_be_used(tmp_path: Path) -> None:
    for wrong, message in (
        ({"rotate_size": "1 apple"}, "rotate_size: '1 apple' is not a size"),
        ({"rotate_every": 5}, "rotate_every is 5, a number without a unit"),
        ({"keep_bodies": True, "anonymize": True}, "keep_bodies"),
    ):
        options: Any = wrong
        with pytest.raises(tokentape.UserError, match=message):
            tokentape.record(tmp_path / "x.tape", url="http://127.0.0.1:1", **options)
    assert not (tmp_path / "x.tape").exists()
