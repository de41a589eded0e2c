"""Recorded requests: readers of every format, transformations, prompts.

Importing this package costs nothing: what needs Arrow is imported by the call that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import TraceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .table import Trace

__all__ = ["TraceError", "read", "sample_path"]


def read(
    path: str | Path,
    *,
    format: str | None = None,
    skip_bad_rows: bool = False,
    mapping: str | Mapping[str, str] | None = None,
) -> Trace:
    """Read a trace of any known format.

    Args:
        path: A file, plain or packed with gzip or zstd; a folder of such files; or a pattern like ``day-*.jsonl``.
            Several files must be of one format, and are merged by arrival.
        format: A format's name, as in "mooncake"; None finds it out from the content.
        skip_bad_rows: Leave out rows that cannot be read, counting them, instead of refusing the file.
        mapping: For a CSV, JSONL or Parquet of no known format: which columns it has, with their units, as in
            ``timestamp=ts_ms:ms,input_tokens=n_in,output_tokens=n_out``, or as a mapping. Units are never guessed.

    Returns:
        The trace, in the order of arrival, its first request at 0 ns.

    Raises:
        TraceError: The file, or a row of it, cannot be read; the message says what would be right.
    """
    from .detect import read_trace

    return read_trace(path, format=format, skip_bad_rows=skip_bad_rows, mapping=mapping)


def sample_path() -> Path:
    """The sample trace of the package: 300 synthetic requests over 30 s in Mooncake's format."""
    from .sample import SAMPLE

    return SAMPLE
