"""OpenAI's batch JSONL: recorded requests without times, replayed as they are.

``{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": ...}}``: a batch
is for one API, so the url is the same in all lines. A line may have ``headers`` too, an object of names and values,
which OpenAI does not know and recorders of requests add.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from ..reading.field_checks import BadField, BadRows, shown
from ..reading.files import read_whole
from ..reading.json_documents import each_line, struct, text
from ..recorded.bodies import payload
from ..recorded.headers import recorded_headers
from ..recorded.request_table import RecordedRequest, Requests, recorded_trace, untimed
from ..table import Trace

NAME = "openai-batch"
ABOUT = "OpenAI's batch files: recorded requests"
LOOKS = "JSONL with custom_id, method, url, body"

_KEYS = tuple(re.compile(rb'"%b"\s*:' % key) for key in (b"custom_id", b"body", b"url"))


class _Line(msgspec.Struct, gc=False):
    custom_id: Any = msgspec.UNSET
    method: Any = "POST"
    url: Any = msgspec.UNSET
    body: msgspec.Raw = msgspec.Raw()
    headers: Any = None


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
    seen: dict[str, int] = {}
    url: str | None = None
    notes: list[str] = []

    def take(number: int, line: bytes) -> None:
        nonlocal url
        record = struct(_LINE, line)
        asked = _url(record)
        if url is not None and asked != url:
            raise BadField("url", f"{shown(asked)} differs from {shown(url)} above; a batch is for one API")
        custom_id = text("custom_id", record.custom_id, "a name of the request")
        if custom_id in seen:
            raise BadField("custom_id", f"{shown(custom_id)} stands in row {seen[custom_id]} too; each has its own")
        body = bytes(record.body)
        if not body:
            raise BadField("body", "is missing; the request's JSON belongs there")
        facts = payload("body", body)
        url, seen[custom_id] = asked, number
        requests.append(
            RecordedRequest(
                source_row=number,
                arrival_ns=0,
                input_tokens=facts.input_tokens,
                output_tokens=facts.output_tokens or 0,
                model=facts.model,
                body=body,
                headers=recorded_headers("headers", record.headers),
                estimated=facts.estimated,
            )
        )

    each_line(data, bad, take, notes)
    del data
    notes += [untimed(len(requests), sessions=False), f"its requests are for {url}"]
    return recorded_trace(requests, bad, format=NAME, digest=digest, notes=notes)


def _url(record: _Line) -> str:
    if record.method != "POST":
        raise BadField("method", f"{shown(record.method)} is not POST; only requests with a body can be replayed")
    url = text("url", record.url, "a path like /v1/chat/completions")
    if not url.startswith("/") or not url.isprintable():
        raise BadField("url", f"{shown(url)} is not a path like /v1/chat/completions")
    return url
