"""Build a trace from recorded requests that have bodies and refer to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ..assembly.trace_builder import build_trace, rows_text
from ..errors import TraceError
from ..graph.fan_in import Edges
from ..reading.field_checks import BadRows, wrong_epoch
from ..table import TRACE_SCHEMA, Trace


@dataclass(slots=True)
class RecordedRequest:
    """One request as a file records it.

    Attributes:
        source_row: 1-based record in the file.
        arrival_ns: On the file's clock.
        input_tokens, output_tokens: Lengths.
        session: Whose turn it is.
        follows: Which request of the same list it waited for, by place.
        also_after: Further requests that it waited for, by place.
        think_ns: From the last end of those to this one.
        model: As recorded.
        text: The prompt's text.
        body: The request's body, JSON.
        headers: Of the request, as the trace's column has them.
        estimated: Whether a length was worked out from a text.
    """

    source_row: int
    arrival_ns: int
    input_tokens: int
    output_tokens: int
    session: str | None = None
    follows: int | None = None
    also_after: tuple[int, ...] = ()
    think_ns: int | None = None
    model: str | None = None
    text: str | None = None
    body: bytes | None = None
    headers: str | None = None
    estimated: bool = False


class Requests(list[RecordedRequest]):
    """The requests of a file, in its order.

    Texts and bodies, most of the memory, go from them to Arrow some at a time, so that they are held once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._packed: dict[str, list[Any]] = {column: [] for column in _PACKED}
        self._done = self._waiting_bytes = 0

    def append(self, request: RecordedRequest) -> None:
        """Add a request."""
        super().append(request)
        self._waiting_bytes += len(request.body or b"") + len(request.text or "")
        if self._waiting_bytes >= _CHUNK_BYTES:
            self._pack()

    def extend(self, requests: Iterable[RecordedRequest]) -> None:
        """Add several requests."""
        for request in requests:
            self.append(request)

    def packed(self) -> dict[str, Any]:
        """Return the columns ``text`` and ``body`` of all requests."""
        self._pack()
        return {column: pa.chunked_array(chunks, _kind(column)) for column, chunks in self._packed.items()}

    def _pack(self) -> None:
        some, self._done, self._waiting_bytes = self[self._done :], len(self), 0
        for column in _PACKED:
            self._packed[column].append(_packed([getattr(request, column) for request in some], _kind(column)))
        for request in some:
            request.text = request.body = None


def _kind(column: str) -> Any:
    return TRACE_SCHEMA.field(column).type


def recorded_trace(
    requests: Requests,
    bad: BadRows,
    *,
    format: str,
    digest: str,
    notes: Sequence[str] = (),
    unit_ns: int | None = None,
) -> Trace:
    """Build the trace.

    Args:
        requests: In the order of the file.
        bad: The count of those left out.
        format: The reader's name.
        digest: SHA-256 of the file.
        notes: Notes of the reader for the user.
        unit_ns: The unit of the format's ``timestamp``, where it has one.

    Raises:
        TraceError: There are no requests, their timestamps are in another unit, or their bodies exceed 2 GiB.
    """
    texts = [*bad.notes(len(requests)), *notes]
    if not requests:
        raise TraceError(bad.source, "holds no requests")
    first = min(requests, key=lambda request: request.arrival_ns)
    problem = None if unit_ns is None else wrong_epoch(first.arrival_ns, unit_ns)
    if problem:
        raise TraceError(bad.source, problem, row=first.source_row, field="timestamp")
    optional: dict[str, Any] = requests.packed()
    for name in _NULLABLE:
        values = [getattr(request, name.replace("session_id", "session")) for request in requests]
        optional[name] = pa.array(values, _kind(name))
    if any(optional[name].nbytes > _MOST_BYTES for name in _PACKED):
        raise TraceError(bad.source, "holds over 2 GiB of bodies; split it into several files")
    estimated = sum(r.estimated for r in requests)
    if estimated:
        texts.append(
            f"{rows_text(estimated)} with text and no recorded length: "
            "lengths are estimated at 4 bytes of UTF-8 per token"
        )
    return build_trace(
        source=bad.source,
        format=format,
        digest=digest,
        arrival_ns=np.array([r.arrival_ns for r in requests], np.int64),
        input_tokens=np.array([r.input_tokens for r in requests], np.int64),
        output_tokens=np.array([r.output_tokens for r in requests], np.int64),
        source_row=np.array([r.source_row for r in requests], np.int64),
        optional=optional,
        parent=np.array([-1 if r.follows is None else r.follows for r in requests], np.int64),
        joins=_joins(requests),
        notes=texts,
        bad=bad,
    )


def _joins(requests: Sequence[RecordedRequest]) -> Edges:
    counts = np.fromiter((len(request.also_after) for request in requests), np.int64, len(requests))
    after = np.fromiter((place for request in requests for place in request.also_after), np.int64, int(counts.sum()))
    return Edges(np.repeat(np.arange(len(requests), dtype=np.int64), counts), after)


_PACKED = ("text", "body")
_NULLABLE = ("session_id", "think_ns", "model", "headers")
_CHUNK_BYTES = 4 << 20
_MOST_BYTES = 2**31 - 1  # what one Arrow array of int32 offsets holds


def _packed(values: list[Any], kind: Any) -> Any:
    """Texts or bytes as an array, in a buffer of the right size: Arrow's own builder doubles it as it grows."""
    pieces = [value.encode() if isinstance(value, str) else value or b"" for value in values]
    offsets = np.zeros(len(pieces) + 1, np.int32)
    np.cumsum([len(piece) for piece in pieces], out=offsets[1:])
    present = pa.array([value is not None for value in values]).buffers()[1]
    buffers: Any = [present, pa.py_buffer(offsets), pa.py_buffer(b"".join(pieces))]
    return pa.Array.from_buffers(kind, len(pieces), buffers)


def follow_sessions(requests: Sequence[RecordedRequest]) -> None:
    """Let each turn follow the one before it in the same session, in the order given."""
    last: dict[str, int] = {}
    for place, request in enumerate(requests):
        if request.session is not None:
            request.follows = last.get(request.session)
            last[request.session] = place


def untimed(requests: int, sessions: bool) -> str:
    """Return the note about a file without timestamps."""
    later = "; later turns follow the one before them" if sessions else ""
    return f"the file has no timestamps: {rows_text(requests)} due at once{later}"
