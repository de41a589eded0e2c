"""Gaps between tokens, from the events of a tape, in one pass over its row groups."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..tape.schema import TOKEN_KINDS

COLUMNS = ("request_id", "event", "arrival_ns", "kind", "tokens", "coalesced")
_NONE = np.iinfo(np.int64).min


@dataclass
class Gaps:
    """Gaps and counts of the events of a tape's main phase."""

    samples_ns: NDArray[Any]
    """Per token: the gap before its event, divided by the event's tokens. Not per token: one sample per gap."""
    per_token: bool
    """Whether the gaps are between tokens. False: an event's token count is unknown, so they are between chunks."""
    events: int = 0
    coalesced: int = 0
    output_events: int = 0
    coalesced_output: int = 0
    token_events: int = 0
    tokens_in_window: float = 0.0
    """Output tokens that arrived before the window's end; each event counts as its request's mean tokens per event."""
    unknown_requests: int = 0
    """Requests that have events but no row in the requests table (recovered tapes)."""


@dataclass
class _Found:
    gaps: list[NDArray[np.int64]] = field(default_factory=list)
    counts: list[NDArray[np.int32] | None] = field(default_factory=list)
    """Tokens of the event after each gap, -1 unknown; None where all are 1."""


def measure_gaps(
    batches: Iterable[pa.Table],
    request_id: NDArray[np.int64],
    measured: NDArray[np.bool_],
    one_token: NDArray[np.bool_],
    tokens_per_event: NDArray[np.float64],
    window_end_ns: int,
) -> Gaps:
    """Read the events once; only one batch and the gaps are in memory.

    Args:
        batches: COLUMNS of EVENTS, `kind` as a dictionary. Over all batches the events of a request are in order;
            rows of different requests may be mixed.
        request_id: Ids of all requests of the tape, ascending.
        measured: Whether each request is in the main phase.
        one_token: Whether each token event of the request is known to hold one token.
        tokens_per_event: Output tokens / token events of each request.
        window_end_ns: End of the window in which tokens are counted.
    """
    found = _Found()
    result = Gaps(np.empty(0, np.int64), True)
    if not len(request_id):  # a row that matches no event, so that look-ups need no empty case
        request_id, measured = np.array([_NONE]), np.zeros(1, np.bool_)
        one_token, tokens_per_event = np.zeros(1, np.bool_), np.zeros(1)
    last_ns = np.full(len(request_id), _NONE)
    unknown: set[int] = set()
    for batch in batches:
        result.events += batch.num_rows
        result.coalesced += pc.sum(batch["coalesced"]).as_py() or 0
        rows = token_rows(batch)
        late = batch["coalesced"].to_numpy()[rows]
        result.output_events += len(late)
        result.coalesced_output += int(late.sum())
        ids, arrival, tokens = _columns(batch, rows)
        if not len(ids):
            continue
        starts = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))
        place, is_known = _places(request_id, ids[starts])
        unknown.update(ids[starts][~is_known].tolist())
        is_known &= measured[place]
        if len(np.unique(ids[starts])) < len(starts):
            order = np.lexsort((batch["event"].to_numpy()[rows], ids))
            ids, arrival = ids[order], arrival[order]
            tokens = None if tokens is None else tokens[order]
            starts = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1))
            place, is_known = _places(request_id, ids[starts])
            is_known &= measured[place]
        ends = np.append(starts[1:], len(ids))
        gaps = np.empty(len(ids), np.int64)
        gaps[1:] = arrival[1:] - arrival[:-1]
        keep = np.ones(len(ids), np.bool_)
        previous = np.where(is_known, last_ns[place], _NONE)
        keep[starts] = previous != _NONE
        gaps[starts] = np.where(keep[starts], arrival[starts] - previous, 0)
        last_ns[place[is_known]] = arrival[ends - 1][is_known]
        lengths = ends - starts
        if not is_known.all():
            keep &= np.repeat(is_known, lengths)
        result.token_events += int(lengths[is_known].sum())
        early = np.add.reduceat(arrival <= window_end_ns, starts, dtype=np.int64)
        result.tokens_in_window += float((early * tokens_per_event[place])[is_known].sum())
        single = one_token[place]
        found.gaps.append(gaps[keep])
        found.counts.append(_counts(tokens, single, lengths, keep))
    result.unknown_requests = len(unknown)
    return _expanded(found, result)


def token_rows(batch: pa.Table) -> NDArray[np.int64] | slice:
    kind = batch["kind"].combine_chunks()
    if isinstance(kind, pa.ChunkedArray):
        kind = kind.chunk(0) if kind.num_chunks else pa.array([], kind.type)
    words = kind.dictionary.to_pylist()
    codes = kind.indices.to_numpy(zero_copy_only=False)
    wanted = np.array([word in TOKEN_KINDS for word in words], np.bool_)
    if len(codes) and wanted.all():
        return slice(None)
    return np.flatnonzero(wanted[codes]) if len(codes) else np.empty(0, np.int64)


def _columns(
    batch: pa.Table, rows: NDArray[np.int64] | slice
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32] | None]:
    ids = batch["request_id"].to_numpy()[rows]
    arrival = batch["arrival_ns"].to_numpy()[rows]
    column = batch["tokens"]
    if column.null_count == len(column):
        return ids, arrival, None
    return ids, arrival, pc.fill_null(column, -1).to_numpy()[rows]


def _places(request_id: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    place = np.minimum(np.searchsorted(request_id, wanted), len(request_id) - 1)
    return place, request_id[place] == wanted


def _counts(
    tokens: NDArray[np.int32] | None,
    single: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    keep: NDArray[np.bool_],
) -> NDArray[np.int32] | None:
    if tokens is None and single.all():
        return None
    assumed = np.repeat(np.where(single, 1, -1).astype(np.int32), lengths)
    counts = assumed if tokens is None else np.where(tokens >= 0, tokens, assumed)
    counts = counts[keep]
    return None if (counts == 1).all() else counts


def _expanded(found: _Found, result: Gaps) -> Gaps:
    result.per_token = all(counts is None or (counts >= 0).all() for counts in found.counts)
    parts: list[NDArray[Any]] = []
    for gaps, counts in zip(found.gaps, found.counts, strict=True):
        if counts is None or not result.per_token:
            parts.append(gaps)
        else:
            # An event known to hold no whole token still gives one sample, because the user waited for it.
            each = np.maximum(counts, 1)
            parts.append(np.repeat(gaps / each, each))
    found.gaps.clear()
    result.samples_ns = np.concatenate(parts) if parts else np.empty(0, np.int64)
    return result
