"""Which headers of a recorded request are kept, and the column that holds them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tokentape.traces import TraceError, read
from tokentape.traces.readers.native import write_native
from tokentape.traces.reading.field_checks import BadField
from tokentape.traces.recorded.headers import headers_of, recorded_headers
from tokentape.traces.table import TRACE_SCHEMA

LINE = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}}


def test_secrets_and_what_concerns_the_connection_are_left_out() -> None:
    given = {
        "X-Tenant": "a, b",
        "Authorization": "Bearer sk-0123456789",
        "X-Mirror": "of sk-0123456789",
        "Cookie": "c",
        "Host": "there",
        "Content-Length": "3",
        "User-Agent": " curl/8 ",
    }
    assert recorded_headers("headers", given) == '{"X-Tenant": "a, b", "User-Agent": "curl/8"}'
    assert recorded_headers("headers", {"Cookie": "c"}) is None
    assert recorded_headers("headers", None) is None
    assert headers_of('{"A": "é", "Api-Key": "0"}') == {"A": "é"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["A: b"], "is not an object"),
        ({"A": 1}, "'A' has the value 1, where a text belongs"),
        ({"A b": "c"}, "'A b' is no header's name"),
        ({"A": "b\r\nEvil: c"}, "characters that HTTP does not allow"),
        ({"A": "€"}, "characters that HTTP does not allow"),
    ],
)
def test_bad_headers_are_refused(given: Any, problem: str) -> None:
    with pytest.raises(BadField) as caught:
        recorded_headers("headers", given)
    assert problem in caught.value.problem


def test_a_batch_has_them_and_the_native_trace_keeps_them(write: Callable[[str], Path], tmp_path: Path) -> None:
    lines = [LINE | {"headers": {"X-Tenant": "t"}}, LINE | {"custom_id": "2"}]
    trace = read(write("\n".join(map(json.dumps, lines))))
    assert trace.table["headers"].to_pylist() == ['{"X-Tenant": "t"}', None]
    write_native(trace, tmp_path / "t")
    assert read(tmp_path / "t").table.equals(trace.table)


def test_a_native_trace_from_before_the_column_is_read(mooncake: Callable[..., Path], tmp_path: Path) -> None:
    trace = read(mooncake({}, {}))
    write_native(trace, tmp_path / "t")
    older = parquet.ParquetFile(tmp_path / "t").read().drop_columns(["headers", "path"])
    parquet.write_table(older, tmp_path / "t")
    assert read(tmp_path / "t").table.equals(trace.table)


@pytest.mark.parametrize("text", ["[]", "{", '{"A": "b\\nc"}'])
def test_a_native_trace_with_broken_ones_is_refused(mooncake: Callable[..., Path], tmp_path: Path, text: str) -> None:
    write_native(read(mooncake({}, {})), tmp_path / "t")
    table = parquet.ParquetFile(tmp_path / "t").read()
    place = TRACE_SCHEMA.get_field_index("headers")
    broken = table.set_column(place, "headers", pa.array([None, text], pa.string()))
    parquet.write_table(broken, tmp_path / "t")
    with pytest.raises(TraceError, match="field headers"):
        read(tmp_path / "t")


def test_a_capture_of_sagemaker_tells_the_content_type(write: Callable[[str], Path]) -> None:
    told = {"data": '{"messages": []}', "encoding": "JSON", "observedContentType": "application/json; charset=utf-8"}
    line = {"captureData": {"endpointInput": told}, "eventMetadata": {"inferenceTime": "2026-04-29T00:03:18Z"}}
    trace = read(write(json.dumps(line)))
    assert trace.table["headers"].to_pylist() == ['{"Content-Type": "application/json; charset=utf-8"}']
