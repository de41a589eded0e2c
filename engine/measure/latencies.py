"""The latencies of each request, and which requests count as infinitely slow.

A request that failed would have made a percentile worse, so it is a sample above all others:

- of TTFT, when it failed before its first token; a first token that came is a sample as it is;
- of end-to-end latency and TPOT, when it failed at all, for it did not come to its end;
- of the gaps between tokens, once, when it failed after its first token: the last gap never closed.

A request that was cancelled (the user's interrupt) is censored: what it had reached by then counts, its
end does not, and the summary says how many there were. Lateness is of requests that were sent. A
reply without token events that ended well (an embedding) ends with its last byte.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .statistic import Statistic, statistic

NS_PER_MS = 1e-6


TIME_COLUMNS: Final = (
    *("scheduled_ns", "released_ns", "sent_ns", "connect_start_ns", "connected_ns", "tls_ns"),
    *("connection_reused", "first_token_ns", "last_token_ns", "end_ns", "output_tokens", "outcome"),
)
"""Columns that `request_times` reads."""


@dataclass(frozen=True)
class RequestTimes:
    """Columns of the main phase's requests, by request_id; times in ns as floats, NaN where there is none."""

    scheduled: NDArray[np.float64]
    released: NDArray[np.float64]
    """When the limit of requests in flight had room for it; NaN where it did not wait."""
    sent: NDArray[np.float64]
    connect: NDArray[np.float64]
    """Time to open the request's own connection, TLS handshake included; 0 where a connection was reused."""
    first_token: NDArray[np.float64]
    last_token: NDArray[np.float64]
    end: NDArray[np.float64]
    """The last thing that was heard: end_ns, or the last token."""
    output_tokens: NDArray[np.float64]
    ok: NDArray[np.bool_]
    cancelled: NDArray[np.bool_]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Neither ok nor cancelled."""
        return ~self.ok & ~self.cancelled

    def zero(self, basis: str) -> NDArray[np.float64]:
        """The zero point of a latency: "schedule" or "send"."""
        return self.scheduled if basis == "schedule" else self.sent

    def ttft(self, basis: str) -> NDArray[np.float64]:
        """First token since the zero point; infinite for a failure before it, NaN where it does not apply."""
        return since(self.first_token, self, basis)

    def e2e(self, basis: str) -> NDArray[np.float64]:
        """Last token since the zero point; infinite for a failure, NaN for what was cancelled."""
        last = np.where(np.isnan(self.last_token), self.end, self.last_token)
        return np.where(self.failed, np.inf, np.where(self.ok, last - self.zero(basis), np.nan))

    def tpot(self) -> NDArray[np.float64]:
        """(last - first token) / (tokens - 1); infinite for a failure, NaN with fewer than two tokens."""
        more = np.where(self.output_tokens > 1, self.output_tokens - 1, np.nan)
        measured = (self.last_token - self.first_token) / more
        return np.where(self.failed, np.inf, np.where(self.ok, measured, np.nan))

    def lateness(self) -> NDArray[np.float64]:
        """sent - scheduled; NaN for what was never sent."""
        return self.sent - self.scheduled

    def own_lateness(self) -> NDArray[np.float64]:
        """The client's own: without what the request waited for a limit that the user set, and less its own connect,
        which is the network's and the server's."""
        return np.maximum(self.lateness() - np.nan_to_num(self.queueing()) - self.connect, 0.0)

    def queueing(self) -> NDArray[np.float64]:
        """Return how long each request waited for the limit of requests in flight; NaN where it did not wait."""
        return self.released - self.scheduled


def request_times(requests: pa.Table) -> RequestTimes:
    """The times of a table of requests (of one phase).

    Args:
        requests: TIME_COLUMNS.
    """
    outcome = requests["outcome"]
    end = pc.coalesce(requests["end_ns"], requests["last_token_ns"])
    connected = pc.coalesce(requests["tls_ns"], requests["connected_ns"])
    connect = _floats(connected) - _floats(requests["connect_start_ns"])
    reused = requests["connection_reused"].to_numpy()
    return RequestTimes(
        scheduled=_floats(requests["scheduled_ns"]),
        released=_floats(requests["released_ns"]),
        sent=_floats(requests["sent_ns"]),
        connect=np.where(reused | np.isnan(connect), 0.0, connect),
        first_token=_floats(requests["first_token_ns"]),
        last_token=_floats(requests["last_token_ns"]),
        end=_floats(end),
        output_tokens=_floats(requests["output_tokens"]),
        ok=pc.equal(outcome, "ok").to_numpy(),
        cancelled=pc.equal(outcome, "cancelled").to_numpy(),
    )


def latency_statistics(times: RequestTimes, gaps_ns: NDArray[Any], per_token: bool) -> list[Statistic]:
    """The latency rows of a summary, in ms, those with two zero points as pairs.

    Args:
        times: Of the main phase.
        gaps_ns: Samples between tokens; reordered in place.
        per_token: Whether they are of tokens (`itl`) or of chunks (`inter_chunk_latency`).
    """
    open_gaps = int((times.failed & ~np.isnan(times.first_token)).sum())
    between = "itl" if per_token else "inter_chunk_latency"
    return [
        latency("lateness", None, times.lateness()),
        *([] if np.isnan(times.released).all() else [latency("queueing", None, times.queueing())]),
        latency("ttft", "schedule", times.ttft("schedule")),
        latency("ttft", "send", times.ttft("send")),
        statistic(between, None, "ms", gaps_ns, failed=open_gaps, scale=NS_PER_MS),
        latency("tpot", None, times.tpot()),
        latency("e2e", "schedule", times.e2e("schedule")),
        latency("e2e", "send", times.e2e("send")),
    ]


def turn_statistics(times: RequestTimes, arrival: str) -> list[Statistic]:
    """The latency rows of one kind of arrival, in a run that has both: turns that waited for the one before them
    (closed) load the server otherwise than those that came at their own times (open).

    Args:
        times: Of the requests of that kind.
        arrival: "open" or "closed".
    """
    return [
        latency(f"{metric}_{arrival}", basis, of(basis))
        for metric, of in (("ttft", times.ttft), ("e2e", times.e2e))
        for basis in ("schedule", "send")
    ]


def since(stamps: NDArray[np.float64], times: RequestTimes, basis: str) -> NDArray[np.float64]:
    """A stamp of each request since the zero point; infinite for a failure before it, NaN where there is none."""
    return np.where(times.failed & np.isnan(stamps), np.inf, stamps - times.zero(basis))


def latency(metric: str, basis: str | None, values: NDArray[np.float64]) -> Statistic:
    """A row in ms of values in ns: infinite ones are failures, NaN is left out."""
    return statistic(
        metric,
        basis,
        "ms",
        values[np.isfinite(values)],
        failed=int(np.isinf(values).sum()),
        scale=NS_PER_MS,
    )


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return values
