"""Block ids: collect them row by row in one compact column, and find the block size that fits them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import TraceError
from ..reading.field_checks import BadField, shown
from ..table import Rounding

INT32_MAX = 2**31 - 1
_USUAL = (16, 32, 64, 128, 256, 512, 1024, 2048)


class BlockLists:
    """Rows of block ids, taken in batch by batch, at four bytes an id.

    Ids that are negative or beyond int32 make all ids be numbered anew, densely in order of appearance.

    Attributes:
        renumbered: Whether that happened.
    """

    def __init__(self) -> None:
        self.renumbered = False
        self._flat: list[NDArray[np.int32]] = []
        self._lengths: list[NDArray[np.int64]] = []
        self._dense: dict[int, int] = {}

    def add(self, rows: Sequence[Sequence[int] | None], offset: int = 0) -> int:
        """Append one list per row; None where a row has none.

        Args:
            rows: The lists.
            offset: Added to each id.

        Returns:
            The greatest id, without the offset; -1 without any.
        """
        lengths = np.fromiter((-1 if row is None else len(row) for row in rows), np.int64, len(rows))
        self._lengths.append(lengths)
        total = int(lengths[lengths > 0].sum())
        if not self.renumbered:
            try:
                flat = np.fromiter(chain.from_iterable(row for row in rows if row), np.int64, total)
            except OverflowError:
                self._number_anew()
            else:
                most = int(flat.max()) if total else -1
                if not total or (int(flat.min()) + offset >= 0 and most + offset <= INT32_MAX):
                    flat += offset
                    self._flat.append(flat.astype(np.int32))
                    return most
                self._number_anew()
        ids = (block + offset for block in chain.from_iterable(row for row in rows if row))
        self._flat.append(self._numbers(ids, total))
        return max((max(row) for row in rows if row), default=-1)

    def _number_anew(self) -> None:
        self.renumbered = True
        self._flat = [self._numbers(chunk.tolist(), len(chunk)) for chunk in self._flat]

    def _numbers(self, ids: Any, total: int) -> NDArray[np.int32]:
        dense = self._dense
        return np.fromiter((dense.setdefault(block, len(dense)) for block in ids), np.int32, total)

    def array(self, source: str) -> Any:
        """All rows as list<int32>, null where a row has no list, in chunks that are the batches; they are let go.

        Raises:
            TraceError: There are more ids than one list column holds.
        """
        _check_total(source, sum(map(len, self._flat)))
        lists = [list_array(source, flat, lengths) for flat, lengths in zip(self._flat, self._lengths, strict=True)]
        self._flat, self._lengths = [], []
        return pa.chunked_array(lists, pa.list_(pa.int32()))


def list_array(source: str, flat: NDArray[np.int32], lengths: NDArray[np.int64]) -> Any:
    """A list<int32> column from its values and lengths; a length of -1 is a null.

    Raises:
        TraceError: There are more values than offsets of 32 bits reach.
    """
    _check_total(source, len(flat))
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(np.maximum(lengths, 0), out=offsets[1:])
    missing = lengths < 0
    arrays: Any = (pa.array(offsets), pa.array(flat))
    mask: Any = pa.array(missing) if missing.any() else None
    return pa.ListArray.from_arrays(*arrays, mask=mask)


def _check_total(source: str, ids: int) -> None:
    if ids > INT32_MAX:
        raise TraceError(source, f"has {ids:,} block ids; a trace holds up to {INT32_MAX:,}. Split the file")


def due_blocks(tokens: Any, size: int, rounding: Rounding) -> Any:
    """Return how many block ids a prompt has; of a number or an array."""
    return -(-tokens // size) if rounding == "ceil" else tokens // size


def checked_ids(field: str, value: Any, tokens: int, size: int, rounding: Rounding) -> list[int] | None:
    """Return the checked block ids of a row that was read as JSON; None if it has none.

    Raises:
        BadField: They are no list of whole numbers, or not as many as the prompt has blocks.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise BadField(field, f"{shown(value)} is not a list of block ids")
    for index, block in enumerate(value):
        if not isinstance(block, int) or isinstance(block, bool):
            raise BadField(field, f"entry {index + 1}, {shown(block)}, is not a whole number")
    if len(value) != due_blocks(tokens, size, rounding):
        raise BadField(field, wrong_count(len(value), tokens, size, rounding))
    return value


def wrong_count(ids: int, tokens: int, size: int, rounding: Rounding) -> str:
    """Return what is wrong with a number of block ids, and which usual block size would explain it."""
    way = "up" if rounding == "ceil" else "down"
    due = due_blocks(tokens, size, rounding)
    problem = f"has {ids:,} for {tokens:,} input tokens; blocks of {size} rounded {way} make {due:,}"
    for usual in (size, *_USUAL):
        for name, count in (("up", -(-tokens // usual)), ("down", tokens // usual)):
            if count == ids:
                return f"{problem}; blocks of {usual} rounded {name} would fit"
    return f"{problem}; no usual block size would fit"
