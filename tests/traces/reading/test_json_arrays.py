"""JSON Lines formats as JSON arrays: the same trace, and the same numbers of rows in messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokentape.traces import TraceError, read
from tokentape.traces.reading.json_arrays import head_as_lines, lines_of_array
from tokentape.traces.table import table_digest

Write = Callable[[bytes | str], Path]

MOONCAKE = [
    {"timestamp": 5 * row, "input_length": 600, "output_length": 4, "hash_ids": [0, row]} for row in range(1, 9)
]
BATCH = [
    {"custom_id": str(row), "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}}
    for row in range(3)
]
AIBRIX = [{"timestamp": 0, "requests": [{"Prompt Length": 3, "Output Length": 2, "prompt": "a b c"}]}]
VLLM = [{"arrival_time": 0.5 * row, "prompt_len": 3, "output_len": 2} for row in range(3)]
LMCACHE = [{"timestamp": 1760587752017385, "input": "Hi [1, 2]!", "output": "Yes", "session_id": "s"}]


@pytest.mark.parametrize(
    "records", [MOONCAKE, BATCH, AIBRIX, VLLM, LMCACHE], ids=["mooncake", "batch", "aibrix", "vllm", "lmcache"]
)
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read_as_lines_are(write: Write, records: list[dict[str, Any]], indent: int | None) -> None:
    lines = read(write("\n".join(map(json.dumps, records)) + "\n"))
    array = read(write(json.dumps(records, indent=indent)))
    assert array.format == lines.format
    bodies = [[json.loads(body or b"null") for body in one.table["body"].to_pylist()] for one in (array, lines)]
    assert bodies[0] == bodies[1]  # recorded bodies keep their white space
    assert table_digest(array.table.drop_columns("body")) == table_digest(lines.table.drop_columns("body"))


def test_an_array_larger_than_a_batch(write: Write) -> None:
    records = [{**MOONCAKE[0], "hash_ids": [0, row]} for row in range(120_000)]
    trace = read(write(json.dumps(records)))
    assert len(trace) == 120_000
    assert trace.table["source_row"].to_pylist()[-1] == 120_000


def test_messages_name_the_row_of_an_array(write: Write) -> None:
    records = [MOONCAKE[0], {**MOONCAKE[1], "output_length": "4,808"}]
    with pytest.raises(TraceError, match="row 2, field output_length"):
        read(write(json.dumps(records, indent=1)))


def test_a_broken_array_says_what_is_expected(write: Write) -> None:
    text = json.dumps(MOONCAKE)
    with pytest.raises(TraceError, match="a JSON array of records, or one record per line, is expected"):
        read(write(text[:-30]))


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none())), st.sampled_from([None, 1]))
def test_each_element_is_one_line(records: list[dict[str, Any]], indent: int | None) -> None:
    data = json.dumps(records, indent=indent, ensure_ascii=False).encode(errors="replace")
    expected = json.loads(data)
    lines = list(lines_of_array("f", data))
    assert [json.loads(line) for line in lines] == expected
    assert not any(b"\n" in line for line in lines)
    if records:
        assert [json.loads(line) for line in head_as_lines(data).split(b"\n")] == expected


def test_the_beginning_of_an_array_shows_whole_elements_first() -> None:
    data = json.dumps(MOONCAKE, indent=1).encode()
    for cut in range(1, len(data)):
        lines = head_as_lines(data[:cut]).split(b"\n")
        for line in lines[:-1]:
            if line.startswith(b"{"):
                assert json.loads(line) in MOONCAKE
