"""GenAI-Perf's ``inputs.json``: the requests that it is about to send.

``{"data": [{"payload": [{"model": ..., "messages": [...]}]}]}``: one payload per entry; a fixed schedule adds
``"timestamp": [ms]``, sessions add ``"session_id"`` and ``"delay": [ms]``. Servers that are not OpenAI's get
``{"text_input": ["..."], "max_tokens": [256]}`` instead, every value in a list of one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from ..reading.field_checks import BadField, BadRows, duration_ns, shown, token_count
from ..reading.files import read_whole
from ..reading.json_documents import document, name, text
from ..recorded.bodies import compact, estimated_tokens, payload
from ..recorded.request_table import RecordedRequest, Requests, follow_sessions, recorded_trace, untimed
from ..table import Trace

NAME = "genai-perf-inputs"
ABOUT = "Requests that GenAI-Perf is about to send"
LOOKS = "JSON with data[{payload}], GenAI-Perf's inputs.json"

_MS = 10**6
_DATA = re.compile(rb'\s*\{\s*"data"\s*:\s*\[')
_CONTENT = re.compile(rb'"(payload|text_input)"\s*:')


class _Entry(msgspec.Struct, gc=False):
    payload: msgspec.Raw = msgspec.Raw()
    text_input: Any = None
    max_tokens: Any = None
    model: Any = None
    timestamp: Any = None
    session_id: Any = None
    delay: Any = None


class _File(msgspec.Struct, gc=False):
    data: list[_Entry]


_FILE = msgspec.json.Decoder(_File)
_PAYLOADS = msgspec.json.Decoder(list[msgspec.Raw])


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format."""
    del path
    return bool(_DATA.match(head) and _CONTENT.search(head))


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format; a row is an entry of ``data``.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    source = str(path)
    data, digest = read_whole(path)
    bad = BadRows(source, skip=skip_bad_rows)
    requests, timed = _requests(source, data, bad)
    del data
    follow_sessions(requests)
    for request, delay in [(r, r.think_ns) for r in requests]:
        request.think_ns = None if request.follows is None or (timed and delay is None) else delay or 0
    notes = []
    if requests and not timed:
        notes.append(untimed(len(requests), any(r.follows is not None for r in requests)))
    return recorded_trace(requests, bad, format=NAME, digest=digest, notes=notes, unit_ns=_MS if timed else None)


def _requests(source: str, data: bytes, bad: BadRows) -> tuple[Requests, bool]:
    """Return the requests, and whether the file has timestamps."""
    requests = Requests()
    entries = document(source, _FILE, data, "GenAI-Perf's inputs.json").data
    timed = any(entry.timestamp is not None for entry in entries)
    for number, entry in enumerate(entries, 1):
        try:
            request = _request(number, entry)
            if timed:
                request.arrival_ns = duration_ns("timestamp", _single("timestamp", entry.timestamp), _MS)
        except BadField as error:
            bad.add(number, error)
            continue
        requests.append(request)
    return requests, timed


def _request(number: int, entry: _Entry) -> RecordedRequest:
    delay = _single("delay", entry.delay)
    request = RecordedRequest(
        source_row=number,
        arrival_ns=0,
        input_tokens=0,
        output_tokens=0,
        session=name("session_id", _single("session_id", entry.session_id)),
        think_ns=None if delay is None else duration_ns("delay", delay, _MS),
    )
    raw = bytes(entry.payload)
    if raw:
        request.body = body = compact(_payload(raw))
        facts = payload("payload[0]", body)
        request.input_tokens, request.output_tokens = facts.input_tokens, facts.output_tokens or 0
        request.model, request.estimated = facts.model, facts.estimated
        return request
    prompt = text("text_input", _single("text_input", entry.text_input), "the prompt's text, or a payload,")
    limit = _single("max_tokens", entry.max_tokens)
    request.text, request.estimated = prompt, True
    request.input_tokens = estimated_tokens(prompt)
    request.output_tokens = 0 if limit is None else token_count("max_tokens", limit)
    request.model = name("model", _single("model", entry.model))
    return request


def _payload(raw: bytes) -> bytes:
    """Return the only request of an entry's payloads."""
    try:
        payloads = _PAYLOADS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadField("payload", "is not a list with one request") from None
    if len(payloads) != 1:
        raise BadField("payload", f"holds {len(payloads):,} requests; one belongs there")
    return bytes(payloads[0])


def _single(field: str, value: Any) -> Any:
    """Return a value, or the only value of a list."""
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise BadField(field, f"{shown(value)} is not a list of one value")
    return value[0]
