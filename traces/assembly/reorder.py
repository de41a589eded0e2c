"""Reorder the rows of a column without a third copy in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_PIECE_BYTES = 8 << 20
_ARRAY_UNITS = 2**31 - 1  # bytes, or entries of lists, that the 32-bit offsets of one array reach


def reordered(column: Any, order: NDArray[np.int64], array_units: int = _ARRAY_UNITS) -> Any:
    """A column's rows in another order.

    Arrow's own take gathers what has no fixed width in a buffer that it doubles as it grows. Here the new buffer has
    its size from the start, and the old rows go to their places in it piece by piece: at the most both are held.

    Args:
        column: Arrow array or chunked array; of strings, bytes or lists of numbers where it is not of fixed width.
        order: The old index of each new row; each index occurs once.
        array_units: How many bytes, or entries of lists, one array of the result may hold.

    Returns:
        The reordered column; a chunked array if one array cannot hold it.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    kind = column.type
    lists = pa.types.is_list(kind)
    if not (lists or pa.types.is_string(kind) or pa.types.is_binary(kind)):
        return column.take(pa.array(order))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    lengths = np.concatenate([_lengths(chunk) for chunk in chunks] or [np.zeros(0, np.int64)])[order]
    ends = np.cumsum(lengths)
    starts = ends - lengths
    data = np.empty(int(lengths.sum()), kind.value_type.to_pandas_dtype() if lists else np.uint8)
    row = 0
    for piece in _pieces(chunks):
        _lay_down(piece, place[row : row + len(piece)], starts, data)
        row += len(piece)
    valid = column.is_valid().to_numpy(zero_copy_only=False)[order] if column.null_count else None
    arrays = []
    first = 0
    while first < len(order):
        base = int(starts[first])
        last = max(first + 1, int(np.searchsorted(ends, base + array_units, "right")))
        offsets = np.append(0, ends[first:last] - base).astype(np.int32)
        arrays.append(_array(kind, offsets, data[base : ends[last - 1]], None if valid is None else valid[first:last]))
        first = last
    return arrays[0] if len(arrays) == 1 else pa.chunked_array(arrays, kind)


def _lengths(array: Any) -> NDArray[np.int64]:
    """Bytes or entries of each row, 0 for a null."""
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    lengths = np.diff(offsets).astype(np.int64)
    return np.where(array.is_valid().to_numpy(zero_copy_only=False), lengths, 0) if array.null_count else lengths


def _pieces(chunks: list[Any]) -> Iterator[Any]:
    """Yield the rows, a few megabytes at a time."""
    for chunk in chunks:
        rows = max(1, len(chunk) * _PIECE_BYTES // max(_PIECE_BYTES, chunk.nbytes))
        for first in range(0, len(chunk), rows):
            yield chunk.slice(first, rows)


def _lay_down(piece: Any, places: NDArray[np.int64], starts: NDArray[np.int64], data: NDArray[Any]) -> None:
    """Copy rows to where they belong; where most become neighbours, these go as one."""
    near = np.argsort(places)
    if piece.null_count or 2 * np.count_nonzero(np.diff(places[near]) == 1) > len(places):
        piece, places = piece.take(pa.array(near)), places[near]
    if pa.types.is_list(piece.type):
        values = piece.flatten().to_numpy()
    else:
        begin = np.frombuffer(piece.buffers()[1], np.int32)[piece.offset]
        values = np.frombuffer(piece.buffers()[2] or b"", np.uint8)[begin:]
    offsets = np.append(0, np.cumsum(_lengths(piece)))
    heads = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    tails = np.append(heads[1:], len(places))
    runs = (starts[places[heads]], offsets[heads], offsets[tails])
    for at, begin, end in zip(*(run.tolist() for run in runs), strict=True):
        data[at : at + end - begin] = values[begin:end]


def _array(kind: Any, offsets: NDArray[np.int32], values: NDArray[Any], valid: NDArray[np.bool_] | None) -> Any:
    """Return a column made of its parts without copying them."""
    present = None if valid is None else pa.array(valid).buffers()[1]
    starts = pa.py_buffer(offsets)
    if pa.types.is_list(kind):
        return pa.Array.from_buffers(kind, len(offsets) - 1, [present, starts], children=[pa.array(values)])
    return pa.Array.from_buffers(kind, len(offsets) - 1, [present, starts, pa.py_buffer(values)])
