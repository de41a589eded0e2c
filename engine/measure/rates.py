"""Throughput and goodput.

Over the main phase, twice: with the drain, from the first send to the last thing heard; and without
it, from the first send to the last one, counting only what arrived by then, so that a long last answer
does not dilute the rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .latencies import RequestTimes
from .slo import Slo


@dataclass(frozen=True)
class Window:
    """The main phase in time; None where nothing was sent."""

    first_send_ns: int | None
    last_send_ns: int | None
    end_ns: int | None
    duration_s: float | None
    """First send to the end of the drain."""
    sending_s: float | None
    """First send to last send."""


@dataclass(frozen=True)
class Rate:
    """Something per second; None where the time is zero."""

    metric: str
    basis: str | None
    unit: str
    value: float | None
    """With the drain."""
    without_drain: float | None

    @property
    def key(self) -> str:
        """Its name with zero point and unit: goodput_from_send_requests_per_s."""
        parts = [self.metric, *([f"from_{self.basis}"] if self.basis else [])]
        return "_".join([*parts, self.unit.replace("/", "_per_")])


def window(times: RequestTimes) -> Window:
    """The main phase's spans."""
    sent = times.sent[~np.isnan(times.sent)]
    if not len(sent):
        return Window(None, None, None, None, None)
    ends = times.end[~np.isnan(times.end)]
    first, last = int(sent.min()), int(sent.max())
    end = max(int(ends.max()), last) if len(ends) else last
    return Window(first, last, end, (end - first) / 1e9, (last - first) / 1e9)


def throughput(times: RequestTimes, span: Window, tokens_in_window: float) -> list[Rate]:
    """Output tokens that arrived, and requests that ended well, per second.

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
    """Requests per second that ended well and met every objective, from schedule and from send.

    A latency that does not apply to a request (TPOT of a single token) is met. No objective, no row.
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
    """For each request whether it ended well and met every objective from a zero point ("schedule" or "send")."""
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
