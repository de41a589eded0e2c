"""Amazon SageMaker's data capture: JSONL of requests to an endpoint and its answers.

``{"captureData": {"endpointInput": {"data": "{...}", "encoding": "JSON"}, "endpointOutput": {...}},
"eventMetadata": {"eventId": "...", "inferenceTime": "2026-04-29T00:03:18Z"}, "eventVersion": "0"}``: the time has a
resolution of 1 s, the data are a string, in base64 if the endpoint was not configured for JSON.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any

import msgspec

from ..reading.field_checks import BadField, BadRows, shown, stamp_ns, token_count
from ..reading.files import read_whole
from ..reading.json_documents import decode, each_line, mapping, struct, text
from ..reading.surrogates import without_halves
from ..recorded.bodies import payload
from ..recorded.headers import recorded_headers
from ..recorded.request_table import RecordedRequest, Requests, recorded_trace
from ..table import Trace

NAME = "sagemaker"
ABOUT = "Amazon SageMaker's data capture"
LOOKS = "JSONL with captureData, eventMetadata.inferenceTime (1 s)"

_KEYS = tuple(re.compile(rb'"%b"\s*:' % key) for key in (b"captureData", b"endpointInput"))


class _Line(msgspec.Struct, gc=False):
    captureData: Any = msgspec.UNSET
    eventMetadata: Any = msgspec.UNSET


_LINE = msgspec.json.Decoder(_Line)


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format."""
    del path
    return head.lstrip().startswith(b"{") and all(key.search(head) for key in _KEYS)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    data, digest = read_whole(path)
    bad = BadRows(str(path), skip=skip_bad_rows)
    requests = Requests()
    notes: list[str] = []
    each_line(data, bad, lambda number, line: requests.append(_request(number, struct(_LINE, line))), notes)
    del data
    return recorded_trace(requests, bad, format=NAME, digest=digest, notes=notes)


def _request(number: int, record: _Line) -> RecordedRequest:
    captured = mapping("captureData", record.captureData, "an object with endpointInput")
    metadata = mapping("eventMetadata", record.eventMetadata, "an object with inferenceTime")
    field = "eventMetadata.inferenceTime"
    arrival = stamp_ns(field, text(field, metadata.get("inferenceTime"), "a time like 2026-04-29T00:03:18Z"))
    field = "captureData.endpointInput"
    endpoint_input = mapping(field, captured.get("endpointInput"), "an object with data")
    body = without_halves(_data(field, endpoint_input))
    kind = endpoint_input.get("observedContentType")
    facts = payload(f"{field}.data", body)
    usage = _usage(captured.get("endpointOutput"))
    inputs, outputs = usage.get("prompt_tokens"), usage.get("completion_tokens")
    field = "captureData.endpointOutput.data.usage"
    return RecordedRequest(
        source_row=number,
        arrival_ns=arrival,
        input_tokens=facts.input_tokens if inputs is None else token_count(f"{field}.prompt_tokens", inputs),
        output_tokens=(facts.output_tokens or 0)
        if outputs is None
        else token_count(f"{field}.completion_tokens", outputs),
        model=facts.model,
        body=body,
        headers=None if kind is None else recorded_headers(f"{field}.observedContentType", {"Content-Type": kind}),
        estimated=facts.estimated and inputs is None,
    )


def _data(field: str, captured: dict[str, Any]) -> bytes:
    data = text(f"{field}.data", captured.get("data"), "the request's body as a string")
    encoding = captured.get("encoding", "JSON")
    try:
        if encoding == "BASE64":
            return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadField(f"{field}.data", f"{shown(data)} is not base64, as its encoding says") from None
    if encoding != "JSON":
        raise BadField(f"{field}.encoding", f"{shown(encoding)} is neither JSON nor BASE64; capture requests as JSON")
    return data.encode()


def _usage(output: Any) -> dict[str, Any]:
    """Return the server's own token counts; empty if the answer was a stream, not captured, or of another shape."""
    try:
        answer = decode(_data("captureData.endpointOutput", mapping(None, output, "an object with data")))
    except BadField:
        return {}
    usage = answer.get("usage") if isinstance(answer, dict) else None
    return usage if isinstance(usage, dict) else {}
