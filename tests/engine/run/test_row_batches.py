"""What workers measured, as rows of the tape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokentape import traces
from tokentape.engine.plan import Plan, make_plan
from tokentape.engine.run.row_batches import (
    RECORD,
    STATUS,
    TIMES,
    Constants,
    event_counts,
    probe_batch,
    request_batch,
    unpack_events,
    unpack_requests,
    unsent_batch,
)
from tokentape.engine.tape.schema import OUTCOMES

EPOCH_NS = 1_000
CONSTANTS = Constants("chat", "m", "http://h/", EPOCH_NS, exact_inputs=False, secrets=("sk-12345678",))


@pytest.fixture
def plan(small_trace: Callable[..., Path]) -> Plan:
    return make_plan(traces.read(small_trace(5)))


def _frame(*rows: tuple[dict[str, Any], bytes, bytes, bytes, bytes]) -> bytes:
    data = b""
    for fields, *texts in rows:
        record = np.zeros(1, RECORD)
        for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
            record[name] = -1
        for name, value in fields.items():
            record[name] = value
        for name, text in zip(("id", "finish", "error", "text"), texts, strict=True):
            record[f"{name}_length"] = len(text)
        data += record.tobytes() + b"".join(texts)
    return data


def _batch(plan: Plan, *rows: tuple[dict[str, Any], bytes, bytes, bytes, bytes]) -> list[dict[str, Any]]:
    batch = request_batch(unpack_requests(_frame(*rows), len(rows)), plan, CONSTANTS, 2, 0)
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


def test_the_layouts_are_those_of_the_core() -> None:
    """request_record and reactor_status of cext: no padding, these sizes."""
    assert RECORD.itemsize == 21 * 8 + 4 * 4 + 4 * 4 + 2 + 6
    assert STATUS.itemsize == 18 * 8 + 128 * 4


def test_a_finished_request_becomes_a_row(plan: Plan) -> None:
    times = {name: EPOCH_NS + 10 * (place + 1) for place, name in enumerate(TIMES)}
    fields = {"request_id": 3, "scheduled_ns": EPOCH_NS + 5, **times, "http_status": 200, "end_marker": 1}
    counts = {"input_tokens": 20, "output_tokens": 4, "events": 6, "output_events": 4, "event_tokens": -1}
    (row,) = _batch(plan, (fields | counts | {"connection_id": 7, "retries": 1}, b"id-1", b"length", b"", b""))
    assert row["scheduled_ns"] == 5
    assert [row[name] for name in TIMES] == [10 * (place + 1) for place in range(len(TIMES))]
    assert (row["outcome"], row["end_marker"], row["http_status"]) == ("ok", "done", 200)
    assert (row["response_id"], row["finish_reason"], row["error"]) == ("id-1", "length", None)
    assert (row["server_input_tokens"], row["server_output_tokens"], row["server_cached_tokens"]) == (20, 4, None)
    assert (row["worker"], row["connection_id"], row["retries"], row["clock"]) == (2, 7, 1, "kernel")
    assert row["planned_output_tokens"] == 4


def test_what_never_happened_is_null(plan: Plan) -> None:
    fields = {"request_id": 0, "scheduled_ns": EPOCH_NS, "outcome": OUTCOMES.index("connect_error"), "user_clock": 1}
    (row,) = _batch(plan, (fields, b"", b"", b"Connection refused", b""))
    assert all(row[name] is None for name in TIMES)
    assert (row["http_status"], row["end_marker"], row["response_id"]) == (None, None, None)
    assert (row["outcome"], row["error"], row["clock"]) == ("connect_error", "Connection refused", "user")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"a\\nb", "a\nb"),
        (b"\\u00e9", "é"),
        ("é".encode(), "é"),
        (b"\\ud83d\\ude00", "😀"),
        (b"\\ud83d", "\ufffd"),  # one half alone cannot stand in a file
        (b"\\ud83d \\ude00", "\ufffd \ufffd"),
        (b"cut\\u00", "cut\\u00"),
        (b"\xf0\x9f", "\ufffd"),
    ],
)
def test_texts_are_what_json_means(raw: bytes, text: str) -> None:
    assert unpack_requests(_frame(({}, b"", b"", b"", raw)), 1).texts == [text]


def test_many_records_of_many_lengths_keep_their_texts() -> None:
    rows = [({"request_id": n}, b"i" * (n % 3), b"f" * (n % 2), b"e" * (n % 5), b"t" * (n % 7)) for n in range(200)]
    finished = unpack_requests(_frame(*rows), len(rows))
    assert finished.records["request_id"].tolist() == list(range(200))
    assert finished.texts == ["t" * (n % 7) or None for n in range(200)]
    assert finished.errors == ["e" * (n % 5) or None for n in range(200)]


def test_a_key_that_a_server_repeats_is_struck_out(plan: Plan) -> None:
    body = b'{"error": {"message": "Incorrect API key provided: sk-12345678."}}'
    (row,) = _batch(plan, ({"http_status": 401, "outcome": OUTCOMES.index("http_error")}, b"", b"", body, b""))
    assert row["error"] == "Incorrect API key provided: ***."


def test_an_error_without_a_body_has_a_text_all_the_same(plan: Plan) -> None:
    (row,) = _batch(plan, ({"http_status": 429, "outcome": OUTCOMES.index("http_error")}, b"", b"", b"", b""))
    assert row["error"] == "Too Many Requests, without a message"


def test_events_count_as_tokens_where_nothing_better_is_known() -> None:
    records = np.zeros(3, RECORD)
    records["output_events"] = (4, 4, 0)
    records["event_tokens"] = (9, -1, 0)
    assert event_counts(records).tolist() == [9, 4, 0]


def test_a_frame_of_events_is_taken_apart_by_columns() -> None:
    columns: list[Any] = [
        np.array([5, 5], np.int64),
        np.array([EPOCH_NS + 1, EPOCH_NS + 2], np.int64),
        np.array([EPOCH_NS + 3, EPOCH_NS + 4], np.int64),
        np.array([0, 1], np.int32),
        np.array([-1, 2], np.int32),
        np.array([30, 40], np.int32),
        np.array([3, 0], np.uint8),
        np.array([1, 0], np.uint8),
    ]
    batch = unpack_events(b"".join(column.tobytes() for column in columns), 2, EPOCH_NS)
    assert batch.to_pydict() == {
        "request_id": [5, 5],
        "event": [0, 1],
        "arrival_ns": [1, 2],
        "read_ns": [3, 4],
        "kind": [3, 0],
        "tokens": [None, 2],
        "bytes": [30, 40],
        "coalesced": [True, False],
    }


def test_rows_that_were_never_sent_say_why(plan: Plan) -> None:
    rows = np.array([1, 4], np.int64)
    batch = unsent_batch(rows, plan, CONSTANTS, EPOCH_NS + 100, 3, "not sent: the run was stopped").to_pylist()
    assert [row["request_id"] for row in batch] == [1, 4]
    assert [row["scheduled_ns"] for row in batch] == [int(plan.due_ns[n]) + 100 for n in (1, 4)]
    assert {row["outcome"] for row in batch} == {"cancelled"}
    assert {row["error"] for row in batch} == {"not sent: the run was stopped"}
    assert {(row["worker"], row["connection_id"], row["bytes_sent"]) for row in batch} == {(3, -1, 0)}


def test_a_status_becomes_probes() -> None:
    status = np.zeros(1, STATUS)
    status["at_ns"], status["sent"], status["busy_ns"] = EPOCH_NS + 9, 5, 77
    rows = probe_batch(status[0], 1, EPOCH_NS).to_pylist()
    assert {row["at_ns"] for row in rows} == {9}
    assert {row["source"] for row in rows} == {"worker 1"}
    values = {row["name"]: row["value"] for row in rows}
    assert (values["sent"], values["busy_ns"], values["active"]) == (5.0, 77.0, 0.0)
