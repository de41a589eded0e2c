"""Requests with the column names of vLLM's and Vidur's tools, as CSV, JSONL or Parquet.

``arrival_time`` (or ``arrived_at``, ``start_time``) in seconds; ``prompt_len`` (``num_prompt_tokens``,
``num_prefill_tokens``); ``output_len`` (``expected_output_len``, ``num_output_tokens``, ``num_decode_tokens``);
and optionally ``prompt``, ``session_id``, ``model``.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import TraceError
from ..reading.csv_rows import split_header
from ..reading.field_checks import BadField
from ..reading.files import PARQUET, read_head
from ..reading.json_lines import parse
from ..reading.parquet_columns import parquet_names
from ..table import Trace
from . import mapped

NAME = "vllm"
ABOUT = "Requests with the column names of vLLM and Vidur"
LOOKS = "CSV, JSONL or Parquet with arrival_time (s), prompt_len, output_len, or vLLM's other names for them"

_NAMES = {
    "timestamp": ("arrival_time", "arrived_at", "start_time"),
    "input_tokens": ("prompt_len", "num_prompt_tokens", "num_prefill_tokens"),
    "output_tokens": ("output_len", "expected_output_len", "num_output_tokens", "num_decode_tokens"),
    "text": ("prompt",),
    "session_id": ("session_id",),
    "model": ("model",),
}


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file has these columns."""
    return len({"timestamp", "input_tokens", "output_tokens"} & set(_mapping(head, path))) == 3


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file with these columns.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    mapping = _mapping(read_head(path), path)
    for target in ("timestamp", "input_tokens", "output_tokens"):
        if target not in mapping:
            wanted = " or ".join(_NAMES[target])
            raise TraceError(
                str(path),
                f"has no column {wanted}; name another one with --map",
                field=_NAMES[target][0],
                kind="column",
            )
    return mapped.read(path, mapping=mapping, skip_bad_rows=skip_bad_rows, format=NAME)


def _mapping(head: bytes, path: Path) -> dict[str, str]:
    found = set(_columns(head, path))
    mapping = {}
    for target, names in _NAMES.items():
        for name in names:
            if name in found:
                mapping[target] = f"{name}:s" if target == "timestamp" else name
                break
    return mapping


def _columns(head: bytes, path: Path) -> list[str]:
    if head.startswith(PARQUET):
        return list(parquet_names(head, path))
    if not head.lstrip().startswith(b"{"):
        return split_header(head)[0]
    try:
        return list(parse(head.lstrip().partition(b"\n")[0]))
    except BadField:
        return []
