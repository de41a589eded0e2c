"""Errors of the user give one clear message and exit code 2, and leave no files."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.tape import open_tape
from tokentape.traces import TraceError

GOOD = {"timestamp": 0, "input_length": 5, "output_length": 2, "hash_ids": [0]}


def _trace(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "trace.jsonl"
    lines = [json.dumps({k: v for k, v in (GOOD | row).items() if v is not ...}) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_missing_file_through_the_command_line(run_cli: Any, tmp_path: Path) -> None:
    result = run_cli("replay", "nowhere.jsonl", "--simulate", "--out", "x.tape")
    assert result.returncode == 2
    assert result.stderr == "Error: nowhere.jsonl: there is no such file\n"
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"\x00\x01\x02binary", "is a binary file"),
        (b"\x1f\x8bwhatever", "has damaged or cut-off gzip data"),
        (b'{"timestamp": 0, "input_length": 5, "output_length": 2}\n{"timestamp": 10, "inp\n', "row 2"),
        (b"hello world\n", "is not a known trace format"),
    ],
)
def test_a_file_that_is_no_trace(tmp_path: Path, replayed: Any, data: bytes, problem: str) -> None:
    path = tmp_path / "trace"
    path.write_bytes(data)
    with pytest.raises(TraceError) as caught:
        replayed(path, "http://127.0.0.1:1")
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
    assert not (tmp_path / "tape").exists()


@pytest.mark.parametrize(
    ("bad", "field", "problem"),
    [
        ({"input_length": ...}, "input_length", "is missing"),
        ({"input_length": -3}, "input_length", "-3 is negative"),
        ({"output_length": "ten"}, "output_length", "'ten' is not a number"),
        ({"timestamp": 1e300}, "timestamp", "over 100 years"),
        ({"output_length": 10**12}, "output_length", "over 100 million tokens"),
        ({"timestamp": None}, "timestamp", "null is not a number"),
    ],
)
def test_a_bad_row_is_named_or_skipped(
    tmp_path: Path, simulator: Any, replayed: Any, bad: dict[str, Any], field: str, problem: str
) -> None:
    trace = _trace(tmp_path, {}, {"timestamp": 5}, bad, {"timestamp": 10})
    with pytest.raises(TraceError) as caught:
        replayed(trace, "http://127.0.0.1:1")
    assert f"row 3, field {field}" in str(caught.value)
    assert problem in str(caught.value)
    notes: list[str] = []
    tape = replayed(trace, simulator().url, skip_bad_rows=True, notes=notes)
    assert len(tape.requests) == 3
    assert tape.manifest["trace"]["skipped_rows"] == 1
    assert any("1 bad row was skipped; the first: row 3" in note for note in notes)


def test_rows_out_of_order_are_sorted_and_it_is_said(tmp_path: Path, simulator: Any, run_cli: Any) -> None:
    trace = _trace(tmp_path, {"timestamp": 20, "output_length": 4}, {"timestamp": 5, "output_length": 3}, {})
    result = run_cli("replay", trace, "--url", simulator().url, "--out", "x.tape", "--quiet")
    assert "note: 2 rows out of order were sorted by arrival\n" in result.stderr
    tape = open_tape(tmp_path / "x.tape")
    assert tape.requests["planned_output_tokens"].to_pylist() == [2, 3, 4]
    assert tape.requests["output_tokens"].to_pylist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--speed", "0"], "--speed is 0; it must be a number above 0"),
        (["--speed", "fast"], "--speed is fast; it must be a number above 0"),
        (["--workers", "0"], "--workers"),
        (["--limit", "0"], "--limit"),
        (["--grace", "soon"], "--grace: 'soon' is not a duration; write 50ms, 2s, 1m"),
        (["--start", "-5s"], "--start: '-5s' is not a duration"),
        (["--start", "5m"], "no request arrives from 300 s on"),
        (["--connect-timeout", "0"], "--connect-timeout is 0; it must be above 0"),
        (["--read-timeout", "0ms"], "--read-timeout is 0ms; it must be above 0"),
        (["--endpoint", "images"], "--endpoint 'images' is unknown; write one of chat, completions, responses"),
        (["--prompt-form", "token-ids"], "--endpoint chat takes no prompts of token ids; use --endpoint completions"),
        (["--trace-format", "csv"], "there is no format 'csv'; `tokentape trace formats` lists them"),
        (["--slo", "fast"], "fast"),
        (["--slo", "ttft:p99:300"], "SLO 'ttft:p99:300': the limit 300 has no unit; write 300ms or 300s"),
        (["--api-key-env", "NO_SUCH_KEY"], "the environment variable NO_SUCH_KEY is not set"),
        (["--header", "sk-123"], "--header number 1 is not a header; write 'Name: value'"),
        (["--simulate"], "name the server with --url URL, or use --simulate"),
        (["--itl", "5ms"], "--itl is for the simulated server"),
        (["--sample"], "name a TRACE file, or use --sample"),
    ],
)
def test_wrong_usage_is_told_before_anything_happens(
    small_trace: Any, refusing_port: int, tmp_path: Path, words: list[str], problem: str, capsys: Any, monkeypatch: Any
) -> None:
    """In this process, for speed: the same function that the console script calls."""
    from tokentape.engine.cli.main import main

    trace = small_trace(3)
    url = f"http://127.0.0.1:{refusing_port}"
    out = tmp_path / "x.tape"
    monkeypatch.setattr("sys.argv", ["tokentape", "replay", str(trace), "--url", url, "--out", str(out), *words])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert problem in told.err
    assert told.out == ""
    assert not out.exists()


def test_a_server_that_is_not_there(small_trace: Any, refusing_port: int, run_cli: Any, tmp_path: Path) -> None:
    result = run_cli("replay", small_trace(3), "--url", f"127.0.0.1:{refusing_port}", "--out", "x.tape")
    assert result.returncode == 2
    assert f"Error: 127.0.0.1:{refusing_port} refuses connections: check that the server is running" in result.stderr
    assert not (tmp_path / "x.tape").exists()


@pytest.mark.parametrize("kind", ["tape", "file"])
def test_an_output_that_exists_is_left_alone(small_trace: Any, replayed: Any, tmp_path: Path, kind: str) -> None:
    out = tmp_path / "tape"
    if kind == "tape":
        out.mkdir()
        (out / "manifest.json").write_text("{}")
    else:
        out.write_text("precious")
    with pytest.raises(UserError, match=r"tape exists; choose another path with --out, or remove it"):
        replayed(small_trace(1), "http://127.0.0.1:1")
    assert (out / "manifest.json").read_text() == "{}" if out.is_dir() else out.read_text() == "precious"


def test_an_empty_folder_may_become_a_tape(simulator: Any, small_trace: Any, replayed: Any, tmp_path: Path) -> None:
    (tmp_path / "tape").mkdir()
    assert len(replayed(small_trace(2), simulator().url).requests) == 2


def test_a_folder_of_the_output_that_is_a_file(simulator: Any, small_trace: Any, replayed: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/tape"):
        replayed(small_trace(1), simulator().url, out="file/tape")


def test_a_name_that_is_too_long(simulator: Any, small_trace: Any, replayed: Any) -> None:
    with pytest.raises(UserError, match="File name too long; choose another path with --out"):
        replayed(small_trace(1), simulator().url, out="x" * 300)


def test_a_trace_whose_name_is_no_text(simulator: Any, small_trace: Any, run_cli: Any, tmp_path: Path) -> None:
    strange = tmp_path / "tr\udcffce.jsonl"
    shutil.copy(small_trace(2), strange)
    result = run_cli("replay", strange, "--url", simulator().url, "--out", "x.tape", "--quiet")
    assert "Traceback" not in result.stderr
    assert open_tape(tmp_path / "x.tape").manifest["trace"]["source"] == str(strange)


def test_keys_are_on_no_file_of_the_tape(raw_server: Any, small_trace: Any, run_cli: Any, tmp_path: Path) -> None:
    """This holds even if the server repeats the refused key in its response."""
    seen = []

    def handler(exchange: Any) -> None:
        request = exchange.request()
        if request:
            seen.append(request)
            exchange.respond(b'{"error": {"message": "bad key sk-SECRET-1 or sk-SECRET-2"}}', "401 Unauthorized")

    result = run_cli(
        *("replay", small_trace(2), "--url", raw_server(handler).url, "--out", "x.tape", "--model", "m"),
        *("--keep-bodies", "-qH", "X-Api-Key: sk-SECRET-2", "--api-key-env", "THE_KEY"),
        env={"THE_KEY": "sk-SECRET-1"},
    )
    assert result.returncode == 4
    assert b"Authorization: Bearer sk-SECRET-1\r\n" in seen[0]
    assert b"X-Api-Key: sk-SECRET-2\r\n" in seen[0]
    files = [path for path in (tmp_path / "x.tape").rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if b"SECRET" in path.read_bytes()]
    tape = open_tape(tmp_path / "x.tape")
    assert set(tape.requests["error"].to_pylist()) == {"bad key *** or ***"}
    assert "X-Api-Key: ***" in tape.manifest["command"]
    assert "SECRET" not in result.stdout + result.stderr
