"""For any bytes, a reader returns a sound trace or raises TraceError."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tokentape.traces import TraceError, read
from tokentape.traces.detect import READERS
from tokentape.traces.graph.sessions import check_parents
from tokentape.traces.readers.native import write_native
from tokentape.traces.sample import generate
from tokentape.traces.table import TRACE_SCHEMA

FORMATS = [reader.NAME for reader in READERS]
FIELDS = ["timestamp", "input_length", "output_length", "hash_ids", "session_id", "delay", "text_input"]
FIELDS += ["chat_id", "parent_chat_id", "requests", "prompt", "Output Length", "input", "output", "payload", "messages"]
FIELDS += ["arrival_time", "prompt_len", "output_len", "t", "in", "out", "id", "block_size", "type", "api_time"]


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
    check(folder, json.dumps(records, indent=1).encode(errors="replace"))


@settings(deadline=None)
@given(
    header=st.sampled_from(
        [
            "TIMESTAMP,ContextTokens,GeneratedTokens",
            "TIMESTAMP,ContextTokens,GeneratedTokens,NumImages",
            "Timestamp,Model,Request tokens,Response tokens",
            "Timestamp,Session ID,Model,Request tokens,Response tokens",
            "session_id,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms",
            "arrival_time,prompt_len,output_len",
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


def weka(*requests: Any) -> dict[str, Any]:
    return {"id": "s", "block_size": 64, "hash_id_scope": "local", "requests": list(requests)}


WEKA = {"t": 1.5, "type": "n", "in": 64, "out": 2, "hash_ids": [1], "api_time": 0.5, "think_time": None}


@settings(deadline=None)
@given(
    requests=st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(["t", "in", "out", "hash_ids", "requests"], values))
        | st.just(WEKA)
        | st.just({"type": "subagent", "requests": [WEKA, {"type": "subagent", "t": 1, "requests": [WEKA]}]}),
        max_size=4,
    ),
    more=st.dictionaries(st.sampled_from(["id", "block_size", "hash_id_scope", "requests"]), values, max_size=1),
)
def test_sessions_of_any_values(folder: Path, requests: list[Any], more: dict[str, Any]) -> None:
    check(folder, json.dumps({**weka(*requests), **more}).encode(errors="replace"))


@settings(deadline=None)
@given(links=st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 6), st.integers(0, 9)), max_size=8))
def test_chats_that_follow_anything(folder: Path, links: list[tuple[int, int, int]]) -> None:
    keys = ("chat_id", "parent_chat_id", "timestamp")
    more = {"input_length": 5, "output_length": 1, "hash_ids": [1]}
    check(folder, "\n".join(json.dumps({**dict(zip(keys, link, strict=True)), **more}) for link in links).encode())


COLUMNS = ["trace_id", "t_s", "input_length", "output_length", "hash_ids", "agent_path", "api_time_s"]
COLUMNS += ["timestamp_start_unix_ms", "input_tokens", "output_tokens", "total_hashes", "block_size", "duration_e2e_ms"]
cells = st.sampled_from(
    [
        [1, 2],
        [64, 0],
        [None, 3],
        [1.5, float("nan")],
        [-1, 10**15],
        ["a", "b"],
        ["a", None],
        [[1], [2]],
        [[1], None],
        [["x"], ["y", "x"]],
        [b"\xff", b"x"],
        [True, False],
        [{"a": 1}, None],
        [[-1], [None]],
        [[2**40], []],
    ]
)


@settings(deadline=None)
@given(
    columns=st.one_of(
        st.fixed_dictionaries(dict.fromkeys(COLUMNS[:7], cells)),
        st.fixed_dictionaries(dict.fromkeys(COLUMNS[7:], cells)),
        st.fixed_dictionaries(dict.fromkeys(["arrival_time", "prompt_len", "output_len", "session_id"], cells)),
        st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, cells)),
    )
)
def test_parquet_of_any_columns(folder: Path, columns: dict[str, list[Any]]) -> None:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    check(folder, sink.getvalue())


GOOD = {
    "mooncake": b"\n".join(generate().split(b"\n")[:4]),
    "azure": b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n" * 2,
    "burstgpt": b"Timestamp,Model,Request tokens,Response tokens\n5,GPT-4,472,18\n6.5,GPT-4,472,18\n",
    "weka": json.dumps(weka(WEKA, {"type": "subagent", "t": 2, "requests": [WEKA]}, WEKA)).encode(),
    "bailian": b'{"chat_id": 1, "parent_chat_id": -1, "timestamp": 0.5, "input_length": 5, "output_length": 1, '
    b'"hash_ids": [1]}\n{"chat_id": 2, "parent_chat_id": 1, "timestamp": 1.5, "input_length": 5, "output_length": 1, '
    b'"hash_ids": [1]}\n',
    "aibrix": b'{"timestamp": 21, "requests": [{"Prompt Length": 9, "Output Length": 2, "prompt": "a"}]}\n' * 2,
    "lmcache": b'{"timestamp": 1760587752017385, "input": "a", "output": "b", "session_id": "c"}\n' * 2,
    "tracelab": b"session_id,arrival_time,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms\n"
    b"0,5,0,0,64,4,1.5\n0,5,1,64,9,4,0\n",
    "vllm": b"arrival_time,prompt_len,output_len\n1.5,7,8\n2.5,9,10\n",
    "gzip": gzip.compress(b"arrival_time,prompt_len,output_len\n1.5,7,8\n"),
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
@example(at=1657.5 / 4381, byte=24)  # in the footer, where Arrow once ended the process
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
