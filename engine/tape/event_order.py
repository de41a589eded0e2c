"""The order of events in a sealed file, chosen so that stamps compress well.

Parquet's DELTA_BINARY_PACKED stores the differences of neighbours, each with the width of the widest
in its block. Gaps within a request are similar; a step back in time from one request's end to the
next one's start is expensive. So the rows of a request stay together, in the order of its events,
and each request is followed by one that started shortly after it ended, as on one connection. Time
steps back only where such a chain ends, and there are as many chains as requests in flight at once.
"""

import numpy as np
from numpy.typing import NDArray


def chain_order(
    request_id: NDArray[np.int64], event: NDArray[np.int32], arrival_ns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return row numbers in file order: requests in chains, each request's events ascending.

    Args:
        request_id, event, arrival_ns: Columns of one partition, of equal length, in any order.
    """
    if not len(request_id):
        return np.empty(0, np.int64)
    rows = _by_request(request_id)
    same = request_id[rows[1:]] == request_id[rows[:-1]]
    if (same & (event[rows[1:]] <= event[rows[:-1]])).any():  # a request's events came out of order
        rows = np.lexsort((event, request_id))
    starts = np.concatenate(([0], np.flatnonzero(~same) + 1))
    lengths = np.diff(np.append(starts, len(rows)))
    first, last = arrival_ns[rows[starts]], arrival_ns[rows[starts + lengths - 1]]
    mean_gap = int(((last - first).sum()) // max(int(lengths.sum()) - len(lengths), 1))
    segments = np.array(chains(first, last + mean_gap), np.int64)
    # Expand the segments to the position of each row of the file within the sorted rows.
    lengths, starts = lengths[segments], starts[segments]
    offsets = np.cumsum(lengths) - lengths
    order: NDArray[np.int64] = rows[np.arange(len(rows)) + np.repeat(starts - offsets, lengths)]
    return order


def chains(first: NDArray[np.int64], last: NDArray[np.int64]) -> list[int]:
    """Return spans in the order of chains: each is followed by one that begins soon after its end.

    Each span follows the span without a successor that ended last before it, as brackets are matched.

    Args:
        first, last: Start and end of each span.
    """
    count = len(first)
    points = np.argsort(np.concatenate((last, first)), kind="stable")
    ended: list[int] = []
    heads: list[int] = []
    successor = [-1] * count
    open_ = [False] * count
    for point in points.tolist():
        if point < count:
            if open_[point]:  # a span that ends before it begins can have no successor
                ended.append(point)
        elif ended:
            successor[ended.pop()] = point - count
            open_[point - count] = True
        else:
            heads.append(point - count)
            open_[point - count] = True
    order: list[int] = []
    for span in heads:
        while span >= 0:
            order.append(span)
            span = successor[span]
    return order


def _by_request(request_id: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a stable sort order by request. Numbers in a small range are sorted by 16-bit digits, in linear time."""
    low = request_id.min()
    spread = int(request_id.max()) - int(low)
    rows: NDArray[np.int64]
    if spread >= 1 << 32:
        rows = np.argsort(request_id, kind="stable")
        return rows
    offset = (request_id - low).astype(np.uint32)
    rows = np.argsort((offset & 0xFFFF).astype(np.uint16), kind="stable")
    if spread >= 1 << 16:
        rows = rows[np.argsort((offset >> 16).astype(np.uint16)[rows], kind="stable")]
    return rows
