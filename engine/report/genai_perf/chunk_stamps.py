"""Chunk stamps sorted by request, on disk: a tape's events are not sorted by request and may exceed the memory."""

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...tape.read import Tape


class Stamps:
    """Arrival times grouped by request, in an unnamed file that is removed with this object.

    Reads the events twice: to count them, and to write each stamp to its place. Holds one row group in memory.
    """

    def __init__(self, tape: Tape, request_id: NDArray[np.int64], kinds: Collection[str], folder: Path) -> None:
        """Read the stamps of a tape.

        Args:
            tape: A sealed tape.
            request_id: Ids of the selected requests, ascending.
            kinds: Kinds of the selected events.
            folder: Folder for the file, which takes 8 bytes per event.
        """
        counts = np.zeros(len(request_id), np.int64)
        for place, _ in _chunks(tape, request_id, kinds):
            counts += np.bincount(place, minlength=len(counts))
        self._starts = np.concatenate(([0], np.cumsum(counts)))
        with tempfile.TemporaryFile(dir=folder) as file:
            # The mapping outlives the descriptor. An empty file cannot be mapped, so the file has one extra stamp.
            self._stamps = np.memmap(file, np.int64, "w+", shape=(int(self._starts[-1]) + 1,))
        filled = self._starts[:-1].copy()
        for place, arrival in _chunks(tape, request_id, kinds):
            order = np.argsort(place, kind="stable")
            place, arrival = place[order], arrival[order]
            found, first, count = np.unique(place, return_index=True, return_counts=True)
            self._stamps[np.repeat(filled[found] - first, count) + np.arange(len(place))] = arrival
            filled[found] += count

    def of(self, place: int) -> NDArray[np.int64]:
        """Return the stamps of a request by its index among the selected ones; ns since the tape's epoch."""
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
