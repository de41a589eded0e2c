"""Replays against llama.cpp's own HTTP server with a model of 135 million parameters."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import tokentape

pytestmark = pytest.mark.real_server

TOKENIZER = Path(__file__).parents[3] / "shared" / "tokenizers" / "smollm2"
MS = 1_000_000
Row = dict[str, Any]
WriteTrace = Callable[..., Path]


def rows_of(tape: Any) -> list[Row]:
    rows: list[Row] = tape.requests.to_pylist()
    return rows


def kinds_of(tape: Any, request_id: int) -> list[str]:
    return [event["kind"] for event in tape.events.to_pylist() if event["request_id"] == request_id]


def assert_all_ok(rows: list[Row]) -> None:
    assert [(row["outcome"], row["error"]) for row in rows] == [("ok", None)] * len(rows)


def test_chat_streams_agree_with_the_servers_own_measurements(
    relay: Any, write_trace: WriteTrace, tmp_path: Path
) -> None:
    """Twelve requests over four slots; the first has the server to itself, the last has a long prompt."""
    crowd = [(3000 + 40 * place, 30 + 4 * place, 5 + 2 * place) for place in range(10)]
    trace = write_trace((0, 60, 40), *crowd, (3400, 300, 5))
    tape = tokentape.replay(trace, tmp_path / "tape", url=relay.url)
    rows = rows_of(tape)
    assert len(rows) == 12
    assert_all_ok(rows)
    said = relay.timings()
    assert {row["response_id"] for row in rows} == set(said)
    for row in rows:
        theirs = said[row["response_id"]]
        assert row["token_source"] == "server"
        assert row["output_tokens"] == row["planned_output_tokens"] == theirs["predicted_n"]
        assert row["input_tokens"] == theirs["prompt_n"] + theirs["cache_n"]
        assert row["server_cached_tokens"] == theirs["cache_n"]
        assert row["finish_reason"] == "length"
        assert row["end_marker"] == "done"
        # The server's times lie within ours: they begin when the request has come, and end before the token leaves.
        assert row["first_token_ns"] - row["sent_ns"] >= theirs["prompt_ms"] * MS
        # Not the last token: one that is a part of a character is counted, but not sent.
        assert row["end_ns"] - row["sent_ns"] >= (theirs["prompt_ms"] + theirs["predicted_ms"]) * MS
        assert row["sent_ns"] < row["headers_ns"] < row["first_token_ns"] <= row["last_token_ns"] <= row["end_ns"]
        kinds = kinds_of(tape, row["request_id"])
        assert kinds.count("token") == row["output_events"] <= row["output_tokens"]
        # A role chunk comes first, or never: the server forgets it when the first token is a part of a character.
        assert "role" not in kinds[kinds.index("token") :]
        assert kinds[-1] == "done"
    assert any("role" in kinds_of(tape, row["request_id"]) for row in rows)
    alone, theirs = rows[0], said[rows[0]["response_id"]]
    assert all(row["sent_ns"] > alone["end_ns"] for row in rows[1:]), "the first request did not end within 3 s"
    prompt_ns, predicted_ns = theirs["prompt_ms"] * MS, theirs["predicted_ms"] * MS
    assert alone["first_token_ns"] - alone["sent_ns"] == pytest.approx(prompt_ns, rel=0.25, abs=50 * MS)
    assert alone["last_token_ns"] - alone["first_token_ns"] == pytest.approx(predicted_ns, rel=0.25)


@pytest.mark.parametrize(
    ("endpoint", "form", "stream"),
    [
        ("chat", "text", False),
        ("completions", "text", True),
        ("completions", "token_ids", True),
        ("completions", "token_ids", False),
    ],
)
def test_every_form_gives_the_asked_tokens(
    llama: str, write_trace: WriteTrace, tmp_path: Path, endpoint: str, form: Any, stream: bool
) -> None:
    trace = write_trace((0, 30, 5), (20, 45, 8), (40, 36, 12))
    tape = tokentape.replay(trace, tmp_path / "tape", url=llama, endpoint=endpoint, prompt_form=form, stream=stream)
    rows = rows_of(tape)
    assert_all_ok(rows)
    assert [row["server_output_tokens"] for row in rows] == [5, 8, 12]
    assert [row["output_tokens"] for row in rows] == [5, 8, 12]
    assert {row["token_source"] for row in rows} == {"server"}
    if endpoint == "completions":  # each word of our prompts is one token of this model, and nothing is added
        assert [row["server_input_tokens"] for row in rows] == [30, 45, 36]
    if not stream:
        assert {row["end_marker"] for row in rows} == {"finish"}
        assert all(row["first_token_ns"] == row["last_token_ns"] for row in rows)


@pytest.mark.skipif(not TOKENIZER.is_dir(), reason="the shared tokenizer is not beside the repository")
@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_with_the_models_tokenizer_lengths_are_exact(
    llama: str, write_trace: WriteTrace, tmp_path: Path, endpoint: str
) -> None:
    """Prompts have the trace's lengths as the server counts them, the chat template included."""
    trace = write_trace((0, 40, 16), (20, 63, 5), (40, 35, 40))
    tape = tokentape.replay(trace, tmp_path / "tape", url=llama, endpoint=endpoint, tokenizer=str(TOKENIZER))
    rows = rows_of(tape)
    assert_all_ok(rows)
    for row in rows:
        assert row["planned_input_tokens"] == row["server_input_tokens"]
        assert row["output_tokens"] == row["server_output_tokens"] == row["planned_output_tokens"]
        # The text, tokenized anew: what the server drew token by token may have another spelling.
        assert row["tokenizer_output_tokens"] == pytest.approx(row["server_output_tokens"], rel=0.05, abs=2)
    assert tape.manifest["plan"]["input_lengths"] == "exact"


def test_keepalive_comments_are_no_tokens(llama: str, write_trace: WriteTrace, tmp_path: Path) -> None:
    """A prompt of 900 tokens keeps the server silent for more than a second."""
    tape = tokentape.replay(write_trace((0, 900, 3)), tmp_path / "tape", url=llama)
    (row,) = rows_of(tape)
    assert_all_ok([row])
    kinds = kinds_of(tape, 0)
    assert kinds[0] == "comment"
    assert row["output_tokens"] == 3
    assert kinds.count("token") == row["output_events"]
    first_token_ns = min(event["arrival_ns"] for event in tape.events.to_pylist() if event["kind"] == "token")
    assert row["first_event_ns"] < row["first_token_ns"] == first_token_ns


def test_the_server_hangs_up_after_each_stream(llama: str, write_trace: WriteTrace, tmp_path: Path) -> None:
    """llama.cpp says Keep-Alive, and closes all the same once a stream has ended: no request is lost by it."""
    trace = write_trace(*[(50 * place, 4, 1 + place % 2) for place in range(40)])
    tape = tokentape.replay(trace, tmp_path / "tape", url=llama, endpoint="completions", prompt_form="token_ids")
    rows = rows_of(tape)
    assert_all_ok(rows)
    assert [row["output_tokens"] for row in rows] == [row["planned_output_tokens"] for row in rows]
    assert len({row["connection_id"] for row in rows}) == 40


def test_connections_outlive_neither_their_hundredth_request_nor_their_idle_time(
    guarded: str, with_key: str, write_trace: WriteTrace, tmp_path: Path
) -> None:
    """llama.cpp closes a connection after 100 requests, and after 5 s without one; neither is an error."""
    busy = [(40 * place, 4, 1) for place in range(120)]
    after_idleness = [(40 * 120 + 5500 + 40 * place, 4, 1) for place in range(4)]
    trace = write_trace(*busy, *after_idleness)
    tape = tokentape.replay(trace, tmp_path / "tape", url=guarded, endpoint="embeddings", api_key_env=with_key)
    rows = rows_of(tape)
    assert_all_ok(rows)
    carried = Counter(row["connection_id"] for row in rows)
    assert max(carried.values()) <= 100
    assert len(carried) <= 40, "connections were not reused"
    late = {row["connection_id"] for row in rows[120:]}
    assert not late & {row["connection_id"] for row in rows[:120]}


@pytest.mark.parametrize(
    ("place", "inputs", "extra", "status", "told"),
    [
        ("/nowhere", 10, {}, 404, "File Not Found"),
        ("", 2100, {}, 400, "exceeds the available context size"),
        ("", 10, {"response_format": {"type": "poem"}}, 400, "response_format"),
    ],
)
def test_the_servers_refusals_are_rows_with_its_own_words(
    llama: str, write_trace: WriteTrace, tmp_path: Path, place: str, inputs: int, extra: Row, status: int, told: str
) -> None:
    trace = write_trace((0, inputs, 5))
    tape = tokentape.replay(trace, tmp_path / "tape", url=llama + place, model="smollm2", extra=extra)
    (row,) = rows_of(tape)
    assert (row["outcome"], row["http_status"]) == ("http_error", status)
    assert told in row["error"]
    assert row["first_token_ns"] is None
    assert tape.summary().verdict.exit_code == 4


def test_embeddings_have_no_tokens(guarded: str, with_key: str, write_trace: WriteTrace, tmp_path: Path) -> None:
    trace = write_trace((0, 30, 1), (20, 60, 1), (40, 12, 1))
    tape = tokentape.replay(trace, tmp_path / "tape", url=guarded, endpoint="embeddings", api_key_env=with_key)
    rows = rows_of(tape)
    assert_all_ok(rows)
    assert [row["first_token_ns"] for row in rows] == [None] * 3
    assert [row["output_events"] for row in rows] == [0] * 3
    assert [row["server_input_tokens"] for row in rows] == [30, 60, 12]


def test_a_missing_key_is_a_401(guarded: str, write_trace: WriteTrace, tmp_path: Path) -> None:
    tape = tokentape.replay(write_trace((0, 10, 3)), tmp_path / "tape", url=guarded, model="smollm2")
    (row,) = rows_of(tape)
    assert (row["outcome"], row["http_status"], row["error"]) == ("http_error", 401, "Invalid API Key")


def test_the_key_is_in_no_file_of_the_tape(
    guarded: str, api_key: str, with_key: str, write_trace: WriteTrace, tmp_path: Path
) -> None:
    tape = tokentape.replay(
        write_trace((0, 10, 3)), tmp_path / "tape", url=guarded, api_key_env=with_key, keep_bodies=True
    )
    assert_all_ok(rows_of(tape))
    files = [Path(folder) / name for folder, _, names in os.walk(tape.path) for name in names]
    assert any(path.parent.name == "bodies" for path in files)
    for path in files:
        told = path.read_bytes()
        if path.suffix == ".parquet":  # compressed: look at what is in it
            table = pq.read_table(path)
            told += repr((table.to_pylist(), table.schema.metadata)).encode()
        assert api_key.encode() not in told, path.name
