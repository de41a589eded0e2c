"""Find the reader of a file by its content, never by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from .errors import TraceError
from .multi_file import files_of, read_many
from .nearest_format import unknown_format
from .readers import (
    aibrix,
    aiperf_inputs,
    azure,
    bailian,
    baseten,
    burstgpt,
    chat,
    genai_perf_export,
    genai_perf_inputs,
    lmcache,
    mapped,
    mooncake,
    native,
    openai_batch,
    otel,
    sagemaker,
    sharegpt,
    tape,
    tracelab,
    vllm,
    weka,
    weka_parquet,
)
from .reading.field_checks import shown
from .reading.files import read_head
from .reading.surrogates import counted, note
from .table import Trace

# Formats whose rows hold whole requests come first, because these may contain the keys of other formats.
READERS: tuple[ModuleType, ...] = (
    aiperf_inputs,
    genai_perf_inputs,
    genai_perf_export,
    openai_batch,
    sagemaker,
    otel,
    sharegpt,
    weka,
    bailian,
    aibrix,
    mooncake,
    lmcache,
    chat,
    azure,
    burstgpt,
    tracelab,
    weka_parquet,
    baseten,
    vllm,
    native,
    tape,
)

_SERVEGEN = re.compile(r"chunk-\d+-(trace\.csv|dataset\.json)")


def read_trace(
    path: str | Path,
    *,
    format: str | None = None,
    skip_bad_rows: bool = False,
    mapping: str | Mapping[str, str] | None = None,
) -> Trace:
    """See tokentape.traces.read."""
    file = Path(path)
    if mapping is not None and format not in (None, mapped.NAME):
        raise TraceError(str(path), f"--map names the columns, so that the format cannot be {shown(format)} as well")

    def read_one(one: Path) -> Trace:
        if mapping is not None:
            return mapped.read(one, mapping=mapping, skip_bad_rows=skip_bad_rows)
        reader = _named(str(one), format) if format is not None else detect(one)
        trace = reader.read(one, skip_bad_rows=skip_bad_rows)
        assert isinstance(trace, Trace)
        return trace

    def read_counted(one: Path) -> Trace:
        with counted() as replaced:
            trace = read_one(one)
        return replace(trace, notes=(*trace.notes, note(replaced.count))) if replaced.count else trace

    if tape.is_tape(file) and format in (None, tape.NAME):
        return tape.read(file)
    files = files_of(file)
    if files and all(_SERVEGEN.fullmatch(one.name) for one in files):
        raise TraceError(
            str(path),
            "holds ServeGen's clients, a model of traces; make one with "
            f"tokentape trace generate {path} --duration 1h --rate 20 -o out.parquet",
        )
    return read_counted(file) if files is None else read_many(str(path), files, read_counted)


def detect(path: Path) -> ModuleType:
    """Return the reader of a file.

    Raises:
        TraceError: No reader knows the format; the message says what the file begins with.
    """
    head = read_head(path)
    for reader in READERS:
        if reader.matches(head, path):
            return reader
    raise TraceError(str(path), unknown_format(head, path))


def _named(source: str, name: str) -> ModuleType:
    for reader in READERS:
        if name == reader.NAME:
            return reader
    near = get_close_matches(name, [reader.NAME for reader in READERS], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise TraceError(source, f"there is no format {shown(name)}; {hint}`tokentape trace formats` lists them")
