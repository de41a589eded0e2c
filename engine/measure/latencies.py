"""Latencies of each request, and which requests count as infinitely slow.

A failed request would have made a percentile worse, so it is a sample above all others:

- for TTFT, if it failed before its first token; otherwise its TTFT is an ordinary sample;
- for end-to-end latency and TPOT, in every case, because its output is incomplete;
- for the gaps between tokens, once, if it failed after its first token: the last gap has no end.

A request that was cancelled by the user's interrupt is censored: its TTFT and gaps so far count, its end does
not, and the summary gives the number of cancelled requests. Lateness covers the requests that were sent. A
successful response without token events (an embedding) ends with its last byte.
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
    """Columns of the main phase's requests, by request_id; times in ns as floats, NaN if missing."""

    scheduled: NDArray[np.float64]
    released: NDArray[np.float64]
    """When the limit of requests in flight had room for it; NaN where it did not wait."""
    sent: NDArray[np.float64]
    connect: NDArray[np.float64]
    """Time to open the request's own connection, TLS handshake included; 0 where a connection was reused."""
    first_token: NDArray[np.float64]
    last_token: NDArray[np.float64]
    end: NDArray[np.float64]
    """Time of the end, or of the last token."""
    output_tokens: NDArray[np.float64]
    ok: NDArray[np.bool_]
    cancelled: NDArray[np.bool_]

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Mask of failed requests, which are neither ok nor cancelled."""
        return ~self.ok & ~self.cancelled

    def zero(self, basis: str) -> NDArray[np.float64]:
        """Return the zero points of a latency: "schedule" or "send"."""
        return self.scheduled if basis == "schedule" else self.sent

    def ttft(self, basis: str) -> NDArray[np.float64]:
        """Return the time to the first token; infinite for a failure before it, NaN if not applicable."""
        return since(self.first_token, self, basis)

    def e2e(self, basis: str) -> NDArray[np.float64]:
        """Return the last token's time since the zero point; infinite for a failure, NaN for a cancelled request."""
        last = np.where(np.isnan(self.last_token), self.end, self.last_token)
        return np.where(self.failed, np.inf, np.where(self.ok, last - self.zero(basis), np.nan))

    def tpot(self) -> NDArray[np.float64]:
        """Return (last - first token) / (tokens - 1); infinite for a failure, NaN with fewer than two tokens."""
        more = np.where(self.output_tokens > 1, self.output_tokens - 1, np.nan)
        measured = (self.last_token - self.first_token) / more
        return np.where(self.failed, np.inf, np.where(self.ok, measured, np.nan))

    def lateness(self) -> NDArray[np.float64]:
        """Return sent - scheduled; NaN for requests that were not sent."""
        return self.sent - self.scheduled

    def own_lateness(self) -> NDArray[np.float64]:
        """Return the lateness that the client caused: without the wait for a limit that the user set, and without the
        time to connect, which depends on the network and the server."""
        return np.maximum(self.lateness() - np.nan_to_num(self.queueing()) - self.connect, 0.0)

    def queueing(self) -> NDArray[np.float64]:
        """Return how long each request waited for the limit of requests in flight; NaN where it did not wait."""
        return self.released - self.scheduled


def request_times(requests: pa.Table) -> RequestTimes:
    """Return the times of a table of requests of one phase.

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
    """Return the latency rows of a summary, in ms; a latency with two zero points has two rows.

    Args:
        times: Times of the main phase's requests.
        gaps_ns: Samples between tokens; reordered in place.
        per_token: Whether gaps are between tokens (`itl`) or chunks (`inter_chunk_latency`).
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
    """Return the latency rows of one kind of arrival, for a run with both kinds. Turns that wait for the turn before
    them (closed) load the server differently from requests with their own times (open).

    Args:
        times: Times of the requests of that kind.
        arrival: "open" or "closed".
    """
    return [
        latency(f"{metric}_{arrival}", basis, of(basis))
        for metric, of in (("ttft", times.ttft), ("e2e", times.e2e))
        for basis in ("schedule", "send")
    ]


def since(stamps: NDArray[np.float64], times: RequestTimes, basis: str) -> NDArray[np.float64]:
    """Return a stamp of each request since the zero point; infinite for a failure before it, NaN if missing."""
    return np.where(times.failed & np.isnan(stamps), np.inf, stamps - times.zero(basis))


def latency(metric: str, basis: str | None, values: NDArray[np.float64]) -> Statistic:
    """Return a row in ms of values in ns: infinite values are failures, NaN is ignored."""
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
