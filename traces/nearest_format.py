"""The known format that is nearest to a file of no known format, and its columns that the file lacks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from .reading.csv_rows import split_header
from .reading.field_checks import shown
from .reading.files import PARQUET
from .reading.parquet_columns import parquet_names

_KEY = re.compile(r'"(\w{1,40})"\s*:', re.ASCII)

NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "mooncake": ("timestamp", "input_length", "output_length", "hash_ids"),
    "bailian": ("chat_id", "parent_chat_id", "timestamp", "input_length", "output_length", "hash_ids"),
    "azure": ("TIMESTAMP", "ContextTokens", "GeneratedTokens"),
    "burstgpt": ("Timestamp", "Model", "Request tokens", "Response tokens"),
    "tracelab": ("session_id", "round_idx", "prefix_len", "input_len", "output_len", "tool_wait_after_ms"),
    "aibrix": ("timestamp", "requests", "Prompt"),
    "lmcache": ("session_id", "input", "output", "timestamp"),
    "vllm": ("arrival_time", "prompt_len", "output_len"),
    "baseten": ("timestamp_start_unix_ms", "input_tokens", "output_tokens"),
    "openai-batch": ("custom_id", "method", "url", "body"),
    "sagemaker": ("captureData", "eventMetadata"),
    "sharegpt": ("conversations", "from", "value"),
    "chat": ("messages", "role", "content"),
    "otel": ("traceId", "spanId", "startTimeUnixNano", "endTimeUnixNano", "attributes"),
    "weka": ("requests", "models", "block_size"),
}
"""Columns or keys by which a person would recognise a format."""


@dataclass(frozen=True)
class Nearest:
    """The nearest format.

    Attributes:
        name: Its name.
        missing: What the file lacks of it.
    """

    name: str
    missing: tuple[str, ...]


def names_in(head: bytes, path: Path) -> tuple[str, list[str]]:
    """Return what a file's names are called, "columns" or "keys", and the names; empty where it shows none."""
    if head.startswith(PARQUET):
        return "columns", sorted(parquet_names(head, path))
    line = next((line for line in head.splitlines() if line.strip()), b"").strip()
    text = line.decode(errors="replace")
    if text.startswith(("{", "[")):
        try:
            record = json.loads(text)
            first = list(record) if isinstance(record, dict) else []
        except (ValueError, RecursionError):
            first = []
        if len(text) < 3:  # an object over many lines
            text = head[:4096].decode(errors="replace")
        return "keys", list(dict.fromkeys([*first, *_KEY.findall(text)]))
    names, _ = split_header(head)
    return "columns", names if len(names) > 1 else []


def nearest(names: list[str]) -> Nearest | None:
    """Return the format that shares most of its names with these, or None where none shares two, or one of two.

    Names that differ in case, or by a letter or two, count half: they may be what is missing under another spelling.
    """
    best: tuple[float, Nearest] | None = None
    known = set(names)
    lower = [name.lower() for name in names]
    for name, needed in NEEDED.items():
        missing = tuple(one for one in needed if one not in known)
        alike = sum(bool(get_close_matches(one.lower(), lower, n=1, cutoff=0.6)) for one in missing)
        share = (len(needed) - len(missing) + alike / 2) / len(needed)
        if share >= 0.4 and (best is None or share > best[0]):
            best = share, Nearest(name, missing)
    return None if best is None else best[1]


def unknown_format(head: bytes, path: Path) -> str:
    """Return what to tell a user about a file of no known format."""
    kind, names = names_in(head, path)
    advice = "Run `tokentape trace formats` for all formats, or name the columns with --map"
    if not names:
        line = next((line for line in head.splitlines() if line.strip()), b"").strip()
        return f"is not a known trace format: it begins with {shown(line.decode(errors='replace'))}. {advice}"
    found = shown(", ".join(names[:12]))
    near = nearest(names)
    if near is None:
        return f"is not a known trace format: its {kind} are {found}. {advice}"
    return (
        f"is not a known trace format. Nearest: {near.name}, but {_lack(kind, near.missing)} (found: {found}). {advice}"
    )


def _lack(kind: str, missing: tuple[str, ...]) -> str:
    if not missing:
        return "its rows differ"
    if len(missing) == 1:
        return f"its {kind.removesuffix('s')} {missing[0]} is missing"
    return f"its {kind} {', '.join(missing[:-1])} and {missing[-1]} are missing"
