"""Mooncake's JSONL and its variants."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces import read
from tokentape.traces.reading.field_checks import duration_ns
from tokentape.traces.table import TRACE_SCHEMA

Put = Callable[..., Path]
Write = Callable[[bytes | str], Path]


def test_a_row_as_published(mooncake: Put) -> None:
    trace = read(mooncake({"timestamp": 0}, {"timestamp": 27_482, "output_length": 52, "hash_ids": [0, 7]}))
    assert trace.table.schema == TRACE_SCHEMA
    assert trace.table.to_pylist()[1] == {
        "arrival_ns": 27_482_000_000,
        "input_tokens": 600,
        "output_tokens": 52,
        "block_ids": [0, 7],
        "session_id": None,
        "turn": 0,
        "parent": None,
        "also_after": None,
        "think_ns": None,
        "model": None,
        "path": None,
        "headers": None,
        "body": None,
        "text": None,
        "token_ids": None,
        "source_row": 2,
    }
    assert (trace.block_tokens, trace.block_rounding, trace.notes) == (512, "ceil", ())


def test_the_first_arrival_is_the_start(mooncake: Put) -> None:
    trace = read(mooncake({"timestamp": 1_760_000_000_000}, {"timestamp": 1_760_000_000_001}))
    assert trace.table["arrival_ns"].to_pylist() == [0, 1_000_000]


def test_fractions_of_a_millisecond_are_exact(write: Write) -> None:
    line = '{"timestamp": %s, "input_length": 1, "output_length": 1, "hash_ids": [0]}\n'
    trace = read(write("".join(line % stamp for stamp in ("1760000000000.000001", "1760000000000.000004"))))
    assert trace.table["arrival_ns"].to_pylist() == [0, 3]


def test_rows_out_of_order_are_sorted_and_ties_keep_their_order(mooncake: Put) -> None:
    trace = read(mooncake(*({"timestamp": stamp, "output_length": stamp} for stamp in (0, 9, 3, 9, 1, 3))))
    assert trace.table["source_row"].to_pylist() == [1, 5, 3, 6, 2, 4]
    assert trace.table["arrival_ns"].to_pylist() == [0, 10**6, 3 * 10**6, 3 * 10**6, 9 * 10**6, 9 * 10**6]
    assert trace.table["output_tokens"].to_pylist() == [0, 1, 3, 3, 9, 9]
    assert trace.notes == ("3 rows out of order were sorted by arrival", "1 row asks for 0 output tokens")


def test_block_ids_follow_their_row_when_sorted(mooncake: Put) -> None:
    trace = read(mooncake({"timestamp": 5, "hash_ids": [8, 9]}, {"timestamp": 1, "hash_ids": [8, 3]}))
    assert trace.table["block_ids"].to_pylist() == [[8, 3], [8, 9]]


@pytest.mark.parametrize("big", [-1, 2**31, 2**63, 2**64 + 1, 10**30])
def test_ids_beyond_int32_are_numbered_anew(mooncake: Put, big: int) -> None:
    trace = read(mooncake({"hash_ids": [big, 5]}, {"hash_ids": [big, 2]}, {"hash_ids": [5, 2]}))
    assert trace.table["block_ids"].to_pylist() == [[0, 1], [0, 2], [1, 2]]
    assert any("renumbered" in note for note in trace.notes)


def test_no_hash_ids_at_all_is_legal_and_said(mooncake: Put) -> None:
    trace = read(mooncake({"hash_ids": ...}, {"hash_ids": ...}))
    assert trace.table["block_ids"].null_count == 2
    assert trace.block_tokens is None
    assert trace.notes == ("no row has hash_ids: the prompts will share no prefixes",)


def test_sessions_and_delays(mooncake: Put) -> None:
    rows = [
        {"timestamp": 0, "session_id": "a"},
        {"timestamp": 1, "session_id": 17, "text_input": "hello"},
        {"timestamp": 3, "session_id": "a", "delay": 250},
        {"timestamp": 2, "session_id": "a", "delay": 0.5},
        {"timestamp": 4},
    ]
    trace = read(mooncake(*rows))
    table = trace.table.select(["session_id", "turn", "parent", "think_ns"])
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("a", 0, None, None),
        ("17", 0, None, None),
        ("a", 1, 0, 500_000),
        ("a", 2, 2, 250_000_000),
        (None, 0, None, None),
    ]
    assert trace.table["text"].to_pylist() == [None, "hello", None, None, None]


def test_the_variants_with_recorded_prompts(write: Write) -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "Grüße"}], "max_tokens": 7, "temperature": 0.25}
    rows = [
        {"timestamp": 0, "text_input": "eleven bytes", "output_length": 3},
        {"timestamp": 1, "payload": request},
        {"timestamp": 2, "messages": request["messages"], "input_length": 9, "output_length": 4},
    ]
    trace = read(write("\n".join(map(json.dumps, rows))))
    assert trace.table["input_tokens"].to_pylist() == [3, 24, 9]
    assert trace.table["output_tokens"].to_pylist() == [3, 7, 4]
    bodies = [None if body is None else json.loads(body) for body in trace.table["body"].to_pylist()]
    assert bodies == [None, request, {"messages": request["messages"]}]
    assert "2 rows with text and no recorded length: lengths are estimated at 4 bytes of UTF-8 per token" in trace.notes


def test_blank_lines_and_a_missing_last_line_break(write: Write) -> None:
    line = '{"timestamp": %d, "input_length": 1, "output_length": 1, "hash_ids": [0]}'
    trace = read(write("\ufeff" + line % 4 + "\r\n\r\n\n" + line % 7))
    assert trace.table["arrival_ns"].to_pylist() == [0, 3_000_000]
    assert trace.table["source_row"].to_pylist() == [1, 2]
    assert trace.digest == hashlib.sha256(Path(trace.source).read_bytes()).hexdigest()


rows = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(0, 3000), st.integers(0, 5000), st.integers(0, 2**31 - 8)),
    min_size=1,
    max_size=20,
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


@settings(deadline=None)
@given(rows=rows)
def test_the_quick_way_and_the_careful_way_agree(folder: Path, rows: list[tuple[int, int, int, int]]) -> None:
    lines: list[dict[str, Any]] = [
        {"timestamp": t, "input_length": n, "output_length": o, "hash_ids": list(range(b, b - (-n // 512)))}
        for t, n, o, b in rows
    ]
    (folder / "quick").write_text("\n".join(map(json.dumps, lines)))
    (folder / "careful").write_text("\n".join(json.dumps(line | {"unknown": 1}) for line in lines))
    quick, careful = read(folder / "quick", format="mooncake"), read(folder / "careful", format="mooncake")
    assert quick.table.equals(careful.table)
    assert quick.notes == careful.notes


@settings(deadline=None)
@given(stamp=st.decimals(0, 10**9, places=9))
def test_stamps_are_rounded_to_the_nearest_nanosecond(stamp: Decimal) -> None:
    assert abs(duration_ns("timestamp", stamp, 10**6) - stamp * 10**6) <= Decimal("0.5")
