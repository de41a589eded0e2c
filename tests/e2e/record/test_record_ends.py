"""How a recording ends: rotation, signals, kills, and what is refused."""

import signal
from pathlib import Path
from typing import Any

import openai
import pytest
from tokentape import traces
from tokentape.engine.errors import UserError
from tokentape.engine.record.recorder import Recorder, RecordOptions
from tokentape.engine.tape import Tape, open_tape, recover

KEY = "sk-0123456789abcdefSECRET"
PROMPT = "the quick brown fox jumps over the lazy dog " * 40


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=30)


def chat(api: openai.OpenAI, text: str = "hello", **more: Any) -> str:
    stream = api.chat.completions.create(
        **{"model": "m", "messages": [{"role": "user", "content": text}], "stream": True, "max_tokens": 5} | more
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def rows(tape: Tape) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = tape.requests.to_pylist()
    return table


def test_rotation_loses_no_request(recorder: Any, simulator: Any, tmp_path: Path, eventually: Any) -> None:
    proxy = recorder(simulator(itl="1ms").url, rotate_bytes=1)
    with client(proxy.url) as api:
        for part in range(1, 4):
            chat(api)
            path = tmp_path / f"prod-{part:05d}.tape"
            eventually(path.exists, "the next tape")
    tapes = proxy.stop()
    assert [tape.path.name for tape in tapes] == ["prod.tape", *(f"prod-{part:05d}.tape" for part in range(1, 4))]
    assert sum(tape.requests.num_rows for tape in tapes) == 3
    assert sum(tape.events.num_rows for tape in tapes) == 3 * 8
    for tape in tapes[:3]:
        assert tape.requests["request_id"].to_pylist() == [0]
        assert set(tape.events["request_id"].to_pylist()) == {0}
        assert tape.requests["sent_ns"][0].as_py() > -(10**8)


def test_a_signal_seals(start_cli: Any, simulator: Any, tmp_path: Path, eventually: Any) -> None:
    server = simulator()
    command = start_cli("record", "--listen", "127.0.0.1:0", "--url", server.url, "-o", "prod.tape")
    line = command.process.stderr.readline()
    assert line.startswith("recording http://127.0.0.1:")
    with client(line.split()[1]) as api:
        chat(api)
        command.send(signal.SIGTERM)
        code, _, err = command.end()
    assert code == 0
    assert "1 requests recorded" in err
    assert rows(open_tape(tmp_path / "prod.tape"))[0]["outcome"] == "ok"


def test_a_kill_leaves_a_journal(start_cli: Any, simulator: Any, tmp_path: Path, eventually: Any) -> None:
    server = simulator()
    command = start_cli("record", "--listen", "127.0.0.1:0", "--url", server.url, "-o", "prod.tape", "--keep-bodies")
    line = command.process.stderr.readline()
    with client(line.split()[1]) as api:
        chat(api)
        journal = tmp_path / "prod.tape" / "journal" / "bodies.arrows"
        eventually(lambda: journal.exists() and journal.stat().st_size > 500, "the journal")
        command.send(signal.SIGKILL)
        command.end()
    with pytest.raises(traces.TraceError, match="tokentape recover"):
        traces.read(tmp_path / "prod.tape")
    tape = recover(tmp_path / "prod.tape")
    assert rows(tape)[0]["outcome"] == "ok"
    assert traces.read(tape.path).table["body"].null_count == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://127.0.0.1:9/v1"}, "give the server's root"),
        ({"url": "https://127.0.0.1:9"}, "plain http only"),
        ({"url": "http://127.0.0.1:9", "keep_bodies": True, "anonymize": True}, "omit one of them"),
        ({"url": "http://127.0.0.1:9", "host": "nowhere"}, "not a numeric address"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Recorder(RecordOptions(port=0, **options), tmp_path / "x.tape")
    assert not (tmp_path / "x.tape").exists()
