"""BurstGPT's CSV (CC-BY-4.0), versions 1 and 1.2.

``Timestamp`` in whole seconds from the start, ``Model``, ``Request tokens``, ``Response tokens``,
``Total tokens``, ``Log Type``; 1.2 adds ``Session ID`` and ``Elapsed time``, the seconds until the answer was there,
which tell how long a session's user took for the next turn. Columns are taken by name. A request without response
tokens had failed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..assembly.trace_builder import build_trace
from ..errors import TraceError
from ..graph.sessions import number_turns
from ..reading.csv_rows import records, require_columns, split_header, typed_columns
from ..reading.field_checks import MAX_NS, MAX_TOKENS, BadField, BadRows, csv_number, csv_tokens, duration_ns
from ..reading.files import read_whole
from ..table import Trace

NAME = "burstgpt"
ABOUT = "BurstGPT's traces, versions 1 and 1.2"
LOOKS = "CSV with Timestamp (s), Model, Request tokens, Response tokens"

_NEEDED = ("Timestamp", "Model", "Request tokens", "Response tokens")
_SESSION = "Session ID"
_ELAPSED = "Elapsed time"
_S = 10**9


class _Columns(NamedTuple):
    arrival_ns: NDArray[np.int64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    row: NDArray[np.int64]
    model: Any  # string arrays
    session: Any
    elapsed_ns: NDArray[np.int64] | None  # -1: not recorded


def matches(head: bytes, path: Path) -> bool:
    """Return whether the header is this format's."""
    del path
    names, _ = split_header(head)
    return set(_NEEDED) <= set(names)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    source = str(path)
    data, digest = read_whole(path)
    names, body = split_header(data)
    require_columns(source, names, _NEEDED)
    for name in (_SESSION, _ELAPSED):
        if names.count(name) > 1:
            require_columns(source, names, (name,))
    bad = BadRows(source, skip=skip_bad_rows, kind="column")
    columns = _plain(names, body) or _careful(names, body, bad)
    notes = bad.notes(len(columns.row))
    if not len(columns.row):
        raise TraceError(source, "has a header and no records; a trace has one line per request")
    optional = {"model": columns.model}
    if columns.session is not None:
        optional["session_id"] = columns.session
        if columns.elapsed_ns is not None:
            optional["think_ns"] = _think_ns(columns.arrival_ns, columns.session, columns.elapsed_ns)
    return build_trace(
        source=source,
        format=NAME,
        digest=digest,
        arrival_ns=columns.arrival_ns,
        input_tokens=columns.input_tokens,
        output_tokens=columns.output_tokens,
        source_row=columns.row,
        optional=optional,
        notes=notes,
        bad=bad,
    )


def _plain(names: list[str], body: bytes) -> _Columns | None:
    """Return all rows, read by Arrow; None if a row must be checked by itself."""
    texts = ("Model", *(name for name in (_SESSION, _ELAPSED) if name in names))
    columns = typed_columns(names, body, integers=_NEEDED[2:], texts=texts, nanos=_NEEDED[:1])
    if columns is None:
        return None
    arrival, request, response = columns["Timestamp"], columns["Request tokens"], columns["Response tokens"]
    if arrival.max() > MAX_NS or max(request.max(), response.max()) > MAX_TOKENS:
        return None
    model, session = (columns[name].to_pylist() if name in texts else None for name in ("Model", _SESSION))
    elapsed = None
    if _ELAPSED in names:
        coded = columns[_ELAPSED].dictionary_encode()  # whole seconds: there are few different ones
        try:
            distinct = [_elapsed_ns(text) for text in coded.dictionary.to_pylist()]
        except BadField:
            return None
        elapsed = np.array(distinct, np.int64)[coded.indices.to_numpy()]
    rows = np.arange(1, len(arrival) + 1)
    return _Columns(arrival, request, response, rows, _names(model), _sessions(session), elapsed)


def _careful(names: list[str], body: bytes, bad: BadRows) -> _Columns:
    numbers: list[tuple[int, int, int, int, int]] = []
    model: list[str] = []
    session: list[str] | None = [] if _SESSION in names else None
    for number, fields in records(names, body):
        try:
            if isinstance(fields, BadField):
                raise fields
            arrival = duration_ns("Timestamp", csv_number("Timestamp", fields["Timestamp"]), _S)
            request, response = (csv_tokens(name, fields[name]) for name in _NEEDED[2:])
            elapsed = _elapsed_ns(fields.get(_ELAPSED, ""))
        except BadField as error:
            bad.add(number, error)
            continue
        numbers.append((arrival, request, response, number, elapsed))
        model.append(fields["Model"])
        if session is not None:
            session.append(fields[_SESSION])
    table = np.array(numbers, np.int64).reshape(-1, 5).T
    elapsed_ns = table[4] if _ELAPSED in names else None
    return _Columns(table[0], table[1], table[2], table[3], _names(model), _sessions(session), elapsed_ns)


def _elapsed_ns(text: str) -> int:
    """Return the elapsed time in ns, -1 for an empty field."""
    return duration_ns(_ELAPSED, csv_number(_ELAPSED, text), _S) if text.strip() else -1


def _think_ns(arrival_ns: NDArray[np.int64], session: Any, elapsed_ns: NDArray[np.int64]) -> Any:
    """Return the times from an answer to the next request of the session, at least 0: the clock has whole seconds."""
    order = np.argsort(arrival_ns, kind="stable")
    _, before = number_turns(session.take(pa.array(order)), len(order))
    starts, took = arrival_ns[order], elapsed_ns[order]
    known = (before >= 0) & (took[before] >= 0)
    think = np.full(len(order), -1, np.int64)
    think[order] = np.where(known, np.maximum(0, starts - starts[before] - took[before]), -1)
    return pa.array(think, pa.int64(), mask=think < 0)


def _names(values: list[str] | None) -> Any:
    return pa.array([value.strip() or None for value in values or ()], pa.string())


def _sessions(values: list[str] | None) -> Any:
    """Session ids; None where the column is absent or always empty."""
    names = None if values is None else _names(values)
    return None if names is None or names.null_count == len(names) else names
