"""Formats that record sessions: who follows whom, after how long, beside whom."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from tokentape.traces import TraceError, read
from tokentape.traces.graph.sessions import remap_parents

Write = Callable[[bytes | str], Path]
Find = Callable[[str], Path]
S = 10**9


def graph(trace: Any, *columns: str) -> list[tuple[Any, ...]]:
    names = columns or ("arrival_ns", "session_id", "turn", "parent", "think_ns")
    return [tuple(row.values()) for row in trace.table.select(list(names)).to_pylist()]


def chat(number: int, parent: int, stamp: float, tokens: int = 17, **more: Any) -> dict[str, Any]:
    blocks = list(range(-(-tokens // 16)))
    row = {"chat_id": number, "parent_chat_id": parent, "timestamp": stamp, "input_length": tokens}
    return {**row, "output_length": 3, "type": "text", "turn": 1, "hash_ids": blocks, **more}


def lines(*rows: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, rows)) + "\n"


def test_bailian(write: Write) -> None:
    trace = read(
        write(lines(chat(7, -1, 61.114), chat(9, 7, 80.5), chat(8, -1, 70), chat(10, 7, 90), chat(11, 10, 95)))
    )
    assert (trace.format, trace.block_tokens, trace.block_rounding) == ("bailian", 16, "ceil")
    assert graph(trace) == [
        (0, "7", 0, None, None),
        (8_886_000_000, "8", 0, None, None),
        (19_386_000_000, "7", 1, 0, None),
        (28_886_000_000, "7", 2, 0, None),
        (33_886_000_000, "7", 3, 3, None),
    ]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([chat(1, 2, 0), chat(2, 1, 1)], "field parent: follows itself, through the rows it follows; session"),
        ([chat(1, 1, 0)], "follows itself"),
        ([chat(1, -1, 0), chat(2, 5, 1)], r"row 2, field parent_chat_id: no row is the 5 .* session 5 is incomplete"),
        ([chat(1, -1, 0), chat(1, -1, 1)], "row 2, field chat_id: has the number 1, like row 1"),
        ([chat(1, -1, 0, hash_ids=[0])], "blocks of 16 rounded up make 2; blocks of 16 rounded down would fit"),
        ([chat(1, -1, 1_760_000_000_000)], "over 100 years in seconds, .* in milliseconds it would be a date of our"),
        ([chat(1, -1.5, 0)], "field parent_chat_id: Decimal|-1.5 is not a chat's number"),
    ],
)
def test_bailian_that_is_wrong(write: Write, rows: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        read(write(lines(*rows)))


def test_bailian_without_a_parent_starts_anew_on_request(write: Write) -> None:
    trace = read(write(lines(chat(1, -1, 0), chat(2, 5, 1))), skip_bad_rows=True)
    assert trace.table["parent"].null_count == 2
    assert "1 row whose parent is not in the file starts anew" in trace.notes


def turn(t: float, tokens: int, ids: list[int], **more: Any) -> dict[str, Any]:
    return {"t": t, "type": "n", "model": "m", "in": tokens, "out": 5, "hash_ids": ids, **more}


def session(name: str, *requests: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "block_size": 64, "hash_id_scope": "local", "requests": list(requests), **more}


WEKA = session(
    "a",
    turn(0.0, 130, [1, 2], api_time=7.25, think_time=0.0),
    {
        "type": "subagent",
        "t": 8.0,
        "agent_id": "agent_001",
        "requests": [turn(0.0, 64, [9], api_time=2.0), turn(5.0, 64, [9], api_time=1.0, think_time=3.0)],
    },
    turn(19.0, 200, [1, 2, 3], api_time=10.0, think_time=12.0),
    turn(24.0, 63, [], api_time=1.0, think_time=0.0),
    turn(40.0, 200, [1, 2, 3], think_time=11.0),
    turn(50.0, 200, [1, 2, 3], think_time=21.0),
)


def test_weka(write: Write) -> None:
    trace = read(write(json.dumps(WEKA)))
    assert (trace.format, trace.block_tokens, trace.block_rounding) == ("weka", 64, "floor")
    assert graph(trace) == [
        (0, "a", 0, None, None),
        (8 * S, "a", 1, 0, 750_000_000),
        (13 * S, "a", 2, 1, 3 * S),
        (19 * S, "a", 3, 0, 12 * S),
        (24 * S, "a", 4, 0, 16_750_000_000),  # beside the turn before it, which ended at 29 s
        (40 * S, "a", 5, 4, 15 * S),
        (50 * S, "a", 6, 4, 25 * S),  # the turn before it has no known end
    ]
    assert trace.table["block_ids"].to_pylist() == [[1, 2], [9], [9], [1, 2, 3], [], [1, 2, 3], [1, 2, 3]]
    assert "2 rows of 1 subagents run beside the requests that launched them" in trace.notes


def test_weka_sessions_share_no_ids_unless_they_say_so(write: Write) -> None:
    other = session("b", turn(0.0, 64, [1], api_time=1.0))
    trace = read(write(lines(WEKA, other)))
    ids = {name: set() for name in "ab"}  # type: dict[str, set[int]]
    for name, row in graph(trace, "session_id", "block_ids"):
        ids[name].update(row)
    assert not ids["a"] & ids["b"]
    assert "2 sessions, each with times from its own start: replayed as they are, all begin at once" in trace.notes
    shared = read(write(lines({**WEKA, "hash_id_scope": "global"}, {**other, "hash_id_scope": "global"})))
    assert shared.table["block_ids"].to_pylist()[1] == [1]


def test_weka_subagents_on_the_clock_of_their_session(write: Write) -> None:
    agent = {"type": "subagent", "t": 9.0, "requests": [turn(9.5, 64, [3], api_time=1.0)]}
    trace = read(write(json.dumps(session("a", turn(0.0, 64, [1], api_time=2.0), agent), indent=1)))
    assert graph(trace) == [(0, "a", 0, None, None), (9_500_000_000, "a", 1, 0, 7_500_000_000)]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"hash_ids": [1, 2, 3]},
            r"requests\[0\].hash_ids: has 3 for 130 .* 64 rounded down make 2; .* rounded up would",
        ),
        ({"in": "many"}, r"row 1, field requests\[0\].in: expected `int"),
        ({"in": -5}, "-5 is negative"),
        ({"out": None}, r"requests\[0\].out"),
        ({"t": None}, "is missing; seconds since the session's start"),
        ({"t": -1}, "-1 is negative"),
        ({"hash_ids": [1, -2]}, "expected `int` >= 0"),
    ],
)
def test_weka_that_is_wrong(write: Write, change: dict[str, Any], problem: str) -> None:
    good = turn(0.0, 130, [1, 2], api_time=7.25)
    with pytest.raises(TraceError, match=problem):
        read(write(json.dumps(session("a", {**good, **change}))))
    two = write(lines(session("a", {**good, **change}), session("b", good)))
    assert read(two, skip_bad_rows=True).table["session_id"].to_pylist() == ["b"]


def test_weka_sessions_of_several_block_sizes(write: Write) -> None:
    with pytest.raises(TraceError, match="row 2, field block_size: 32 differs from the 64 of the sessions before it"):
        read(write(lines(WEKA, session("b", turn(0, 64, [1, 2]), block_size=32))))


WEKA_COLUMNS: dict[str, list[Any]] = {
    "trace_id": ["a", "a", "a", "b"],
    "agent_path": ["", "/agent_001", "", ""],
    "t_s": [0.0, 0.0, 153.0, 0.0],
    "model": ["m", "n", "m", "m"],
    "input_length": [130, 64, 191, 64],
    "output_length": [5, 6, 7, 8],
    "api_time_s": [7.27, 2.0, None, 1.0],
    "think_time_s": [0.0, 0.0, 146.0, None],
    "hash_ids": [[1, 2], [7], [1, 2], [1]],
}


def put_parquet(path: Path, columns: dict[str, list[Any]]) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def test_weka_parquet(tmp_path: Path) -> None:
    trace = read(put_parquet(tmp_path / "t", WEKA_COLUMNS))
    assert graph(trace, "arrival_ns", "session_id", "turn", "parent", "think_ns", "source_row") == [
        (0, "a", 0, None, None, 1),
        (0, "b", 0, None, None, 4),
        (7_270_000_000, "a", 1, 0, 0, 2),
        (153 * S, "a", 2, 0, 146 * S, 3),
    ]
    assert trace.table["block_ids"].to_pylist() == [[1, 2], [9], [7], [1, 2]]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hash_ids": [[1, 2], [7], [1, 2, 3], [1]]}, "row 3, column hash_ids: has 3 for 191 .* rounded up would fit"),
        ({"hash_ids": [[1, -2], [7], [1, 2], [1]]}, "has ids from -2 to 7"),
        ({"hash_ids": ["x", "y", "z", "w"]}, "holds string where lists of whole numbers belong"),
        ({"t_s": [0.0, 0.0, -3.0, 0.0]}, "row 3, column t_s: -3.0 is negative"),
        ({"t_s": [0.0, 0.0, float("nan"), 0.0]}, "row 3, column t_s"),
        ({"input_length": [130, 64, None, 64]}, "row 3, column input_length: null is not a number"),
        ({"trace_id": ["a", None, "a", "b"]}, "row 2, column trace_id: is null"),
    ],
)
def test_weka_parquet_that_is_wrong(tmp_path: Path, change: dict[str, list[Any]], problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        read(put_parquet(tmp_path / "t", {**WEKA_COLUMNS, **change}))


def test_the_710_sessions_of_weka(shared: Find) -> None:
    trace = read(shared("traces/weka/weka_cc_traces_710.parquet"))
    assert len(trace) == 49_334
    turns = trace.table.group_by("session_id").aggregate([("turn", "max")])["turn_max"].to_numpy() + 1
    assert (len(turns), float(np.median(turns)), int(turns.max())) == (710, 45.5, 561)
    tokens, out = trace.table["input_tokens"].to_numpy(), trace.table["output_tokens"].to_numpy()
    assert [round(float(np.quantile(tokens, q))) for q in (0.5, 0.99, 1)] == [103_659, 498_519, 894_371]
    assert [round(float(np.quantile(out, q))) for q in (0.5, 0.99, 1)] == [216, 3_686, 18_195]
    think = trace.table["think_ns"].drop_null().to_numpy() / S
    assert (np.median(think), think.max()) == (10, 77_589)
    ids = trace.table["block_ids"].combine_chunks().flatten().to_numpy()
    assert len(ids) == 94_310_647
    reuse = 1 - np.count_nonzero(np.bincount(ids)) / len(ids)
    assert round(100 * reuse, 1) == 96.3


def test_a_raw_session_is_the_one_in_the_parquet_file(shared: Find) -> None:
    raw = read(shared("traces/weka/trace_0024.json")).table
    whole = read(shared("traces/weka/weka_cc_traces_710.parquet")).table
    same = whole.filter(pa.compute.equal(whole["session_id"], "trace_0024"))
    for name in ("arrival_ns", "input_tokens", "output_tokens", "turn", "think_ns", "model"):
        assert same[name].to_pylist() == raw[name].to_pylist()


TRACELAB = """session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms
0,0,0,0,512,64,100
0,0,1,576,128,64,150.5
0,0,2,100,128,64,0
1,200,0,0,40,48,80
"""


def test_tracelab(write: Write) -> None:
    trace = read(write(TRACELAB))
    assert (trace.format, trace.block_tokens, trace.block_rounding) == ("tracelab", 16, "floor")
    assert graph(trace) == [
        (0, "0", 0, None, None),
        (100_000_000, "0", 1, 0, 100_000_000),
        (200_000_000, "1", 0, None, None),
        (250_500_000, "0", 2, 1, 150_500_000),
    ]
    assert trace.table["input_tokens"].to_pylist() == [512, 704, 40, 228]
    first, second, other, third = trace.table["block_ids"].to_pylist()
    assert (len(first), len(second), len(other), len(third)) == (32, 44, 2, 14)
    assert second[:32] == first
    assert third[:6] == first[:6]
    assert not set(third[6:]) & set(second)


@pytest.mark.parametrize(
    ("line", "field", "problem"),
    [
        ("1,200,2,0,40,48,80", "round_idx", "is 2, where session '1' has come to round 1"),
        ("1,200,1,0,40,48,-1", "tool_wait_after_ms", "is negative"),
        ("1,200,1,x,40,48,1", "prefix_len", "'x' is not a whole number"),
        ("1,200,1,99999999,40,48,1", "input_len", "over 100 million"),
        ("1,200", None, "has 2 fields where the header has 7"),
    ],
)
def test_tracelab_that_is_wrong(write: Write, line: str, field: str | None, problem: str) -> None:
    path = write(TRACELAB + line + "\n")
    with pytest.raises(TraceError, match=problem) as caught:
        read(path)
    assert (caught.value.row, caught.value.field) == (5, field)
    assert len(read(path, skip_bad_rows=True)) == 4


def test_tracelab_as_published(shared: Find) -> None:
    trace = read(shared("traces/tracelab/replay_examples/multi_session_large.csv"))
    assert len(trace) == 303
    assert trace.notes[0].startswith("rounds follow each other in a closed loop")


BASETEN: dict[str, list[Any]] = {
    "timestamp_start_unix_ms": [1_760_000_000_000, 1_760_000_001_500, 1_760_000_002_000, 1_760_000_009_000],
    "prompt": ["hello", "there", "you", None],
    "input_tokens": [33, 64, 10, 31],
    "output_tokens": [5, 6, 7, 8],
    "provided_session_id": ["s", "s", None, "s"],
    "total_hashes": [["x", "y"], ["x", "z"], [], []],
    "block_size": [32, 32, 32, 32],
    "request_canceled": [False, True, False, False],
    "duration_e2e_ms": [1000.5, 9000.0, 10.0, None],
    "duration_ttft_ms": [100.0, 100.0, 1.0, None],
}


def test_baseten(tmp_path: Path) -> None:
    columns = {**BASETEN, "total_hashes": [["x"], ["x", "z"], [], []]}
    trace = read(put_parquet(tmp_path / "t", columns))
    assert (trace.format, trace.block_tokens, trace.block_rounding) == ("baseten", 32, "floor")
    assert graph(trace) == [
        (0, "s", 0, None, None),
        (1_500_000_000, "s", 1, 0, 499_500_000),
        (2 * S, None, 0, None, None),
        (9 * S, "s", 2, 0, 7_999_500_000),  # the request before it still ran
    ]
    assert trace.table["text"].to_pylist() == ["hello", "there", "you", None]
    assert trace.table["block_ids"].to_pylist() == [[0], [0, 1], [], []]
    assert any(note.startswith("1 row was canceled by its client") for note in trace.notes)
    assert trace.origin_ns == 1_760_000_000 * S


def test_baseten_blocks_of_two_roundings(tmp_path: Path) -> None:
    with pytest.raises(
        TraceError, match=r"row 3, column total_hashes: has 0 for 10 input tokens; .* rounded down would"
    ):
        read(put_parquet(tmp_path / "t", BASETEN))


def test_parents_follow_their_rows() -> None:
    parent = pa.array([None, 0, 1, None, 3], pa.int64())
    assert remap_parents(parent, np.array([3, 2, 1, 0, 4])).to_pylist() == [None, 2, 3, None, 0]
    assert remap_parents(parent, np.array([1, 2, 4])).to_pylist() == [None, 0, None]
    assert remap_parents(pa.chunked_array([parent]), np.array([], np.int64)).to_pylist() == []
