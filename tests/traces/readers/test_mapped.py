"""Files of no known format, by the names of their columns; and vLLM's names, which are known."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tokentape.traces import TraceError, read

Write = Callable[[bytes | str], Path]

MAP = "timestamp=ts:ms,input_tokens=n_in,output_tokens=n_out"
MORE = MAP + ",session_id=who,text=q,think=pause:s,duration=took:us,block_ids=ids:64floor,model=m"


def test_csv(write: Write) -> None:
    path = write('ts,n_in,n_out,who,q,pause,took,ids,m\n5.5,130,3,a,"x, y",,2000,"[1, 2]",big\n9,64,4,a,z,0.25,,1,\n')
    trace = read(path, mapping=MORE)
    assert (trace.format, trace.block_tokens, trace.block_rounding) == ("mapped", 64, "floor")
    assert trace.table.drop_columns(["token_ids", "body", "path", "headers", "turn", "source_row"]).to_pylist() == [
        {
            "arrival_ns": 0,
            "input_tokens": 130,
            "output_tokens": 3,
            "block_ids": [1, 2],
            "session_id": "a",
            "parent": None,
            "also_after": None,
            "think_ns": None,
            "model": "big",
            "text": "x, y",
        },
        {
            "arrival_ns": 3_500_000,
            "input_tokens": 64,
            "output_tokens": 4,
            "block_ids": [1],
            "session_id": "a",
            "parent": 0,
            "also_after": None,
            "think_ns": 250_000_000,
            "model": None,
            "text": "z",
        },
    ]


def test_jsonl_and_parquet_and_csv_agree(write: Write, tmp_path: Path) -> None:
    csv = read(write("ts,n_in,n_out\n1760000000000,5,6\n1760000000001.5,7,8\n"), mapping=MAP)
    lines = '{"ts": 1760000000000, "n_in": 5, "n_out": 6}\n{"ts": 1760000000001.5, "n_in": 7, "n_out": 8}\n'
    jsonl = read(write(lines), mapping={"timestamp": "ts:ms", "input_tokens": "n_in", "output_tokens": "n_out"})
    columns = {"ts": [1_760_000_000_000.0, 1_760_000_000_001.5], "n_in": [5, 7], "n_out": [6, 8]}
    parquet.write_table(pa.table(columns), tmp_path / "p")
    packed = read(tmp_path / "p", mapping=MAP)
    assert csv.table.equals(jsonl.table)
    assert csv.table.equals(packed.table)


def test_dates(write: Write, tmp_path: Path) -> None:
    mapping = "timestamp=at:iso,input_tokens=i,output_tokens=o"
    trace = read(write("at,i,o\n2025-01-01T00:00:00.25Z,1,1\n2025-01-01 02:00:00.5+02:00,1,1\n"), mapping=mapping)
    assert trace.table["arrival_ns"].to_pylist() == [0, 250_000_000]
    stamps = [datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC), datetime.datetime(2025, 1, 2, tzinfo=datetime.UTC)]
    parquet.write_table(pa.table({"at": stamps, "i": [1, 1], "o": [1, 1]}), tmp_path / "p")
    assert read(tmp_path / "p", mapping=mapping).span_ns == 86_400 * 10**9


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ("timestamp=ts,input_tokens=a,output_tokens=b", "timestamp=ts without a unit; s, ms, us, ns or iso belongs"),
        ("timestamp=ts:h,input_tokens=a,output_tokens=b", "without a unit"),
        ("timestamp=ts:s", "does not say which column is output_tokens"),
        ("timestamp=ts:s,output_tokens=b", "does not say which column is input_tokens"),
        ("timestamp", "has 'timestamp', where target=column belongs"),
        ("time=ts:s", "has no 'time'; it has timestamp, input_tokens"),
        (MAP + ",block_ids=ids", "the tokens of a block belong after a colon"),
        (MAP + ",think=p:iso", "without a unit; s, ms, us, ns belongs"),
        (MAP + ",timestamp=x:s", "names timestamp twice"),
        (MAP + ",model=", "without a column"),
    ],
)
def test_mappings_that_are_wrong(write: Write, mapping: str, problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        read(write("ts,a,b\n1,2,3\n"), mapping=mapping)


@pytest.mark.parametrize(
    ("text", "field", "problem"),
    [
        ("ts,n_in\n1,2\n", "n_out", "the header has no column 'n_out'"),
        ("ts,n_in,n_out\n1,x,2\n", "n_in", "'x' is not a whole number"),
        ('{"ts": 1, "n_in": 2}\n', "n_out", "is missing; the row has the keys 'ts, n_in'"),
        ('{"ts": "1", "n_in": 2, "n_out": 1}\n', "ts", "'1' is not a number"),
    ],
)
def test_mapped_files_that_are_wrong(write: Write, text: str, field: str, problem: str) -> None:
    with pytest.raises(TraceError) as caught:
        read(write(text), mapping=MAP)
    assert caught.value.field == field
    assert problem in str(caught.value)


def test_a_mapping_and_a_format(write: Write) -> None:
    with pytest.raises(TraceError, match="the format cannot be 'azure' as well"):
        read(write("x"), mapping=MAP, format="azure")


@pytest.mark.parametrize(
    "text",
    [
        "arrival_time,prompt_len,output_len\n1.5,7,8\n2.5,9,10\n",
        '{"arrived_at": 1.5, "num_prefill_tokens": 7, "num_decode_tokens": 8}\n'
        '{"arrived_at": 2.5, "num_prefill_tokens": 9, "num_decode_tokens": 10}\n',
    ],
)
def test_vllm_style_names(write: Write, text: str) -> None:
    trace = read(write(text))
    assert (trace.format, trace.span_ns, trace.table["input_tokens"].to_pylist()) == ("vllm", 10**9, [7, 9])


def test_vllm_style_lengths_with_a_timestamp_of_no_known_unit(write: Write) -> None:
    path = write("timestamp,prompt_len,output_len\n1,7,8\n")
    with pytest.raises(TraceError, match=r"Nearest: vllm, but its column arrival_time is missing .* with --map"):
        read(path)
    with pytest.raises(TraceError, match="has no column arrival_time or arrived_at or start_time; name another"):
        read(path, format="vllm")


def test_a_column_that_parquet_lacks(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"ts": [1], "n_in": [2]}
    parquet.write_table(pa.table(columns), tmp_path / "p")
    with pytest.raises(TraceError, match="has no column 'n_out'; it has 'ts, n_in'"):
        read(tmp_path / "p", mapping=MAP)
