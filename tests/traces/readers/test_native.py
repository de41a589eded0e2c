"""Tokentape's own Parquet: a written trace is read back unchanged, and damage is reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tokentape.traces import TraceError, read
from tokentape.traces.graph.sessions import check_parents
from tokentape.traces.readers.native import write_native
from tokentape.traces.table import TRACE_SCHEMA, Trace, table_digest
from tokentape.traces.transform import speed
from tokentape.traces.transform.derive import with_column

Put = Callable[..., Path]


def test_a_trace_comes_back_whole(mooncake: Put, tmp_path: Path) -> None:
    rows = [{"timestamp": 5 * i, "session_id": "s", "delay": i, "hash_ids": [0, i + 1]} for i in range(9)]
    trace = speed(read(mooncake({"output_length": 0}, *rows, {"input_length": -1}), skip_bad_rows=True), 2)
    path = tmp_path / "named.anything"
    write_native(trace, path)
    back = read(path)
    assert back.table.equals(trace.table)
    assert back.table.schema == TRACE_SCHEMA
    assert table_digest(back.table) == trace.digest
    for name in ("format", "block_tokens", "block_rounding", "notes", "transforms", "skipped_rows"):
        assert getattr(back, name) == getattr(trace, name)
    assert back.source == str(path)
    assert back.transforms == ("speed(2)",)
    assert back.skipped_rows == 1


def test_a_whole_mooncake_file_shrinks_to_a_tenth(shared: Callable[[str], Path], tmp_path: Path) -> None:
    source = shared("traces/mooncake/conversation_trace.jsonl")
    trace = read(source)
    write_native(trace, tmp_path / "t")
    assert read(tmp_path / "t").table.equals(trace.table)
    assert (tmp_path / "t").stat().st_size < source.stat().st_size / 10
    columns = parquet.ParquetFile(tmp_path / "t").metadata.row_group(0)
    chunk = {columns.column(i).path_in_schema: columns.column(i) for i in range(columns.num_columns)}
    for name in ("arrival_ns", "input_tokens", "block_ids.list.element"):
        assert "DELTA_BINARY_PACKED" in chunk[name].encodings
        assert chunk[name].compression == "ZSTD"


def test_a_place_that_cannot_be_written(mooncake: Put, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="absent/t: cannot be written"):
        write_native(read(mooncake({})), tmp_path / "absent" / "t")


def _change(column: str, values: list[Any]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        field = TRACE_SCHEMA.field(column)
        return table.set_column(TRACE_SCHEMA.get_field_index(column), field, pa.array(values, field.type))

    return change


def _about(old: bytes, new: bytes) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        metadata = {key: value.replace(old, new) for key, value in (table.schema.metadata or {}).items()}
        return table.replace_schema_metadata(metadata)

    return change


def test_what_is_waited_for_comes_back(build: Callable[..., Trace], tmp_path: Path) -> None:
    trace = build([0, 10, 20, 30], session_id=["a"] * 4, also_after=[None, None, [0], [1, 0]])
    write_native(trace, tmp_path / "t")
    back = read(tmp_path / "t")
    assert back.table.equals(trace.table)
    assert back.table["also_after"].to_pylist() == [None, None, [0], [1, 0]]


def test_a_file_from_before_a_column_is_read(mooncake: Put, tmp_path: Path) -> None:
    path = tmp_path / "t"
    write_native(read(mooncake({}, {})), path)
    parquet.write_table(parquet.ParquetFile(path).read().drop_columns(["also_after"]), path)
    assert read(path).table["also_after"].to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("further", "row"), [([None, [0, 3], None, None, None], 2), ([None, [0], [4], None, [3, 2]], 3)]
)
def test_a_circle_through_further_waits_is_refused(build: Callable[..., Trace], further: list[Any], row: int) -> None:
    trace = build([0] * 5, session_id=["a"] * 5)
    table = with_column(trace.table, "also_after", further)
    with pytest.raises(TraceError, match=f"row {row}, field also_after: waits for itself.* 'a' has a cycle"):
        check_parents("t", table)
    check_parents("t", with_column(trace.table, "also_after", [None, [0], None, [1, 0], [2]]))
    unordered = with_column(trace.table, "parent", [1, None, 1, 0, None])
    check_parents("t", with_column(unordered, "also_after", [[4], None, [3, 0], [1], None]))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda table: table.replace_schema_metadata(None), "no trace that Tokentape wrote"),
        (lambda table: table.drop_columns(["turn"]), "has other columns than a trace"),
        (lambda table: table.slice(0, 0), "holds no rows"),
        (_change("arrival_ns", [5, 3]), "row 2, column arrival_ns: lies before the row above"),
        (_change("arrival_ns", [-5, 3]), "row 1, column arrival_ns: is negative"),
        (_change("input_tokens", [5, -3]), "row 2, column input_tokens: is negative"),
        (
            _change("output_tokens", [5, 2**31 - 1]),
            "row 2, column output_tokens: is over 100 million tokens",
        ),
        (_change("block_ids", [[1], [-1]]), "column block_ids: has a null or negative id"),
        (_change("block_ids", [[1], [None]]), "column block_ids: has a null or negative id"),
        (_change("parent", [1, 0]), "row 1, field parent: follows itself, through the rows it follows"),
        (_change("parent", [None, 2]), "row 2, field parent: follows row 3 of a trace of 2"),
        (_change("parent", [-1, None]), "row 1, field parent: follows row 0 of a trace of 2"),
        (_change("also_after", [None, [0]]), "row 2, field also_after: waits for further rows, and follows none"),
        (_change("also_after", [None, [-1]]), "column also_after: has a null or negative id"),
        (_change("also_after", [[None], None]), "column also_after: has a null or negative id"),
        (_change("also_after", [None, [2]]), "row 2, field also_after: waits for a row that the trace does not have"),
        (_change("think_ns", [None, -1]), "row 2, column think_ns: is negative"),
        (_about(b'"version":2', b'"version":1'), "is a trace of version 1; this program reads version 2"),
        (_about(b'"version":2', b'"version":"2"'), "has damaged metadata"),
        (_about(b'"block_tokens":512', b'"block_tokens":null'), "has block ids and no block size"),
    ],
)
def test_damage(mooncake: Put, tmp_path: Path, change: Callable[[pa.Table], pa.Table], problem: str) -> None:
    path = tmp_path / "t"
    write_native(read(mooncake({}, {})), path)
    parquet.write_table(change(parquet.ParquetFile(path).read()), path)
    with pytest.raises(TraceError) as caught:
        read(path)
    assert problem in str(caught.value)


def test_a_file_cut_anywhere(mooncake: Put, tmp_path: Path) -> None:
    path = tmp_path / "t"
    write_native(read(mooncake({}, {})), path)
    data = path.read_bytes()
    for length in range(4, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(TraceError):
            read(path)
