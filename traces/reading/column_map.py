"""The ``--map`` option: which column of a file is which column of a trace, and its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import TraceError
from ..table import Rounding
from .field_checks import shown

UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
ISO = "iso"

_TIMES = ("timestamp", "think", "duration")
_PLAIN = ("input_tokens", "output_tokens", "session_id", "model", "text")
_BLOCKS = re.compile(r"(\d{1,9})(ceil|floor)?", re.ASCII)
_EXAMPLE = "as in timestamp=ts_ms:ms,input_tokens=n_in,output_tokens=n_out"


@dataclass(frozen=True)
class Column:
    """One column of a file.

    Attributes:
        name: What the file calls it.
        unit_ns: For a time: nanoseconds of its unit; 0 for dates as text.
        block_tokens: For block ids: the tokens of a block.
        block_rounding: For block ids: whether a part-filled last block has one.
    """

    name: str
    unit_ns: int = 0
    block_tokens: int = 0
    block_rounding: Rounding = "ceil"


def parse_mapping(source: str, given: str | Mapping[str, str]) -> dict[str, Column]:
    """Columns of a trace and where they come from.

    Args:
        source: The file as the user named it, for messages.
        given: ``timestamp=ts_ms:ms,input_tokens=n_in,...`` or the same as a mapping,
            ``{"timestamp": "ts_ms:ms", ...}``. Known are timestamp (unit s, ms, us, ns, or iso for dates as text),
            input_tokens, output_tokens, and optionally session_id, model, text, think and duration (with a
            unit), block_ids (with the block's tokens, as in ``hash_ids:512`` or ``hash_ids:64floor``).

    Raises:
        TraceError: It is not of that form.
    """
    if isinstance(given, str):
        pairs = []
        for item in given.split(","):
            target, equals, column = item.partition("=")
            if not equals:
                raise TraceError(source, f"--map has {shown(item)}, where target=column belongs, {_EXAMPLE}")
            pairs.append((target.strip(), column.strip()))
    else:
        pairs = list(given.items())
    columns: dict[str, Column] = {}
    for target, column in pairs:
        if target in columns:
            raise TraceError(source, f"--map names {target} twice")
        columns[target] = _column(source, target, column)
    for needed in ("timestamp", "output_tokens"):
        if needed not in columns:
            raise TraceError(source, f"--map does not say which column is {needed}, {_EXAMPLE}")
    if "input_tokens" not in columns and "text" not in columns:
        raise TraceError(source, f"--map does not say which column is input_tokens, {_EXAMPLE}")
    return columns


def _column(source: str, target: str, column: str) -> Column:
    if target in _PLAIN:
        name, unit = column, ""
    else:
        name, _, unit = column.rpartition(":")
    if target in _TIMES:
        if unit == ISO and name and target == "timestamp":
            return Column(name)
        if unit not in UNITS or not name:
            units = ", ".join(UNITS) + (" or iso" if target == "timestamp" else "")
            raise TraceError(source, f"--map has {target}={column} without a unit; {units} belongs after a colon")
        return Column(name, unit_ns=UNITS[unit])
    if target == "block_ids":
        size = _BLOCKS.fullmatch(unit)
        if size is None or not name or not int(size[1]):
            problem = f"--map has block_ids={column}; the tokens of a block belong after a colon, as in hash_ids:512"
            raise TraceError(source, f"{problem} (part-filled last block: yes) or hash_ids:64floor (no)")
        return Column(name, block_tokens=int(size[1]), block_rounding="floor" if size[2] == "floor" else "ceil")
    if target not in _PLAIN:
        known = ", ".join((*_TIMES[:1], *_PLAIN, *_TIMES[1:], "block_ids"))
        raise TraceError(source, f"--map has no {shown(target)}; it has {known}")
    if not name:
        raise TraceError(source, f"--map has {target}= without a column, {_EXAMPLE}")
    return Column(name)
