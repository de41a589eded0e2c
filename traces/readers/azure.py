"""Azure's LLM inference traces of 2023 and 2024 (CC-BY-4.0).

CSV: ``TIMESTAMP,ContextTokens,GeneratedTokens``; the stamp is UTC text with seven fractional digits, with or
without a zone. All digits are kept: cut to 10 ms, a third of the 2023 code rows fall onto a neighbour.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..assembly.trace_builder import build_trace, rows_text
from ..errors import TraceError
from ..reading.csv_rows import records, require_columns, split_header, typed_columns
from ..reading.field_checks import MAX_NS, MAX_TOKENS, BadField, BadRows, csv_tokens, shown, stamp_ns
from ..reading.files import read_whole
from ..table import Trace

NAME = "azure"
ABOUT = "Azure's LLM inference traces of 2023 and 2024"
LOOKS = "CSV with TIMESTAMP (UTC text), ContextTokens, GeneratedTokens"

_NEEDED = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_IMAGES = "NumImages"
_PLAIN_STAMP = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,9})?"
_PLAIN_ZONE = r"(Z|[+-]\d\d:\d\d)$"

_Columns = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]


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
    bad = BadRows(source, skip=skip_bad_rows, kind="column")
    arrival, context, generated, row, images = _plain(names, body) or _careful(names, body, bad)
    notes = list(bad.notes(len(arrival)))
    if not len(arrival):
        raise TraceError(source, "has a header and no records; a trace has one line per request")
    if images:
        notes.append(f"{rows_text(images)} had images, which are not replayed")
    return build_trace(
        source=source,
        format=NAME,
        digest=digest,
        arrival_ns=arrival,
        input_tokens=context,
        output_tokens=generated,
        source_row=row,
        notes=notes,
        bad=bad,
    )


def _plain(names: list[str], body: bytes) -> _Columns | None:
    """Return all rows, read by Arrow; None if a row must be checked by itself."""
    integers = (*_NEEDED[1:], _IMAGES) if _IMAGES in names else _NEEDED[1:]
    columns = typed_columns(names, body, integers=integers, texts=_NEEDED[:1])
    if columns is None:
        return None
    import pyarrow.compute as pc

    text = columns["TIMESTAMP"]
    zone = "UTC" if re.search(_PLAIN_ZONE, text[0].as_py()[10:]) else None  # after the date's hyphens
    pattern = _PLAIN_STAMP + (_PLAIN_ZONE if zone else "$")
    if not pc.all(pc.match_substring_regex(text, pattern)).as_py():
        return None
    try:
        stamps = text.cast(pa.timestamp("ns", zone)).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    context, generated = (columns[name] for name in _NEEDED[1:])
    if max(context.max(), generated.max()) > MAX_TOKENS:
        return None
    if stamps.min() < 0 or int(stamps.max()) - int(stamps.min()) > MAX_NS:
        return None
    images = int(np.count_nonzero(columns[_IMAGES])) if _IMAGES in names else 0
    return stamps, context, generated, np.arange(1, len(stamps) + 1), images


def _careful(names: list[str], body: bytes, bad: BadRows) -> _Columns:
    arrival: list[int] = []
    context: list[int] = []
    generated: list[int] = []
    rows: list[int] = []
    images = 0
    for number, fields in records(names, body):
        try:
            if isinstance(fields, BadField):
                raise fields
            stamp = stamp_ns("TIMESTAMP", fields["TIMESTAMP"])
            if arrival and abs(stamp - arrival[0]) > MAX_NS:
                raise BadField("TIMESTAMP", f"{shown(fields['TIMESTAMP'])} is over 100 years from the first row's")
            lengths = [csv_tokens(name, fields[name]) for name in _NEEDED[1:]]
        except BadField as error:
            bad.add(number, error)
            continue
        arrival.append(stamp)
        context.append(lengths[0])
        generated.append(lengths[1])
        rows.append(number)
        images += fields.get(_IMAGES, "0").strip() not in ("", "0")
    arrays = [np.array(values, np.int64) for values in (arrival, context, generated, rows)]
    return arrays[0], arrays[1], arrays[2], arrays[3], images
