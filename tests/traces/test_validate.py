"""What a check of a trace names: every bad row up to a limit, and then how many more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from tokentape.traces.table import TRACE_SCHEMA
from tokentape.traces.transform.derive import with_column
from tokentape.traces.validate import problems_of, validate


def test_every_bad_row_is_named_with_its_field_and_what_would_be_right(mooncake: Callable[..., Path]) -> None:
    path = mooncake({}, {"timestamp": -1}, {"output_length": "x"}, {"hash_ids": [1]}, {})
    found = validate(path)
    assert (found.rows, found.format) == (2, "mooncake")
    assert found.problems == (
        f"{path}, row 2, field timestamp: -1 is negative; milliseconds from 0 up belong there",
        f"{path}, row 3, field output_length: 'x' is not a number; a whole number of tokens belongs there",
        f"{path}, row 4, field hash_ids: has 1 for 600 input tokens; blocks of 512 rounded up make 2; "
        "blocks of 512 rounded down would fit",
        "3 rows cannot be read; --skip-bad-rows would leave them out",
    )


def test_beyond_the_limit_rows_are_counted(mooncake: Callable[..., Path]) -> None:
    found = validate(mooncake({}, *({"timestamp": -row} for row in range(1, 51))))
    assert len(found.problems) == 21
    assert "row 21" in found.problems[19]
    assert found.problems[20] == "50 rows cannot be read, 30 of them not listed; --skip-bad-rows would leave them out"


def test_rows_are_named_where_none_is_good(mooncake: Callable[..., Path]) -> None:
    path = mooncake({"timestamp": -1}, {"input_length": ...})
    found = validate(path)
    assert found.rows == 0
    assert [problem.partition(":")[0] for problem in found.problems] == [
        f"{path}, row 1, field timestamp",
        f"{path}, row 2, field input_length",
        str(path),
    ]


def test_rows_in_several_files_are_named_with_their_file(tmp_path: Path) -> None:
    good = {"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [0]}
    for name in ("a", "b"):
        rows = [good, good | {"timestamp": -1}]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = validate(tmp_path)
    assert [problem.partition(":")[0] for problem in found.problems[:2]] == [
        f"{tmp_path}/{name}.jsonl, row 2, field timestamp" for name in ("a", "b")
    ]


def test_a_row_before_what_it_waits_for_is_named(build: Any) -> None:
    trace = build([0, 10, 20, 30], session_id=["a", "a", "b", "b"])
    waiting = replace(trace, table=with_column(trace.table, "also_after", [None, [2], None, [0, 1]]))
    assert problems_of(waiting) == ["t, row 2, field arrival_ns: 10 ns lies before another request that it waits for"]


def test_what_is_wrong_with_rows_that_were_read(build: Any) -> None:
    trace = build([0, 10, 20, 30], input_tokens=[600] * 4, block_ids=[[0, 1]] * 4, think_ns=[None, 5, 5, 5])
    changes = {"arrival_ns": [0, 10, 5, 3], "think_ns": [None, -5, 5, 5], "block_ids": [[0, 1], [0], [0, 1], [0, 1]]}
    table = trace.table
    for name, values in changes.items():
        place = TRACE_SCHEMA.get_field_index(name)
        table = table.set_column(place, TRACE_SCHEMA.field(name), pa.array(values, TRACE_SCHEMA.field(name).type))
    assert problems_of(trace) == []
    assert problems_of(replace(trace, table=table)) == [
        "t, row 3, field arrival_ns: 5 ns lies before the row above, 10 ns; rows belong in order",
        "t, row 4, field arrival_ns: 3 ns lies before the row above, 5 ns; rows belong in order",
        "t, row 2, field think_ns: -5 ns is negative; 0 or more belong there, or null",
        "t, row 2, field block_ids: has 1 for 600 input tokens; blocks of 512 rounded up make 2; "
        "blocks of 512 rounded down would fit",
    ]
