"""Azure's and BurstGPT's CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces import TraceError, read
from tokentape.traces.readers import azure, burstgpt
from tokentape.traces.reading.field_checks import BadRows

Write = Callable[[bytes | str], Path]

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
V1 = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
V12 = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"


@pytest.mark.parametrize(
    ("stamps", "gap_ns"),
    [
        (("2023-11-16 18:17:03.9799600", "2023-11-16 18:17:04.0319601"), 52_000_100),
        (("2024-05-10 00:00:00.000001+00:00", "2024-05-10 00:00:00.0000011+00:00"), 100),
        (("2024-05-10T00:00:00Z", "2024-05-10T00:00:01.5Z"), 1_500_000_000),
        (("2024-05-10 02:00:00 +02:00", "2024-05-09 23:00:00.000000001-0100"), 1),
        (("2024-12-31 23:59:59.9999999", "2025-01-01 00:00:00"), 100),
    ],
)
def test_azure_stamps(write: Write, stamps: tuple[str, str], gap_ns: int) -> None:
    trace = read(write(AZURE + f"{stamps[0]},4808,10\r\n{stamps[1]},3180,8"))
    assert trace.table["arrival_ns"].to_pylist() == [0, gap_ns]
    assert trace.table["input_tokens"].to_pylist() == [4808, 3180]
    assert trace.table["output_tokens"].to_pylist() == [10, 8]
    assert trace.table["block_ids"].null_count == 2
    assert trace.format == "azure"


def test_azure_columns_are_taken_by_name_and_images_are_said(write: Write) -> None:
    header = "NumImages,GeneratedTokens,ContextTokens,TIMESTAMP\n"
    trace = read(write(header + "0,1,20,2025-01-01 00:00:00\n2,3,40,2025-01-01 00:00:01\n"))
    assert trace.table["input_tokens"].to_pylist() == [20, 40]
    assert trace.notes == ("1 row had images, which are not replayed",)


def test_burstgpt_version_1(write: Write) -> None:
    trace = read(write(V1 + "5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,0,1087,API log\n"))
    assert trace.format == "burstgpt"
    assert trace.table["arrival_ns"].to_pylist() == [0, 40_000_000_000]
    assert trace.table["model"].to_pylist() == ["ChatGPT", "GPT-4"]
    assert trace.table["output_tokens"].to_pylist() == [18, 0]
    assert trace.table["session_id"].null_count == 2
    assert trace.notes == ("1 row asks for 0 output tokens",)


def test_burstgpt_version_1_2_has_sessions(write: Write) -> None:
    lines = ("1.5,s1,3,GPT-4,10,2,12,log", "2,,1,GPT-4,10,2,12,log", "9,s1,3,GPT-4,30,2,32,log")
    trace = read(write(V12 + "\n".join(lines)))
    table = trace.table.select(["session_id", "turn", "parent", "think_ns"])
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("s1", 0, None, None),
        (None, 0, None, None),
        ("s1", 1, 0, 4_500_000_000),
    ]


@pytest.mark.parametrize("total", ["2", "x"], ids=["the quick way", "the careful way"])
def test_burstgpt_tells_think_times_from_what_answers_took(write: Write, total: str) -> None:
    lines = [
        "20,a,,GPT-4,10,2,12,log",  # after an answer at 16
        "0,a,10,GPT-4,10,2,12,log",
        "14,a,2,GPT-4,10,2,12,log",
        "30,a,0,GPT-4,10,2,12,log",  # nobody knows how long the answer before took
        "5,b,9,GPT-4,10,2,12,log",
        "7,b,1,GPT-4,10,2,12,log",  # before that answer was there
    ]
    bad = [] if total == "2" else ["8,b,1,GPT-4,x,2,12,log"]
    trace = read(write(V12 + "\n".join(lines + bad)), skip_bad_rows=True)
    assert trace.table["think_ns"].to_pylist() == [None, None, 0, 4 * 10**9, 4 * 10**9, None]
    assert trace.table["parent"].to_pylist() == [None, None, 1, 0, 3, 4]


def test_burstgpt_refuses_an_elapsed_time_that_is_none(write: Write) -> None:
    with pytest.raises(TraceError, match=r"row 2, column Elapsed time: -1 is negative"):
        read(write(V12 + "0,a,1,GPT-4,10,2,12,log\n1,a,-1,GPT-4,10,2,12,log\n"))


def test_burstgpt_says_that_its_timestamps_are_whole_seconds(write: Write) -> None:
    stamps = [second for second in range(0, 60, 2) for _ in range(1 + second % 3)] + list(range(60, 90))
    trace = read(write(V1 + "".join(f"{s},GPT-4,10,2,12,API log\n" for s in stamps)))
    assert any(note.startswith("timestamps are quantised to 1 s") for note in trace.notes)


numbers = st.one_of(
    st.integers(-2, 2 * 10**8).map(str),
    st.floats().map(str),
    st.sampled_from(["", " 5", "+5", "0x10", "1e3", "5.0", ".5", "5.", "-0", "NaN", "1_0", "true", '"7"', "١"]),
)
seconds = st.one_of(numbers, st.decimals(allow_nan=False, allow_infinity=False, places=10).map(str))
zones = st.sampled_from(["", "Z", "+00:00", "-01:30", "+23:59", "+24:00", "-99:99", "+0000", "+00", " +00:00", "z"])
stamps = st.one_of(
    st.tuples(st.datetimes(), zones).map(lambda pair: f"{pair[0]}{pair[1]}"),
    st.tuples(st.sampled_from(["2023-11-16 18:17:03.9799600", "1970-01-01 00:00:00"]), zones).map("".join),
    st.sampled_from(["2023-11-16", "2023-02-30 00:00:00", "2300-01-01 00:00:00", "2023-11-16 24:00:00"]),
)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(stamps, numbers, numbers), min_size=1, max_size=3))
def test_azure_the_quick_way_takes_nothing_that_the_careful_way_refuses(
    rows: list[tuple[str, str, str]],
) -> None:
    names = list(azure._NEEDED)
    body = "\n".join(map(",".join, rows)).encode()
    quick = azure._plain(names, body)
    if quick is not None:
        careful = azure._careful(names, body, BadRows("f", skip=False))
        assert all(np.array_equal(one, other) for one, other in zip(quick, careful, strict=True))


@settings(deadline=None)
@given(rows=st.lists(st.tuples(seconds, numbers, numbers), min_size=1, max_size=3))
def test_burstgpt_the_quick_way_takes_nothing_that_the_careful_way_refuses(
    rows: list[tuple[str, str, str]],
) -> None:
    names = ["Timestamp", "Request tokens", "Response tokens", "Model"]
    body = "\n".join(f"{','.join(row)},GPT-4" for row in rows).encode()
    quick = burstgpt._plain(names, body)
    if quick is not None:
        careful = burstgpt._careful(names, body, BadRows("f", skip=False))
        for one, other in zip(quick[:4], careful[:4], strict=True):
            assert one.tolist() == other.tolist()


def test_a_header_without_records_is_refused(write: Write) -> None:
    for header in (AZURE, V1, V12):
        with pytest.raises(TraceError, match="has a header and no records"):
            read(write(header))
