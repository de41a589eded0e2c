"""Recorded requests: readers of every format, transformations, prompts.

Importing this package costs nothing: what needs Arrow is imported by the call that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import TraceError

if TYPE_CHECKING:
    from pathlib import Path

    from .table import Trace

__all__ = ["TraceError", "read", "sample_path"]


def read(path: str | Path, *, format: str | None = None, skip_bad_rows: bool = False) -> Trace:
    """Read a trace file of any known format.

    Args:
        path: The file.
        format: A format's name ("mooncake", "azure", "burstgpt", "native"); None finds it out from the
            content.
        skip_bad_rows: Leave out rows that cannot be read, counting them, instead of refusing the file.

    Returns:
        The trace, in the order of arrival, its first request at 0 ns.

    Raises:
        TraceError: The file, or a row of it, cannot be read; the message says what would be right.
    """
    from .detect import read_trace

    return read_trace(path, format=format, skip_bad_rows=skip_bad_rows)


def sample_path() -> Path:
    """The sample trace of the package: 300 synthetic requests over 30 s in Mooncake's format."""
    from .sample import SAMPLE

    return SAMPLE
