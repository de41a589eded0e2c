"""Prefix reuse of a trace under an infinite prefix cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..table import Trace, one_array

_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class PlannedReuse:
    """What the requests of a trace could have taken from those before them.

    Attributes:
        blocks: All block ids.
        hit_blocks: Those in the leading run of a request's ids that earlier requests had too.
        tokens: Input tokens of all requests.
        hit_tokens: Tokens that the hit blocks stand for; of a part-filled last block those that are in it.
    """

    blocks: int
    hit_blocks: int
    tokens: int
    hit_tokens: int


def planned_reuse(trace: Trace) -> PlannedReuse | None:
    """The reuse of a trace in its order; None when it has no block ids.

    Ids are numbered in the order of their first appearance, so an id is one of an earlier request if its number
    is below how many there were before the request.
    """
    if not trace.block_tokens:
        return None
    column: Any = one_array(trace.table["block_ids"])
    inputs = trace.table["input_tokens"].to_numpy().astype(np.int64)
    numbers: Any = column.flatten().dictionary_encode().indices.to_numpy()
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    ends = np.cumsum(lengths)
    known = blocks = tokens = 0
    for first in range(0, len(lengths), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        begin = int(ends[first] - lengths[first])
        hits, known = _leading_hits(numbers[begin : int(ends[rows][-1])], lengths[rows], known)
        blocks += int(hits.sum())
        tokens += int(np.minimum(hits * trace.block_tokens, inputs[rows]).sum())
    return PlannedReuse(len(numbers), blocks, int(inputs.sum()), tokens)


def _leading_hits(numbers: Any, lengths: Any, known: int) -> tuple[Any, int]:
    """For each of some successive rows the run of first ids that are known; and how many are known afterwards.

    Args:
        numbers: The rows' ids, one row after the other.
        lengths: How many each row has.
        known: How many ids there were before the first of these rows.
    """
    starts = np.cumsum(lengths) - lengths
    highest = np.maximum.accumulate(np.concatenate([[known - 1], numbers]))  # at i: before the id at i
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    fresh = np.flatnonzero(numbers > highest[starts][row_of]) if len(numbers) else np.zeros(0, np.int64)
    hits = lengths.copy()
    rows, places = np.unique(row_of[fresh], return_index=True)
    hits[rows] = fresh[places] - starts[rows]
    return hits, int(highest[-1]) + 1
