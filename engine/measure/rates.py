"""Throughput and goodput.

Each rate of the main phase is computed twice: with the drain, from the first send to the last event; and
without it, from the first send to the last send, counting only what arrived by then, so that a long last
response does not lower the rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .latencies import RequestTimes
from .slo import Slo


@dataclass(frozen=True)
class Window:
    """Durations of the main phase; None if no request was sent."""

    first_send_ns: int | None
    last_send_ns: int | None
    end_ns: int | None
    duration_s: float | None
    """First send to the end of the drain."""
    sending_s: float | None
    """First send to last send."""


@dataclass(frozen=True)
class Rate:
    """An amount per second; None if the time is zero."""

    metric: str
    basis: str | None
    unit: str
    value: float | None
    """With the drain."""
    without_drain: float | None

    @property
    def key(self) -> str:
        """Name with zero point and unit: goodput_from_send_requests_per_s."""
        parts = [self.metric, *([f"from_{self.basis}"] if self.basis else [])]
        return "_".join([*parts, self.unit.replace("/", "_per_")])


def window(times: RequestTimes) -> Window:
    """Return the durations of the main phase."""
    sent = times.sent[~np.isnan(times.sent)]
    if not len(sent):
        return Window(None, None, None, None, None)
    ends = times.end[~np.isnan(times.end)]
    first, last = int(sent.min()), int(sent.max())
    end = max(int(ends.max()), last) if len(ends) else last
    return Window(first, last, end, (end - first) / 1e9, (last - first) / 1e9)


def throughput(times: RequestTimes, span: Window, tokens_in_window: float) -> list[Rate]:
    """Return output tokens and successful requests per second.

    Args:
        tokens_in_window: Output tokens that arrived until the last send.
    """
    tokens = float(np.nansum(times.output_tokens))
    early = times.ok & (times.end <= (span.last_send_ns or 0))
    return [
        Rate("output_token_throughput", None, "tokens/s", *_per_second(span, tokens, tokens_in_window)),
        Rate("request_throughput", None, "requests/s", *_per_second(span, times.ok.sum(), early.sum())),
    ]


def goodput(times: RequestTimes, span: Window, slos: Sequence[Slo]) -> list[Rate]:
    """Return the rate of successful requests that met every objective, from schedule and from send.

    A latency that does not apply to a request (TPOT of a single token) counts as met. Without objectives there is no
    row.
    """
    if not slos:
        return []
    rates = []
    for basis in ("schedule", "send"):
        good = met(times, slos, basis)
        early = good & (times.end <= (span.last_send_ns or 0))
        rates.append(Rate("goodput", basis, "requests/s", *_per_second(span, good.sum(), early.sum())))
    return rates


def met(times: RequestTimes, slos: Sequence[Slo], basis: str) -> NDArray[np.bool_]:
    """Return for each request whether it succeeded and met every objective from a zero point ("schedule" or "send")."""
    good = times.ok.copy()
    for slo in slos:
        values = {"ttft": times.ttft(basis), "tpot": times.tpot(), "e2e": times.e2e(basis)}[slo.metric]
        good &= np.isnan(values) | (values <= slo.limit_ns)
    return good


def _per_second(span: Window, whole: float, early: float) -> tuple[float | None, float | None]:
    return (
        float(whole) / span.duration_s if span.duration_s else None,
        float(early) / span.sending_s if span.sending_s else None,
    )
