"""Errors about files that cannot be read name the file, row and field, and say what would be right."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokentape.traces import TraceError, read

Put = Callable[..., Path]
Write = Callable[[bytes | str], Path]

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,GPT-4,472,18,490,API log\n"
GOOD = '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [0]}\n'


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], "has damaged or cut-off gzip data"),
        (b"\x28\xb5\x2f\xfd....", "has damaged or cut-off compressed data"),
        (b"PK\x03\x04....", "is compressed with zip"),
        (b"\x7fELF\x00\x01\x02", "is a binary file"),
        (GOOD.encode("utf-16"), "is a binary file"),
        (b"PAR1\x00\x00 no parquet at all PAR1", "is not a whole Parquet file"),
        (b"\n\n   \n", "is not a known trace format: it begins with"),
        (
            b'{"a": 1, "b": 2}\n',
            "is not a known trace format: its keys are 'a, b'. Run `tokentape trace formats` for all formats, or name",
        ),
        (b"[1, 2]", "is not a known trace format"),
        (b"ts;in;out\n1;2;3\n", "it begins with 'ts;in;out'"),
        (b"ts,in,out\n1,2,3\n", "its columns are 'ts, in, out'. Run `tokentape trace formats`"),
    ],
)
def test_files_that_are_no_trace(write: Write, data: bytes, problem: str) -> None:
    path = write(data)
    with pytest.raises(TraceError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
    assert caught.value.row is None


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    for path, problem in (
        (tmp_path / "absent", "there is no such file"),
        (tmp_path, "is a directory"),
        (Path("/dev/null"), "is a pipe or a device"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ):
        with pytest.raises(TraceError, match=problem):
            read(path)


def test_a_format_that_does_not_exist_or_does_not_fit(mooncake: Put, write: Write) -> None:
    with pytest.raises(TraceError, match=r"there is no format 'monkcake'; did you mean mooncake"):
        read(mooncake({}), format="monkcake")
    with pytest.raises(TraceError, match="the header has no column 'TIMESTAMP'"):
        read(mooncake({}), format="azure")
    with pytest.raises(TraceError, match="row 1: is not JSON"):
        read(write(AZURE), format="mooncake")
    assert read(mooncake({}), format="mooncake").format == "mooncake"


@pytest.mark.parametrize(
    ("bad", "field", "problem"),
    [
        (
            {"timestamp": ...},
            "timestamp",
            "is missing; the row has the keys 'input_length, output_length, hash_ids', and a file holds one format",
        ),
        ({"timestamp": -1}, "timestamp", "-1 is negative; milliseconds from 0 up belong there"),
        ({"timestamp": "12"}, "timestamp", "'12' is not a number; a number of milliseconds belongs there"),
        ({"timestamp": True}, "timestamp", "True is not a number"),
        ({"timestamp": None}, "timestamp", "null is not a number"),
        ({"timestamp": float("nan")}, "timestamp", "nan is not a finite number"),
        ({"timestamp": float("inf")}, "timestamp", "inf is not a finite number"),
        (
            {"timestamp": 1_760_587_801_647_311},
            "timestamp",
            "is over 100 years in milliseconds, the unit of this",
        ),
        ({"timestamp": 10**100}, "timestamp", "an integer of more than 60 digits is over 100 years"),
        ({"timestamp": 1e308}, "timestamp", "1E+308 is over 100 years"),
        ({"input_length": ...}, "input_length", "is missing"),
        ({"input_length": -5}, "input_length", "-5 is negative; a whole number of tokens belongs there"),
        ({"input_length": 2.5}, "input_length", "2.5 is not whole"),
        ({"input_length": [600]}, "input_length", "[600] is not a number"),
        ({"input_length": 100_000_001}, "input_length", "is over 100 million tokens"),
        ({"output_length": ...}, "output_length", "is missing"),
        ({"output_length": "x" * 500}, "output_length", "xxx... is not a number"),
        ({"output_length": False}, "output_length", "False is not a number"),
        ({"hash_ids": ...}, "hash_ids", "is missing, and other rows have it"),
        ({"hash_ids": {"0": 1}}, "hash_ids", "is not a list of block ids"),
        ({"hash_ids": [0, "1"]}, "hash_ids", "entry 2, '1', is not a whole number"),
        ({"hash_ids": [True, 1]}, "hash_ids", "entry 1, True, is not a whole number"),
        (
            {"input_length": 1000, "hash_ids": [0]},
            "hash_ids",
            "has 1 for 1,000 input tokens; blocks of 512 rounded up make 2; blocks of 512 rounded down would",
        ),
        ({"input_length": 600, "hash_ids": list(range(38))}, "hash_ids", "blocks of 16 rounded up would fit"),
        (
            {"input_length": 600, "hash_ids": list(range(9))},
            "hash_ids",
            "blocks of 64 rounded down would fit",
        ),
        ({"hash_ids": list(range(7))}, "hash_ids", "no usual block size would fit"),
        ({"session_id": 1.5}, "session_id", "1.5 is not a name or a whole number"),
        ({"session_id": "\x07"}, "session_id", "holds unprintable characters"),
        ({"delay": -3}, "delay", "-3 is negative"),
    ],
)
def test_bad_rows_of_mooncake(mooncake: Put, bad: dict[str, Any], field: str, problem: str) -> None:
    path = mooncake({}, bad, {})
    with pytest.raises(TraceError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}, row 2, field {field}: ")
    assert problem in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300
    trace = read(path, skip_bad_rows=True)
    assert trace.skipped_rows == 1
    assert trace.table["source_row"].to_pylist() == [1, 3]
    assert trace.notes[0].startswith(f"1 bad row was skipped; the first: row 2, field {field}: ")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"[1, 2]", "is not a JSON object"),
        (b"12", "12 is not a JSON object"),
        (b'{"timestamp": 0,}', "is not JSON"),
        (b'{"timestamp": 1e99999999999999999999}', "holds a number that is out of all bounds"),
        (b'{"timestamp": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"timestamp": "\xff"}', "is not UTF-8 text"),
    ],
)
def test_lines_that_are_no_record(write: Write, line: bytes, problem: str) -> None:
    path = write(GOOD.encode() + line + b"\n" + GOOD.encode())
    with pytest.raises(TraceError) as caught:
        read(path)
    assert (caught.value.row, caught.value.field) == (2, None)
    assert problem in caught.value.problem
    assert read(path, skip_bad_rows=True).table["source_row"].to_pylist() == [1, 3]


def test_a_last_line_cut_anywhere_is_left_out_and_said(write: Write) -> None:
    whole = (
        '{"timestamp": 1.5, "input_length": 600, "output_length": 5, "hash_ids": [0, 1], "text_input": "\\u00fc\\"ü"}'
    )
    for length in range(1, len(whole.encode())):
        trace = read(write(GOOD.encode() + whole.encode()[:length]))
        assert (len(trace), trace.skipped_rows) == (1, 1)
        assert trace.notes == ("the last line, row 2, is cut off at the end of the file and was left out",)
    assert len(read(write(GOOD + whole))) == 2


def test_a_bad_last_line_that_is_not_cut_is_an_error(write: Write) -> None:
    for line in ("nonsense", '{"timestamp": oops}', '{"timestamp": 1}', GOOD.strip() + "}"):
        with pytest.raises(TraceError, match="row 2"):
            read(write(GOOD + line))


@pytest.mark.parametrize(
    ("text", "line", "field", "problem"),
    [
        (AZURE, "yesterday,1,2", "TIMESTAMP", "'yesterday' is not a date and time; a time like 2023-11-16"),
        (AZURE, "2023-02-30 00:00:00,1,2", "TIMESTAMP", "day is out of range for month"),
        (AZURE, "1900-01-01 00:00:00,1,2", "TIMESTAMP", "lies outside the years 1970 to 2261"),
        (AZURE, "2200-01-01 00:00:00,1,2", "TIMESTAMP", "is over 100 years from the first row's"),
        (AZURE, "2023-11-16 18:17:03,,2", "ContextTokens", "is empty"),
        (AZURE, "2023-11-16 18:17:03,x,2", "ContextTokens", "'x' is not a whole number"),
        (
            AZURE,
            '2023-11-16 18:17:03,"4,808",2',
            "ContextTokens",
            "'4,808' is not a whole number. Remove the thousands separators, or name another column with --map",
        ),
        (AZURE, "2023-11-16 18:17:03,1,-2", "GeneratedTokens", "-2 is negative"),
        (AZURE, "2023-11-16 18:17:03,1,0.5", "GeneratedTokens", "0.5 is not whole"),
        (AZURE, "2023-11-16 18:17:03,1,nan", "GeneratedTokens", "'nan' is not a whole number"),
        (AZURE, "2023-11-16 18:17:03,1,200000000", "GeneratedTokens", "is over 100 million tokens"),
        (AZURE, "2023-11-16 18:17:03,1", None, "has 2 fields where the header has 3"),
        (AZURE, '"2023-11-16,1,2', None, "has 1 fields where the header has 3"),
        (BURST, "-1,GPT-4,1,2,3,API log", "Timestamp", "-1 is negative; seconds from 0 up belong there"),
        (BURST, "inf,GPT-4,1,2,3,API log", "Timestamp", "'inf' is not a number"),
        (BURST, "4000000000,GPT-4,1,2,3,API log", "Timestamp", "is over 100 years in seconds"),
        (BURST, "1,GPT-4,true,2,3,API log", "Request tokens", "'true' is not a whole number"),
        (BURST, "1,GPT-4,1,,3,API log", "Response tokens", "is empty"),
    ],
)
def test_bad_rows_of_csv(write: Write, text: str, line: str, field: str | None, problem: str) -> None:
    path = write(f"{text}{line}\n{text.splitlines()[1]}\n")
    with pytest.raises(TraceError) as caught:
        read(path)
    assert (caught.value.row, caught.value.field) == (2, field)
    assert str(caught.value).startswith(f"{path}, row 2: " if field is None else f"{path}, row 2, column {field}: ")
    assert problem in caught.value.problem
    trace = read(path, skip_bad_rows=True)
    assert (trace.skipped_rows, trace.table["source_row"].to_pylist()) == (1, [1, 3])


def test_a_line_of_csv_that_is_no_text_spoils_itself_alone(write: Write) -> None:
    path = write(AZURE.encode() + b"\xff\xfe,1,2\n" + AZURE.encode().splitlines()[1])
    with pytest.raises(TraceError, match="row 2: is not UTF-8 text"):
        read(path)
    assert len(read(path, skip_bad_rows=True)) == 2


def test_a_header_with_a_column_twice(write: Write) -> None:
    with pytest.raises(TraceError, match="has the column 'ContextTokens' more than once"):
        read(write("TIMESTAMP,ContextTokens,ContextTokens,GeneratedTokens\n"))


def test_a_file_of_bad_rows_is_an_error_even_when_they_may_be_skipped(mooncake: Put, write: Write) -> None:
    with pytest.raises(TraceError, match="row 1, field timestamp: none of its 2 rows can be read; the first: -1 is"):
        read(mooncake({"timestamp": -1}, {"timestamp": -2}), skip_bad_rows=True)
    with pytest.raises(TraceError, match="row 1, column ContextTokens: none of its 1 rows can be read"):
        read(write(AZURE.replace("4808", "many")), skip_bad_rows=True)
