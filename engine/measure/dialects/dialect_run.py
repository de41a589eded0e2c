"""Input of the dialects: the main phase of one tape, or of several that count as one run."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...tape.read import Tape

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_COLUMNS: Final = (
    *("request_id", "phase", "endpoint", "model", "outcome", "scheduled_ns", "sent_ns", "end_ns", "last_token_ns"),
    *("received_ns", "session_id"),
    *("input_tokens", "output_tokens", "server_reasoning_tokens", "token_source", "output_events"),
)


@dataclass(frozen=True)
class Chunks:
    """Events of the selected kinds, grouped by request, in order of arrival.

    Attributes:
        starts: Offsets, one more than there are requests; request r has the chunks starts[r] to starts[r + 1].
        at_ns: Arrival time of each chunk, in ns.
    """

    starts: NDArray[np.int64]
    at_ns: NDArray[np.int64]

    @property
    def count(self) -> NDArray[np.int64]:
        """Number of chunks of each request."""
        return np.diff(self.starts)

    def nth(self, n: int) -> Floats:
        """Return the time of each request's n-th chunk, counted from 0, or from the end if negative; NaN without it."""
        there = self.count > n if n >= 0 else self.count >= -n
        places = (self.starts[:-1] if n >= 0 else self.starts[1:]) + n
        stamps = np.full(len(there), np.nan)
        stamps[there] = self.at_ns[places[there]]
        return stamps

    def gaps_ns(self, of: Mask) -> Floats:
        """Return the gaps between neighbouring chunks of the selected requests, in one array."""
        within = np.ones(max(len(self.at_ns) - 1, 0), np.bool_)
        borders = self.starts[1:-1] - 1
        within[borders[(borders >= 0) & (borders < len(within))]] = False
        wanted = np.repeat(of, self.count)[1:]
        gaps: Floats = np.diff(self.at_ns)[within & wanted].astype(np.float64)
        return gaps

    def stamps_ns(self, of: Mask) -> NDArray[np.int64]:
        """Return the times of the chunks of the selected requests, in one array."""
        return self.at_ns[np.repeat(of, self.count)]


@dataclass(frozen=True)
class Run:
    """Requests of the main phase, by tape and request_id; times in ns since the earliest epoch, NaN without one.

    Attributes:
        tapes: The tapes that the requests were read from.
        part: Index of each request's tape.
        request_id: Each request's id on its tape.
        ok: Whether the request succeeded.
        sent: Send time; on a server's own tape, the arrival time.
        end: Time of the last event or of the end.
        isl, osl: Input and output tokens; NaN where the count is unknown.
        reasoning: Reasoning tokens in the output as reported by the server; 0 without a report.
        endpoint: The API of most requests.
        generates: Whether responses have output tokens; those of embeddings and rankings do not.
        session: Index of each request's session in `sessions`; -1 without a session.
        sources: Number of successful requests by the source of their output token count: server, tokenizer, events.
    """

    tapes: tuple[Tape, ...]
    part: NDArray[np.int64]
    request_id: NDArray[np.int64]
    ok: Mask
    scheduled: Floats
    sent: Floats
    end: Floats
    isl: Floats
    osl: Floats
    reasoning: Floats
    endpoint: str
    generates: bool
    model: str
    session: NDArray[np.int64]
    sessions: tuple[str, ...]
    sources: dict[str, int]

    @property
    def failed(self) -> int:
        """Number of requests that did not succeed, cancelled ones included."""
        return int((~self.ok).sum())

    @cached_property
    def streaming(self) -> bool:
        """Return whether responses were streamed. If no manifest says it, some response must have several chunks."""
        said = [tape.manifest.get("streaming") for tape in self.tapes]
        known = [value for value in said if isinstance(value, bool)]
        return any(known) if known else bool((self.chunks(("token", "reasoning", "tool_call")).count > 1).any())

    def chunks(self, kinds: Collection[str] | None = None) -> Chunks:
        """Read the events of these kinds (None: all kinds) from the tapes. Sorting takes 50 bytes for each event."""
        places: list[NDArray[np.int64]] = []
        stamps: list[NDArray[np.int64]] = []
        for number, tape in enumerate(self.tapes):
            mine = np.flatnonzero(self.part == number)
            ids = self.request_id[mine]
            for batch in tape.event_batches(("request_id", "arrival_ns", "kind"), words=False):
                rows = _of_kinds(batch, kinds)
                place = np.searchsorted(ids, request_id := batch["request_id"].to_numpy()[rows])
                known = place < len(ids)
                known[known] = ids[place[known]] == request_id[known]
                places.append(mine[place[known]])
                stamps.append(batch["arrival_ns"].to_numpy()[rows][known] + _offset(self.tapes, tape))
        place = np.concatenate(places) if places else np.empty(0, np.int64)
        order = np.argsort(place, kind="stable")
        counts = np.bincount(place, minlength=len(self.ok))
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return Chunks(starts, (np.concatenate(stamps) if stamps else np.empty(0, np.int64))[order])


def run_of(tapes: Sequence[Tape]) -> Run:
    """Return the main phases of tapes as one run, on the common clock of their epochs.

    Args:
        tapes: At least one.
    """
    tables = []
    parts = []
    for number, tape in enumerate(tapes):
        table = tape.read("requests", _COLUMNS).sort_by("request_id")
        table = table.filter(pc.equal(table["phase"], "main"))
        offset = _offset(tapes, tape)
        for name in ("scheduled_ns", "sent_ns", "received_ns", "end_ns", "last_token_ns"):
            place = table.column_names.index(name)
            table = table.set_column(place, name, pc.add(table[name], pa.scalar(offset, pa.int64())))
        tables.append(table)
        parts.append(np.full(len(table), number, np.int64))
    rows = pa.concat_tables(tables)
    ok = pc.equal(rows["outcome"], "ok")
    counted = rows["token_source"].filter(pc.and_(ok, pc.greater(rows["output_tokens"], 0)))
    endpoint = _commonest(rows["endpoint"])
    sessions = rows["session_id"].combine_chunks().dictionary_encode()
    said = pc.greater(rows["output_events"].filter(ok), 0)
    return Run(
        tapes=tuple(tapes),
        part=np.concatenate(parts),
        request_id=rows["request_id"].to_numpy(),
        ok=ok.to_numpy(),
        scheduled=_floats(rows["scheduled_ns"]),
        sent=_floats(pc.coalesce(rows["sent_ns"], rows["received_ns"])),
        end=_floats(pc.coalesce(rows["end_ns"], rows["last_token_ns"])),
        isl=_floats(rows["input_tokens"]),
        osl=_floats(rows["output_tokens"]),
        reasoning=np.nan_to_num(_floats(rows["server_reasoning_tokens"])),
        endpoint=endpoint,
        generates=not endpoint.startswith("embed") and "rank" not in endpoint and pc.any(said).as_py() is not False,
        model=_commonest(rows["model"]),
        session=pc.fill_null(sessions.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64),
        sessions=tuple(sessions.dictionary.to_pylist()),
        sources=dict(Counter(counted.to_pylist()).most_common()),
    )


def _offset(tapes: Sequence[Tape], tape: Tape) -> int:
    """Return the difference between a tape's epoch and the earliest epoch, in ns."""
    epochs = [int(one.manifest["epoch_unix_ns"]) for one in tapes]
    return int(tape.manifest["epoch_unix_ns"]) - min(epochs)


def _commonest(column: pa.ChunkedArray) -> str:
    found = Counter(column.to_pylist()).most_common(1)
    return str(found[0][0]) if found else ""


def _of_kinds(batch: pa.Table, kinds: Collection[str] | None) -> NDArray[np.int64] | slice:
    if kinds is None or not batch.num_rows:
        return slice(None)
    kind = batch["kind"].unify_dictionaries().combine_chunks()
    if isinstance(kind, pa.ChunkedArray):
        kind = kind.chunk(0)
    wanted = np.array([word in kinds for word in kind.dictionary.to_pylist()], np.bool_)
    return np.flatnonzero(wanted[kind.indices.to_numpy(zero_copy_only=False)])


def _floats(column: pa.ChunkedArray) -> NDArray[Any]:
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return values
