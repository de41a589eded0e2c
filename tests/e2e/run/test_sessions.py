"""Sessions: what follows another request leaves after that one's end, with the history that was asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tokentape.engine.errors import UserError
from tokentape.traces.readers.native import write_native
from tokentape.traces.table import TRACE_SCHEMA, Trace

MS = 1_000_000
THINK_MS = (0, 30, 120)


@pytest.fixture
def sessions_trace(tmp_path: Path) -> Callable[..., Path]:
    """Writes a native trace of sessions: each turn follows the one before it; think times go round THINK_MS."""

    def write(sessions: int = 4, turns: int = 4, *, gap_ms: float = 100, think: bool = True) -> Path:
        rows = [
            {
                "arrival_ns": int((turn * gap_ms + session) * MS),
                "input_tokens": 20 + 30 * turn,
                "output_tokens": 10,
                "session_id": f"session {session}",
                "turn": turn,
                "parent": (turn - 1) * sessions + session if turn else None,
                "think_ns": THINK_MS[turn % 3] * MS if turn and think else None,
                "source_row": turn * sessions + session + 1,
            }
            for turn in range(turns)
            for session in range(sessions)
        ]
        table = pa.Table.from_pylist([dict.fromkeys(TRACE_SCHEMA.names) | row for row in rows], schema=TRACE_SCHEMA)
        path = tmp_path / "sessions.parquet"
        write_native(Trace(table, "native", "sessions", "0" * 64), path)
        return path

    return write


def _turns(tape: Any) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["session_id"], row["turn"]): row for row in tape.requests.to_pylist()}


@pytest.mark.parametrize("workers", [1, 3])
def test_a_closed_turn_is_due_a_think_time_after_the_end_of_the_one_before(
    simulator: Any, sessions_trace: Any, replayed: Any, workers: int
) -> None:
    tape = replayed(sessions_trace(), simulator().url, sessions="closed", workers=workers)
    rows = _turns(tape)
    assert len(rows) == 16
    assert {row["outcome"] for row in rows.values()} == {"ok"}
    for (session, turn), row in rows.items():
        assert row["sent_ns"] >= row["scheduled_ns"]
        assert row["arrival"] == ("closed" if turn else "open")
        if turn:
            before = rows[session, turn - 1]
            assert row["scheduled_ns"] - before["end_ns"] == THINK_MS[turn % 3] * MS
            assert row["worker"] == before["worker"]
    assert len({row["worker"] for row in rows.values()}) == workers


def test_a_hybrid_turn_is_due_at_the_later_of_both(simulator: Any, sessions_trace: Any, replayed: Any) -> None:
    tape = replayed(sessions_trace(gap_ms=60), simulator().url, sessions="hybrid")
    rows, start_ns = _turns(tape), tape.manifest["start_ns"]
    recorded = {(f"session {s}", t): start_ns + int((t * 60 + s) * MS) for t in range(4) for s in range(4)}
    for (session, turn), row in rows.items():
        own = recorded[session, turn]
        after = rows[session, turn - 1]["end_ns"] + THINK_MS[turn % 3] * MS if turn else own
        assert row["scheduled_ns"] == max(own, after)
        assert row["arrival"] == ("open" if own >= after else "closed")
    assert {row["arrival"] for row in rows.values()} == {"open", "closed"}


@pytest.mark.parametrize(("think", "expected"), [("none", 0), (7 * MS, 7 * MS)])
def test_think_times_can_be_replaced(
    simulator: Any, sessions_trace: Any, replayed: Any, think: Any, expected: int
) -> None:
    rows = _turns(replayed(sessions_trace(2, 3), simulator().url, sessions="closed", think=think))
    for (session, turn), row in rows.items():
        if turn:
            assert row["scheduled_ns"] - rows[session, turn - 1]["end_ns"] == expected


def test_speed_divides_think_times(simulator: Any, sessions_trace: Any, replayed: Any) -> None:
    rows = _turns(replayed(sessions_trace(2, 3), simulator().url, sessions="closed", speed=4))
    after = rows["session 0", 2]["scheduled_ns"] - rows["session 0", 1]["end_ns"]
    assert after == 120 * MS // 4


def test_missing_think_times_are_said(simulator: Any, sessions_trace: Any, replayed: Any) -> None:
    notes: list[str] = []
    replayed(sessions_trace(2, 2, think=False), simulator().url, notes=notes, sessions="closed")
    assert any("2 turns have no recorded think time" in note for note in notes)


def test_live_history_holds_what_the_server_replied(simulator: Any, sessions_trace: Any, replayed: Any) -> None:
    tape = replayed(
        sessions_trace(3, 4), simulator().url, sessions="closed", history="live", keep_bodies=True, workers=2
    )
    rows = _turns(tape)
    said = {row["request_id"]: row for row in tape.read("bodies").to_pylist()}
    for (session, turn), row in rows.items():
        messages = json.loads(said[row["request_id"]]["request_body"])["messages"]
        assert [m["role"] for m in messages] == ["user", "assistant"] * turn + ["user"]
        for earlier in range(turn):
            reply = said[rows[session, earlier]["request_id"]]["response_text"]
            assert messages[2 * earlier + 1]["content"] == reply
        assert row["server_input_tokens"] == row["planned_input_tokens"]


@pytest.mark.parametrize("go_on", [False, True])
def test_what_follows_a_failure(simulator: Any, sessions_trace: Any, replayed: Any, go_on: bool) -> None:
    server = simulator(fault="status", fault_share=0.3, seed=3)
    rows = _turns(replayed(sessions_trace(6, 4), server.url, sessions="closed", go_on_after_failure=go_on))
    assert len(rows) == 24
    outcomes = {key: row["outcome"] for key, row in rows.items()}
    assert "http_error" in outcomes.values()
    for (session, turn), row in rows.items():
        if not turn:
            continue
        before = outcomes[session, turn - 1]
        if go_on:
            assert row["outcome"] in ("ok", "http_error")
        elif before != "ok":
            assert row["outcome"] == "cancelled"
            assert row["error"] == "not sent: a request before it in its session failed"


def test_turns_leave_soon_after_they_are_due(simulator: Any, sessions_trace: Any, replayed: Any) -> None:
    """No time is asserted: each turn's request was at hand when it was due."""
    tape = replayed(sessions_trace(8, 6), simulator().url, sessions="closed")
    late = tape.requests["sent_ns"].to_numpy() - tape.requests["scheduled_ns"].to_numpy()
    assert (late >= 0).all()
    assert np.median(late) < 100 * MS


def test_a_trace_without_sessions_is_told(simulator: Any, small_trace: Any, replayed: Any) -> None:
    with pytest.raises(UserError, match="no request follows another"):
        replayed(small_trace(3), simulator().url, sessions="closed")


def test_live_history_needs_messages(simulator: Any, sessions_trace: Any, replayed: Any) -> None:
    with pytest.raises(UserError, match="--history live needs --endpoint chat"):
        replayed(sessions_trace(), simulator().url, endpoint="completions", sessions="closed", history="live")
