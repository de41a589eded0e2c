"""ServeGen's clients (Apache-2.0), read as a model: for each, chunk-N-trace.csv and chunk-N-dataset.json.

A row of the first, ``600,0.153,0.887,Gamma,1.27,5.06``, is a window: its start in s, rate in requests/s, CV of gaps,
law, and the law's shape and scale in s, which follow from the others. An idle window has rate 0 and no law. The second
has, for the start of each stretch of time, ``input_tokens`` and ``output_tokens`` as Python dicts in strings: length
to share.
"""

from __future__ import annotations

import ast
import csv
import json
import math
import re
from pathlib import Path
from typing import Any

from ..errors import TraceError
from ..reading.field_checks import shown
from .load_model import VERSION, Client, Family, Histogram, Lengths, LoadModel, Window, check_model
from .renewal import bounded_cv

_NAME = re.compile(r"chunk-(\d+)-trace\.csv")


def read_servegen(folder: Path) -> LoadModel:
    """Read a folder of ServeGen's clients.

    Raises:
        TraceError: It holds none, or one that cannot be read; the message names file and row.
    """
    found = [(int(match[1]), path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    if not found:
        raise TraceError(str(folder), "is a folder without chunk-*-trace.csv files; a model is such a folder or a file")
    clients, notes, span_s = [], [], 0.0
    for number, path in sorted(found):
        windows, end_s, clamped = _windows(path)
        span_s = max(span_s, end_s)
        if clamped:
            notes.append(clamped)
        lengths = _lengths(path.with_name(f"chunk-{number}-dataset.json"))
        if lengths:
            clients.append(Client(f"chunk-{number}", windows, lengths))
        elif any(window.rate_rps for window in windows):
            raise TraceError(str(path), "has requests, and its dataset.json no lengths for them")
    model = LoadModel(VERSION, str(folder), span_s, clients, notes)
    check_model(str(folder), model)
    return model


def _windows(path: Path) -> tuple[list[Window], float, str | None]:
    """A client's windows, the end of the last, and a word on CVs that cannot be."""
    source = str(path)
    rows: list[tuple[float, float, float, Family]] = []
    for number, fields in enumerate(csv.reader(_text(path).splitlines()), start=1):
        if not fields:
            continue
        try:
            start, rate, cv = (float(text or "0") for text in fields[:3])
        except ValueError:
            problem = f"{shown(','.join(fields))} does not begin with three numbers: start in s, rate, CV"
            raise TraceError(source, problem, row=number) from None
        if not all(math.isfinite(value) and value >= 0 for value in (start, rate, cv)) or len(fields) < 4:
            raise TraceError(source, f"{shown(','.join(fields))} is not start, rate, CV and law", row=number)
        if fields[3] not in ("Gamma", "Weibull", ""):
            raise TraceError(source, f"{shown(fields[3])} is neither Gamma nor Weibull", row=number, field="law")
        rows.append((start, rate, cv, "Weibull" if fields[3] == "Weibull" else "Gamma"))
    if not rows:
        raise TraceError(source, "holds no windows")
    starts = [row[0] for row in rows]
    length = starts[-1] - starts[-2] if len(starts) > 1 else 600.0
    ends = [*starts[1:], starts[-1] + length]
    windows, absurd = [], []
    for (start, rate, cv, family), end in zip(rows, ends, strict=True):
        bounded = bounded_cv(cv or 1.0, rate * (end - start))
        if rate and cv > bounded:
            absurd.append((cv, bounded))
        windows.append(Window(start, rate, bounded, family))
    if not absurd:
        return windows, ends[-1], None
    worst = max(absurd)
    entries = "1 window" if len(absurd) == 1 else f"{len(absurd):,} windows"
    said = f"{path.name}: the CV of {entries} cannot be and was clamped; the greatest from {worst[0]:g} to {worst[1]:g}"
    return windows, ends[-1], said


def _lengths(path: Path) -> list[Lengths]:
    source = str(path)
    try:
        value = json.loads(_text(path))
        entries = sorted((float(start), entry) for start, entry in value.items())
    except (ValueError, AttributeError, RecursionError):
        raise TraceError(source, "is not a JSON object of a start in s to lengths") from None
    found = []
    for start, entry in entries:
        laws = [_histogram(source, start, entry, name) for name in ("input_tokens", "output_tokens")]
        inputs, outputs = laws
        if inputs is not None and outputs is not None:
            found.append(Lengths(start, inputs, outputs))
    return found


def _histogram(source: str, start: float, entry: Any, name: str) -> Histogram | None:
    """One distribution; None for an empty one."""
    place = f"the entry {start:g}"
    if not isinstance(entry, dict) or name not in entry:
        raise TraceError(source, f"{place} lacks it", field=name)
    try:
        law = ast.literal_eval(entry[name]) if isinstance(entry[name], str) else entry[name]
        pairs = sorted((int(value), float(weight)) for value, weight in law.items())
    except (ValueError, SyntaxError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError):
        raise TraceError(source, f"{place} is not a dict of lengths to shares", field=name) from None
    if not any(weight > 0 for _, weight in pairs):
        return None
    return Histogram([value for value, _ in pairs], [weight for _, weight in pairs])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TraceError(str(path), f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise TraceError(str(path), "is not UTF-8 text") from None
