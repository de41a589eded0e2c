"""A tape as the plots use it: times of its requests, its summary, and its events counted into bins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...measure.latencies import RequestTimes, request_times
from ...measure.slo import Slo
from ...measure.statistic import Statistic
from ...measure.summary import Summary, summarize
from ...tape.read import Tape
from .axis import counted
from .bins import time_edges
from .event_bins import EventGrid, count_events

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """A tape prepared for drawing. Times are in ns as floats; axes begin at `start_ns`."""

    name: str
    tape: Tape
    slos: tuple[Slo, ...]

    @cached_property
    def summary(self) -> Summary:
        """Summary of the tape; the numbers in the plots come from it."""
        return summarize(self.tape, self.slos)

    @cached_property
    def is_main(self) -> NDArray[np.bool_]:
        """Mask of the requests in the main phase."""
        chosen: NDArray[np.bool_] = pc.equal(self.tape.requests["phase"], "main").to_numpy()
        return chosen

    @cached_property
    def main(self) -> pa.Table:
        """Requests of the main phase."""
        return self.tape.requests.filter(pa.array(self.is_main))

    @cached_property
    def times(self) -> RequestTimes:
        """Requests of the main phase."""
        return self._times(self.main)

    @cached_property
    def every(self) -> RequestTimes:
        """All requests, those of the warm-up included."""
        return self._times(self.tape.requests)

    def _times(self, requests: pa.Table) -> RequestTimes:
        """Times without first tokens if responses were not streamed, as in the summary."""
        times = request_times(requests)
        if self.tape.manifest.get("streaming") is not False:
            return times
        return replace(times, first_token=np.full_like(times.first_token, np.nan))

    @cached_property
    def start_ns(self) -> float:
        """Zero of the time axes: when the first request was due or sent."""
        found = np.concatenate([self.every.scheduled, self.every.sent])
        return float(np.nanmin(found)) if len(found) else 0.0

    @cached_property
    def end_ns(self) -> float:
        """Time of the last event of any request."""
        every = self.every
        found = np.concatenate([every.scheduled, every.sent, every.last_token, every.end])
        return float(np.nanmax(found)) if len(found) else 0.0

    @cached_property
    def warmup_end_s(self) -> float | None:
        """Return when the first request of the main phase is due; None without a warm-up."""
        if self.is_main.all() or not self.is_main.any():
            return None
        return (float(np.nanmin(self.times.scheduled)) - self.start_ns) / 1e9

    @cached_property
    def edges_s(self) -> Floats:
        """Edges of the bins of time axes, in s after start_ns."""
        return time_edges((self.end_ns - self.start_ns) / 1e9)

    @cached_property
    def gaps(self) -> Statistic:
        """The summary's row of ITL, or of inter-chunk latency if an event's tokens are unknown."""
        return next(s for s in self.summary.statistics if s.metric in {"itl", "inter_chunk_latency"})

    @property
    def per_token(self) -> bool:
        """True: the summary's gaps are between tokens. False: they are between chunks."""
        return self.gaps.metric == "itl"

    @cached_property
    def events(self) -> EventGrid:
        """Events counted into bins; read once, in batches."""
        return count_events(
            self.tape, self.is_main, self.per_token, (self.edges_s * 1e9 + self.start_ns).astype(np.int64)
        )

    @cached_property
    def footer(self) -> str:
        """Return the model, endpoint and server of a run in one line."""
        requests = self.tape.requests
        parts = [self.name]
        if len(requests):
            parts += filter(None, (common(requests[name]) for name in ("model", "endpoint", "url")))
        rate = self.rate_rps
        parts.append(counted(len(requests), "request") + (f" at {rate:,.4g}/s" if rate else ""))
        started = datetime.fromtimestamp(int(self.tape.manifest["epoch_unix_ns"]) / 1e9, UTC)
        return "  ·  ".join([*parts, f"{started:%Y-%m-%d %H:%M} UTC", self.summary.verdict.state])

    @property
    def rate_rps(self) -> float | None:
        """Return the planned requests per second of the main phase."""
        due = self.times.scheduled
        span = float(np.ptp(due)) if len(due) > 1 else 0.0
        return (len(due) - 1) / span * 1e9 if span else None


def common(column: pa.ChunkedArray) -> str:
    """Return the most frequent value and the number of other values."""
    counts = pc.value_counts(column).to_pylist()
    first = str(max(counts, key=lambda entry: entry["counts"])["values"]).partition("?")[0]
    return first + (f" and {len(counts) - 1} more" if len(counts) > 1 else "")


def what_gaps_are_between(runs: Sequence[Run]) -> str:
    """Return "tokens", or "chunks" if some events have an unknown number of tokens."""
    known = [run.per_token for run in runs]
    return "tokens" if all(known) else "tokens or chunks" if any(known) else "chunks"


def runs_of(tapes: Sequence[Tape], slos: Sequence[Slo] = ()) -> list[Run]:
    """Return runs with different names: the tape's name, or its path if two tapes have the same name."""
    names = [tape.path.resolve().name.removesuffix(".tape") for tape in tapes]
    if len(set(names)) < len(names):
        names = [str(tape.path) for tape in tapes]
    return [Run(name, tape, tuple(slos)) for name, tape in zip(names, tapes, strict=True)]
