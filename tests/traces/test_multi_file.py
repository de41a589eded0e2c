"""Packed files, folders and patterns."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tokentape.traces import TraceError, read
from tokentape.traces.readers.native import write_native
from tokentape.traces.sample import SAMPLE

Put = Callable[..., Path]
AZURE = b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n"


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_packed_files_are_what_they_hold(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    write_native(read(SAMPLE), tmp_path / "n")
    for data in (SAMPLE.read_bytes(), AZURE, (tmp_path / "n").read_bytes()):
        (tmp_path / "plain").write_bytes(data)
        (tmp_path / "packed").write_bytes(pack(data))
        plain, packed = read(tmp_path / "plain"), read(tmp_path / "packed")
        assert packed.table.equals(plain.table)
        assert packed.format == plain.format
        assert packed.digest != plain.digest


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_packed_files_cut_anywhere(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(SAMPLE.read_bytes())
    path = tmp_path / "packed"
    for length in range(4, len(packed) - 1, len(packed) // 20):
        path.write_bytes(packed[:length])
        with pytest.raises(TraceError, match="damaged or cut-off"):
            read(path)


def row(stamp: int, session: str, ids: list[int]) -> str:
    fields: dict[str, Any] = {"timestamp": stamp, "session_id": session, "input_length": 512 * len(ids)}
    return json.dumps({**fields, "output_length": 1, "hash_ids": ids}) + "\n"


def test_a_folder_is_merged_by_arrival(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row(1000, "s", [0, 1]) + row(3000, "s", [0, 1, 2]))
    (tmp_path / "deeper").mkdir()
    other = row(2000, "t", [0]) + row(2500, "s", [0])
    (tmp_path / "deeper" / "b.jsonl.gz").write_bytes(gzip.compress(other.encode()))
    (tmp_path / "README.md").write_text("no trace")
    trace = read(tmp_path)
    columns = ["arrival_ns", "session_id", "turn", "parent", "block_ids"]
    assert [tuple(one.values()) for one in trace.table.select(columns).to_pylist()] == [
        (0, "a/s", 0, None, [0, 1]),
        (1_000_000_000, "t", 0, None, [3]),
        (1_500_000_000, "b/s", 0, None, [3]),
        (2_000_000_000, "a/s", 1, 0, [0, 1, 2]),
    ]
    assert trace.notes[0].startswith("2 files were merged by arrival")
    assert read(str(tmp_path / "*.jsonl")).table.num_rows == 2
    assert read(str(tmp_path / "**" / "*.jsonl*")).table.equals(trace.table)


def test_what_is_waited_for_is_found_among_merged_files(tmp_path: Path) -> None:
    for file, start in (("a", 0), ("b", 1)):
        spans = [
            {
                "trace_id": file,
                "span_id": str(place),
                "start_time": 1_772_000_000_000_000_000 + begin + start,
                "end_time": 1_772_000_000_000_000_000 + end + start,
                "attributes": {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": place},
            }
            for place, (begin, end) in enumerate([(0, 10), (20, 50), (30, 40), (60, 70)])
        ]
        (tmp_path / f"{file}.json").write_text(json.dumps({"spans": spans}))
    table = read(tmp_path).table
    assert table["session_id"].to_pylist() == ["a", "b"] * 4
    assert table["parent"].to_pylist() == [None, None, 0, 1, 0, 1, 2, 3]
    assert table["also_after"].to_pylist() == [None] * 6 + [[4], [5]]


def test_folders_that_are_no_trace(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"is a directory without traces; these end in \.csv"):
        read(tmp_path)
    with pytest.raises(TraceError, match="no file matches this pattern"):
        read(tmp_path / "*.csv")
    (tmp_path / "a.jsonl").write_text(row(0, "s", [0]))
    (tmp_path / "b.csv").write_bytes(AZURE)
    with pytest.raises(TraceError, match=r"b.csv: has the format azure, but .*a.jsonl has mooncake; read"):
        read(tmp_path)
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    with pytest.raises(TraceError, match=r"b.csv: is not a known trace format"):
        read(tmp_path)


def test_files_with_other_clocks(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row(0, "s", [0]))
    (tmp_path / "b.jsonl").write_text(row(1_760_000_000_000, "s", [0]))
    with pytest.raises(TraceError, match=r"counts from 1970, and .* one that counts from its own start"):
        read(tmp_path)
