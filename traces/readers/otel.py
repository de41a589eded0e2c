"""OpenTelemetry spans of generative AI calls, as JSON and as OTLP/JSON.

JSON: ``{"spans": [{"trace_id": ..., "span_id": ..., "parent_span_id": ..., "start_time": ISO 8601 or ns,
"end_time": ..., "attributes": {"gen_ai.request.model": ..., ...}}]}``, or the list alone. OTLP/JSON:
``{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": ..., "startTimeUnixNano": "...", "attributes": [{"key":
..., "value": {"stringValue": ...}}]}]}]}]}``, one document or one per line. Attributes after the semantic conventions
for generative AI: model, max_tokens, token usage, messages. What follows what: see tokentape.traces.recorded.spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..assembly.trace_builder import rows_text
from ..errors import TraceError
from ..reading.field_checks import BadField, BadRows, shown, stamp_ns, token_count
from ..reading.files import read_whole
from ..reading.json_documents import decode, mapping, name, sequence, struct, text
from ..recorded.bodies import estimated_tokens, messages_body
from ..recorded.messages import chat_messages
from ..recorded.request_table import RecordedRequest, Requests, recorded_trace
from ..recorded.spans import Span, followed, link
from ..table import Trace

NAME = "otel"
ABOUT = "OpenTelemetry spans of LLM calls"
LOOKS = "JSON of OpenTelemetry spans with gen_ai attributes, or OTLP/JSON with resourceSpans"

_KEYS = re.compile(rb'"(resourceSpans|gen_ai\.[a-z_.]+)"')
_CALLS = ("chat", "text_completion", "generate_content")
_HINTS = ("gen_ai.input.messages", "gen_ai.prompt", "gen_ai.prompt.0.content", "gen_ai.usage.input_tokens",
          "gen_ai.usage.prompt_tokens")  # fmt: skip
_SESSIONS = ("gen_ai.conversation.id", "session.id")
_SHALLOW = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])
_EARLIEST_NS = 10**17  # 1973: smaller numbers are another unit


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format."""
    del path
    return head.lstrip()[:1] in (b"{", b"[") and bool(_KEYS.search(head))


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format; a row is a span.

    Args:
        path: The file.
        skip_bad_rows: Count bad spans and leave them out.

    Raises:
        TraceError: The file, or a span that is not to be skipped, cannot be read, or spans form a cycle.
    """
    source = str(path)
    data, digest = read_whole(path)
    bad = BadRows(source, skip=skip_bad_rows)
    spans: list[Span] = []
    requests = Requests()
    others = 0
    notes: list[str] = []
    piece = None
    for number, piece in enumerate(_spans(bad, data, notes), 1):
        try:
            raw = decode(piece)
            attributes = _attributes(raw.get("attributes", {})) if isinstance(raw, dict) else {}
            span = _span(number, mapping(None, raw, "a span"), attributes)
            if _is_call(attributes):
                span.request = len(requests)
                requests.append(_request(span, attributes))
            else:
                others += 1
        except BadField as error:
            bad.add(number, error)
            continue
        spans.append(span)
    del data, piece  # a piece holds all of it
    try:
        link(spans)
    except BadField as error:
        raise TraceError(source, error.problem, field=error.field) from None
    graph, cut = followed(spans)
    for follower, waited in graph.items():
        request = requests[_place(spans[follower])]
        request.follows, *further = [_place(spans[place]) for place in waited]
        request.also_after = tuple(sorted(further))
        request.think_ns = spans[follower].start_ns - spans[waited[0]].end_ns
    if cut:
        notes.append(f"{rows_text(cut)} waited for too many requests: only the one that ended last is followed")
    if others:
        notes.append(
            f"{rows_text(others)} of other kinds (agents, tools, …) {'gives' if others == 1 else 'give'} order alone"
        )
    return recorded_trace(requests, bad, format=NAME, digest=digest, notes=notes)


def _place(span: Span) -> int:
    assert span.request is not None
    return span.request


def _spans(bad: BadRows, data: bytes, notes: list[str]) -> Iterator[msgspec.Raw]:
    """Yield the JSON text of each span in any of the layouts; decoded objects would need more memory."""
    documents: list[Any] = []
    try:
        documents.append(struct(_SHALLOW, data))
    except BadField as whole:
        lines = [line for line in data.split(b"\n") if line.strip()]
        for number, line in enumerate(lines, 1):
            try:
                documents.append(struct(_SHALLOW, line))
            except BadField:
                if number == len(lines) > 1 and not data.endswith(b"\n"):
                    bad.torn = 1
                    notes.append(f"the last line, row {number:,}, is cut off at the end of the file and was left out")
                    break
                problem = f"{whole.problem}; a JSON document, or one per line, is expected"
                raise TraceError(bad.source, problem, row=number) from None
    try:
        for item in documents:
            yield from _within(item)
    except BadField as error:
        raise TraceError(bad.source, error.problem, field=error.field) from None


def _within(item: Any) -> Iterator[msgspec.Raw]:
    if isinstance(item, list):
        yield from item
        return
    if "resourceSpans" in item:
        for resource in _list("resourceSpans", item["resourceSpans"], "a list"):
            field = "resourceSpans.scopeSpans"
            for scope in _list(field, _object("resourceSpans", resource).get("scopeSpans"), "a list"):
                yield from _list(f"{field}.spans", _object(field, scope).get("spans"), "a list")
    elif "spans" in item:
        yield from _list("spans", item["spans"], "a list of spans")
    else:
        yield msgspec.Raw(msgspec.json.encode(item))


def _list(field: str, raw: msgspec.Raw | None, wanted: str) -> list[Any]:
    return sequence(field, None if raw is None else _shallow(raw), wanted)


def _object(field: str, raw: msgspec.Raw) -> dict[str, Any]:
    return mapping(field, _shallow(raw), "an object")


def _shallow(raw: msgspec.Raw) -> Any:
    """Return a list or object whose items are JSON text; other values unchanged."""
    try:
        return _SHALLOW.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode(raw)  # it may be right, and neither of them; else this says what is wrong


def _attributes(value: Any) -> dict[str, Any]:
    """Return a span's attributes; OTLP's key and value pairs become a dictionary."""
    if isinstance(value, dict):
        return value
    pairs = [mapping("attributes", pair, "an object with key and value") for pair in
             sequence("attributes", value, "an object, or OTLP's list of keys and values,")]  # fmt: skip
    return {text("attributes.key", pair.get("key"), "a name"): _any_value(pair.get("value")) for pair in pairs}


def _any_value(value: Any) -> Any:
    """OTLP's AnyValue: an object with one key that names the type; 64-bit integers are strings."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((kind, inner),) = value.items()
    if kind == "intValue" and isinstance(inner, str):
        return int(inner) if re.fullmatch(r"-?\d{1,20}", inner, re.ASCII) else inner
    if kind == "arrayValue" and isinstance(inner, dict):
        values = inner.get("values")
        return [_any_value(item) for item in values] if isinstance(values, list) else []
    if kind == "kvlistValue" and isinstance(inner, dict):
        return _attributes(inner.get("values") or [])
    return inner


def _span(number: int, raw: dict[str, Any], attributes: dict[str, Any]) -> Span:
    context = raw.get("context")
    where = raw | (context if isinstance(context, dict) else {})
    scope = _id(where, "trace_id", "traceId")
    start = _time(raw, "start_time", "startTimeUnixNano", "start_time_unix_nano")
    end = _time(raw, "end_time", "endTimeUnixNano", "end_time_unix_nano")
    if end < start:
        raise BadField("end_time", "lies before start_time")
    parent = next((raw[key] for key in ("parent_span_id", "parentSpanId", "parent_id") if raw.get(key)), None)
    return Span(
        row=number,
        scope=scope,
        span_id=_id(where, "span_id", "spanId"),
        parent_id=None if parent is None else text("parent_span_id", parent, "an id"),
        session=_session(attributes) or scope,
        start_ns=start,
        end_ns=end,
    )


def _id(raw: dict[str, Any], *names: str) -> str:
    found = name(names[0], next((raw[key] for key in names if key in raw), None))
    if not found:
        raise BadField(names[0], "is missing; every span has one")
    return found


def _time(raw: dict[str, Any], *names: str) -> int:
    value = next((raw[key] for key in names if raw.get(key) is not None), None)
    field = next((key for key in names if key in raw), names[0])
    wanted = "ISO 8601 or nanoseconds since 1970 belong there"
    if isinstance(value, str) and not value.isdecimal():
        return stamp_ns(field, value)
    if isinstance(value, str):
        value = int(value) if len(value) < 20 else -1
    if type(value) is not int:
        raise BadField(field, f"{'is missing' if value is None else shown(value)}; {wanted}")
    if not _EARLIEST_NS <= value < 2**63:
        raise BadField(field, f"{shown(value)} is no time in nanoseconds since 1970; {wanted}")
    return value


def _session(attributes: dict[str, Any]) -> str | None:
    """The conversation or session that a span names; vendors use prefixes of their own before ``session.id``."""
    for wanted in _SESSIONS:
        for key, value in attributes.items():
            if key == wanted or key.endswith(f".{wanted}"):
                return name(key, value)
    return None


def _is_call(attributes: dict[str, Any]) -> bool:
    operation = attributes.get("gen_ai.operation.name")
    return operation in _CALLS if isinstance(operation, str) else any(key in attributes for key in _HINTS)


def _request(span: Span, attributes: dict[str, Any]) -> RecordedRequest:
    messages = chat_messages(attributes)
    counted = _count(attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
    if counted is None and not messages:
        raise BadField(
            "gen_ai.usage.input_tokens", "is missing, and so is gen_ai.input.messages; one of them is needed"
        )
    outputs = _count(attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
    said = next((attributes[key] for key in ("gen_ai.output.messages", "gen_ai.output.text", "gen_ai.completion",
                                             "gen_ai.completion.0.content") if attributes.get(key)), None)  # fmt: skip
    if outputs is None and said is not None:
        outputs = estimated_tokens(_read(said))
    if outputs is None:
        outputs = _count(attributes, "gen_ai.request.max_tokens") or 0
    return RecordedRequest(
        source_row=span.row,
        arrival_ns=span.start_ns,
        input_tokens=estimated_tokens(messages) if counted is None else counted,
        output_tokens=outputs,
        session=span.session,
        model=name("gen_ai.request.model", attributes.get("gen_ai.request.model")),
        body=messages_body(messages) if messages else None,
        estimated=counted is None,
    )


def _count(attributes: dict[str, Any], *names: str) -> int | None:
    field = next((key for key in names if attributes.get(key) is not None), None)
    return None if field is None else token_count(field, attributes[field])


def _read(said: Any) -> Any:
    """Return messages that are recorded as a JSON string; other text unchanged."""
    if not isinstance(said, str) or said[:1] not in "[{":
        return said
    try:
        return decode(said)
    except BadField:
        return said
