"""The stamps of each request's chunks, on disk: a tape's events are not sorted by request, and may be many."""

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...tape.read import Tape


class Stamps:
    """Arrival times request by request, in a file without a name that is gone with this object.

    Two passes over the events: one counts, one writes each stamp to its place. The memory is that of a row group.
    """

    def __init__(self, tape: Tape, request_id: NDArray[np.int64], kinds: Collection[str], folder: Path) -> None:
        """Reads a tape.

        Args:
            tape: Whose events are read.
            request_id: The requests that are wanted, ascending.
            kinds: Of the events that are wanted.
            folder: Where there is room for 8 bytes an event.
        """
        counts = np.zeros(len(request_id), np.int64)
        for place, _ in _chunks(tape, request_id, kinds):
            counts += np.bincount(place, minlength=len(counts))
        self._starts = np.concatenate(([0], np.cumsum(counts)))
        with tempfile.TemporaryFile(dir=folder) as file:
            # The mapping outlives the descriptor. An empty file cannot be mapped: there is room for one stamp more.
            self._stamps = np.memmap(file, np.int64, "w+", shape=(int(self._starts[-1]) + 1,))
        filled = self._starts[:-1].copy()
        for place, arrival in _chunks(tape, request_id, kinds):
            order = np.argsort(place, kind="stable")
            place, arrival = place[order], arrival[order]
            found, first, count = np.unique(place, return_index=True, return_counts=True)
            self._stamps[np.repeat(filled[found] - first, count) + np.arange(len(place))] = arrival
            filled[found] += count

    def of(self, place: int) -> NDArray[np.int64]:
        """The stamps of a request, by its place among those that are wanted; ns since the tape's epoch."""
        found: NDArray[np.int64] = self._stamps[self._starts[place] : self._starts[place + 1]]
        return found


def _chunks(
    tape: Tape, request_id: NDArray[np.int64], kinds: Collection[str]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each row group the places of its chunks' requests, and their stamps, in the order of the file."""
    if not len(request_id):
        return
    for batch in tape.event_batches(("request_id", "arrival_ns", "kind"), words=False):
        if not batch.num_rows:
            continue
        kind = batch["kind"].unify_dictionaries().combine_chunks()
        if isinstance(kind, pa.ChunkedArray):
            kind = kind.chunk(0)
        wanted = np.array([word in kinds for word in kind.dictionary.to_pylist()], np.bool_)
        rows = np.flatnonzero(wanted[kind.indices.to_numpy(zero_copy_only=False)])
        ids = batch["request_id"].to_numpy()[rows]
        place = np.minimum(np.searchsorted(request_id, ids), len(request_id) - 1)
        known = request_id[place] == ids
        yield place[known], batch["arrival_ns"].to_numpy()[rows][known]
