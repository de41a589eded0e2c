"""Fan-in: what waits for several requests leaves after whichever of them ends last in this run."""

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

MS = 1_000_000
EPOCH = 1_772_000_000_000_000_000
THINK_MS = 15
LENGTHS = list(permutations((2, 40, 80)))
"""Output tokens of the three calls beside each other, by session: each of them is the slowest somewhere."""


def _span(session: int, name: str, start_ms: int, end_ms: int, tokens: int) -> dict[str, Any]:
    return {
        "trace_id": f"s{session}",
        "span_id": name,
        "start_time": EPOCH + (start_ms + session) * MS,
        "end_time": EPOCH + (end_ms + session) * MS,
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.input_tokens": 40,
            "gen_ai.usage.output_tokens": tokens,
        },
    }


@pytest.fixture
def fan_in(tmp_path: Path) -> Callable[..., Path]:
    """Writes spans: three calls beside each other, the second of which ended last, and what came after all of them."""

    def write(*, planned: bool = True) -> Path:
        spans = []
        for session, (one, two, three) in enumerate(LENGTHS):
            if planned:
                spans.append(_span(session, "plan", 0, 10, 3))
            spans += [
                _span(session, "one", 20, 50, one),
                _span(session, "two", 21, 60, two),
                _span(session, "three", 22, 55, three),
                _span(session, "answer", 60 + THINK_MS, 90, 5),
                _span(session, "thanks", 95, 99, 2),
            ]
        path = tmp_path / "spans.json"
        path.write_text(json.dumps({"spans": spans}))
        return path

    return write


def _sessions(tape: Any) -> list[list[dict[str, Any]]]:
    """The requests of each session, in the order of their turns."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(tape.requests.to_pylist(), key=lambda row: row["turn"]):
        found.setdefault(row["session_id"], []).append(row)
    return list(found.values())


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("workers", [1, 3])
def test_it_is_due_a_think_time_after_the_last_end(
    simulator: Any, fan_in: Any, replayed: Any, workers: int, planned: bool
) -> None:
    tape = replayed(fan_in(planned=planned), simulator().url, sessions="closed", workers=workers)
    last = set()
    sessions = _sessions(tape)
    assert len(sessions) == len(LENGTHS)
    for rows in sessions:
        assert {row["outcome"] for row in rows} == {"ok"}
        *_, one, two, three, answer, thanks = rows
        ends = [row["end_ns"] for row in (one, two, three)]
        last.add(ends.index(max(ends)))
        assert answer["scheduled_ns"] == max(ends) + THINK_MS * MS
        assert thanks["scheduled_ns"] == answer["end_ns"] + 5 * MS
        assert answer["sent_ns"] >= answer["scheduled_ns"]
        assert [row["arrival"] for row in rows[-2:]] == ["closed", "closed"]
        assert [row["arrival"] for row in rows[:3]] == (["open", "closed", "closed"] if planned else ["open"] * 3)
        assert len({row["worker"] for row in rows}) == 1
    assert last == {0, 1, 2}
    assert len({rows[0]["worker"] for rows in sessions}) == workers


def test_a_hybrid_one_is_due_at_the_later_of_both(simulator: Any, fan_in: Any, replayed: Any) -> None:
    tape = replayed(fan_in(), simulator().url, sessions="hybrid")
    kinds = []
    for session, (*_, one, two, three, answer, _thanks) in enumerate(_sessions(tape)):
        own = tape.manifest["start_ns"] + (60 + THINK_MS + session) * MS
        after = max(row["end_ns"] for row in (one, two, three)) + THINK_MS * MS
        assert answer["scheduled_ns"] == max(own, after)
        kinds.append((answer["arrival"], "open" if own >= after else "closed"))
    assert all(told == right for told, right in kinds)


@pytest.mark.parametrize("go_on", [False, True])
def test_it_is_not_sent_when_one_of_them_fails(simulator: Any, fan_in: Any, replayed: Any, go_on: bool) -> None:
    server = simulator(fault="status", fault_share=0.25, seed=5)
    tape = replayed(fan_in(planned=False), server.url, sessions="closed", go_on_after_failure=go_on)
    failures = set()
    for one, two, three, answer, thanks in _sessions(tape):
        failed = tuple(row["outcome"] != "ok" for row in (one, two, three))
        failures.add(failed)
        if go_on:
            assert answer["scheduled_ns"] == max(row["end_ns"] for row in (one, two, three)) + THINK_MS * MS
            assert "cancelled" not in (answer["outcome"], thanks["outcome"])
        elif any(failed):
            assert (answer["outcome"], thanks["outcome"]) == ("cancelled", "cancelled")
            assert answer["error"] == "not sent: a request before it in its session failed"
        else:
            assert answer["outcome"] != "cancelled"
    assert len(failures) > 1


def test_live_history_is_that_of_the_one_it_follows(simulator: Any, fan_in: Any, replayed: Any) -> None:
    tape = replayed(fan_in(), simulator().url, sessions="closed", history="live", keep_bodies=True)
    said = {row["request_id"]: row for row in tape.read("bodies").to_pylist()}
    for plan, _one, two, _three, answer, _thanks in _sessions(tape):
        messages = json.loads(said[answer["request_id"]]["request_body"])["messages"]
        assert [message["role"] for message in messages] == ["user", "assistant"] * 2 + ["user"]
        for place, row in ((1, plan), (3, two)):
            assert messages[place]["content"] == said[row["request_id"]]["response_text"]
