"""Finding the reader of a file, by what it holds and never by its name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from .errors import TraceError
from .multi_file import files_of, read_many
from .readers import (
    aibrix,
    aiperf_inputs,
    azure,
    bailian,
    baseten,
    burstgpt,
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
from .reading.csv_rows import split_header
from .reading.field_checks import shown
from .reading.files import read_head
from .table import Trace

# Those whose records may hold whole requests, with any keys in them, come first.
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
_KEY = re.compile(r'"(\w{1,40})"\s*:', re.ASCII)


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

    if tape.is_tape(file) and format in (None, tape.NAME):
        return tape.read(file)
    files = files_of(file)
    if files and all(_SERVEGEN.fullmatch(one.name) for one in files):
        raise TraceError(
            str(path),
            "holds ServeGen's clients, a model of traces; make one with "
            f"tokentape trace generate {path} --duration 1h --rate 20 -o out.parquet",
        )
    return read_one(file) if files is None else read_many(str(path), files, read_one)


def detect(path: Path) -> ModuleType:
    """The reader of a file.

    Raises:
        TraceError: No reader knows the format; the message says what the file begins with.
    """
    head = read_head(path)
    for reader in READERS:
        if reader.matches(head, path):
            return reader
    raise TraceError(
        str(path),
        f"is of an unknown format: {_seen(head)}. Known formats: {_known()}; "
        "any other can be read by naming its columns with --map",
    )


def _named(source: str, name: str) -> ModuleType:
    for reader in READERS:
        if name == reader.NAME:
            return reader
    raise TraceError(source, f"there is no format {shown(name)}; known formats: {_known()}")


def _known() -> str:
    return "; ".join(f"{reader.NAME} ({reader.LOOKS})" for reader in READERS)


def _seen(head: bytes) -> str:
    """What the beginning of an unknown file looks like."""
    line = next((line for line in head.splitlines() if line.strip()), b"").strip()
    text = line.decode(errors="replace")
    if text.startswith("["):
        return "it begins with a JSON array, where one JSON object per line is expected"
    if text.startswith("{"):
        try:
            record = json.loads(text)
            keys = list(record) if isinstance(record, dict) else []
        except (ValueError, RecursionError):
            keys = list(dict.fromkeys(_KEY.findall(text)))
        return f"its first record has the keys {shown(', '.join(map(str, keys[:12])) or 'none')}"
    names, _ = split_header(head)
    if len(names) > 1:
        return f"its first line has the columns {shown(', '.join(names[:12]))}"
    return f"it begins with {shown(text)}"
