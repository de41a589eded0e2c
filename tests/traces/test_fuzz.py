"""Whatever the bytes are, a reader gives a sound trace or a TraceError."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces import TraceError, read
from tokentape.traces.detect import READERS
from tokentape.traces.readers.native import write_native
from tokentape.traces.sample import generate
from tokentape.traces.sessions import check_parents
from tokentape.traces.table import TRACE_SCHEMA

FORMATS = [reader.NAME for reader in READERS]
FIELDS = ["timestamp", "input_length", "output_length", "hash_ids", "session_id", "delay", "text_input"]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def check(folder: Path, data: bytes) -> None:
    path = folder / "fuzzed"
    path.write_bytes(data)
    for format in (None, *FORMATS):
        for skip in (False, True):
            try:
                trace = read(path, format=format, skip_bad_rows=skip)
            except TraceError as error:
                assert str(error).startswith(str(path))
                continue
            assert trace.table.schema == TRACE_SCHEMA
            arrival = trace.table["arrival_ns"].to_numpy()
            assert len(trace) > 0
            assert arrival[0] >= 0
            assert (np.diff(arrival) >= 0).all()
            assert trace.table["input_tokens"].to_numpy().min() >= 0
            assert skip or trace.skipped_rows <= 1  # a last line cut off
            check_parents(str(path), trace.table)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.integers(-1, 2000),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
rows = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(FIELDS, values) | {"hash_ids": st.lists(st.integers(), max_size=4)}
)


@settings(deadline=None)
@given(records=st.lists(rows, max_size=5))
def test_json_of_any_values(folder: Path, records: list[dict[str, Any]]) -> None:
    check(folder, "\n".join(map(json.dumps, records)).encode(errors="replace"))


@settings(deadline=None)
@given(
    header=st.sampled_from(
        [
            "TIMESTAMP,ContextTokens,GeneratedTokens",
            "TIMESTAMP,ContextTokens,GeneratedTokens,NumImages",
            "Timestamp,Model,Request tokens,Response tokens",
            "Timestamp,Session ID,Model,Request tokens,Response tokens",
        ]
    ),
    lines=st.lists(
        st.lists(
            st.text(max_size=6)
            | st.integers().map(str)
            | st.floats().map(str)
            | st.datetimes().map(str)
            | st.sampled_from(["2023-11-16 18:17:03.9799600+24:00", "2023-11-16 18:17:03+99:99", '"', "1e999999"]),
            min_size=3,
            max_size=5,
        ),
        max_size=4,
    ),
)
def test_csv_of_any_fields(folder: Path, header: str, lines: list[list[str]]) -> None:
    check(folder, "\n".join([header, *map(",".join, lines)]).encode())


@settings(deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes(folder: Path, data: bytes) -> None:
    check(folder, data)


GOOD = {
    "mooncake": b"\n".join(generate().split(b"\n")[:4]),
    "azure": b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n" * 2,
    "burstgpt": b"Timestamp,Model,Request tokens,Response tokens\n5,GPT-4,472,18\n6.5,GPT-4,472,18\n",
}


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(sorted(GOOD)),
    at=st.floats(0, 1, exclude_max=True),
    cut=st.integers(0, 3),
    put=st.binary(max_size=3) | st.sampled_from([b"-", b".", b"e", b'"', b"9" * 30, b"\n", b",", b"null", b"["]),
)
def test_good_files_with_one_place_changed(folder: Path, name: str, at: float, cut: int, put: bytes) -> None:
    good = GOOD[name]
    place = int(at * len(good))
    check(folder, good[:place] + put + good[place + cut :])


@settings(deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_parquet_with_one_byte_changed(folder: Path, at: float, byte: int) -> None:
    path = folder / "native"
    if not path.exists():
        source = folder / "source"
        source.write_bytes(GOOD["mooncake"])
        write_native(read(source), path)
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] = byte
    check(folder, bytes(data))
