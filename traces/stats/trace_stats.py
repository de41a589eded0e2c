"""All statistics of a trace in one go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..table import Trace
from .arrival_stats import Arrivals, arrivals
from .reuse import reuse
from .session_shape import SessionShape, session_shape

CAPACITIES = (1_000, 5_000, 10_000, 30_000, 50_000, 100_000, 300_000, 1_000_000, 3_000_000)


@dataclass(frozen=True)
class Lengths:
    """Quantiles of lengths in tokens, by linear interpolation."""

    avg: float
    p50: float
    p90: float
    p99: float
    max: int


@dataclass(frozen=True)
class BlockReuse:
    """Sharing of prefix blocks.

    Attributes:
        block_tokens: Tokens of one block.
        blocks: All block ids.
        distinct: Different ones.
        infinite: Share of blocks that an infinite cache has.
        lru: Pairs of a capacity in blocks and the share that an LRU cache of it has; exact.
    """

    block_tokens: int | None
    blocks: int
    distinct: int
    infinite: float
    lru: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class TraceStats:
    """What a trace is like. Shares are from 0 to 1; times are in seconds where the name says so."""

    source: str
    format: str
    rows: int
    span_s: float
    arrivals: Arrivals
    input_tokens: Lengths
    output_tokens: Lengths
    reuse: BlockReuse | None
    sessions: SessionShape | None
    models: int
    warnings: tuple[str, ...]
    transforms: tuple[str, ...]


def stats(trace: Trace, *, capacities: tuple[int, ...] = CAPACITIES) -> TraceStats:
    """Compute all statistics of a trace with at least one row.

    Args:
        trace: The trace.
        capacities: Sizes in blocks for the LRU curve; those above the number of distinct blocks are left out,
            but for the first of them.
    """
    table = trace.table
    arrival = table["arrival_ns"].to_numpy()
    return TraceStats(
        source=trace.source,
        format=trace.format,
        rows=len(trace),
        span_s=int(arrival[-1] - arrival[0]) / 1e9,
        arrivals=arrivals(arrival),
        input_tokens=_lengths(table["input_tokens"].to_numpy()),
        output_tokens=_lengths(table["output_tokens"].to_numpy()),
        reuse=_block_reuse(trace, capacities),
        sessions=session_shape(table),
        models=len(table["model"].combine_chunks().drop_null().unique()),
        warnings=trace.notes,
        transforms=trace.transforms,
    )


def _lengths(values: NDArray[Any]) -> Lengths:
    p50, p90, p99 = (float(value) for value in np.quantile(values, (0.5, 0.9, 0.99)))
    return Lengths(float(values.mean()), p50, p90, p99, int(values.max()))


def _block_reuse(trace: Trace, capacities: tuple[int, ...]) -> BlockReuse | None:
    curve = reuse(trace.table["block_ids"])
    if curve is None:
        return None
    sizes = [size for size in capacities if size <= curve.distinct]
    sizes += [size for size in capacities if size > curve.distinct][:1]
    return BlockReuse(
        block_tokens=trace.block_tokens,
        blocks=curve.blocks,
        distinct=curve.distinct,
        infinite=curve.rate,
        lru=tuple((size, curve.hit_rate(size)) for size in sizes),
    )
