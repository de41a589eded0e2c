"""Verdict of a run: whether the client was precise enough and the samples are enough for the numbers.

VALID: yes. DEGRADED: yes, with a limitation that is named. INVALID: no. Errors of the server are part of the
numbers and make a run INVALID only if no request succeeded.

Lateness here is what the client caused: sent - scheduled, without the time to connect, which depends on the
network and the server. The limits:

| | DEGRADED | INVALID |
|---|---|---|
| lateness p99 | over 10 ms, or over 5 % of the median TTFT (and 1 ms) | over 100 ms and half of it |
| lateness p50 | | over 10 ms and 10 % of the median TTFT |
| sending rate achieved | under 95 % of the plan's | under 80 % |
| inter-arrivals, KS distance beyond 1 ms | over 0.1 | over 0.5 |
| successful requests | under 36 (no p90) | none |
| failures | over 1 % | |
| token events that are coalesced | over 10 % | |
|| responses in one piece though streaming was requested | over half | ||
| a worker's loop, busy share | over 70 % | over 95 % |
| a clock step | any | |
| a worker that ended early | | any |

Reasons: a late send distorts TTFT first; a shared machine's scheduler delays any process by 1 ms; the stamp of a
coalesced event is only an upper bound.
"""

from dataclasses import dataclass
from typing import Any, Final

from .percentiles import needed_samples

VALID: Final = "VALID"
DEGRADED: Final = "DEGRADED"
INVALID: Final = "INVALID"
NOTE: Final = "NOTE"
"""The level of a reason that leaves the verdict as it is."""

EXIT_INVALID: Final = 3
EXIT_FAILURES: Final = 4
DEFAULT_MAX_FAILURES: Final = 0.1

MS: Final = 1_000_000.0


@dataclass(frozen=True)
class Evidence:
    """The facts from which the verdict is drawn; None where a fact is not known."""

    requests: int
    """Requests of the main phase, of any outcome."""
    ok: int
    failed: int
    cancelled: int
    lateness_p50_ns: float | None
    """Lateness that the client caused."""
    lateness_p99_ns: float | None
    ttft_p50_ns: float | None
    """Median TTFT from send, of requests that had a first token."""
    planned_rps: float | None
    achieved_rps: float | None
    arrivals_ks: float | None
    coalesced_share: float | None
    """Share of output events that are coalesced."""
    kernel_clock_share: float | None
    busy_share: float | None
    clock_steps: int
    recovered: bool
    unverified: bool = False
    """Certificates of servers were not verified (``--insecure``)."""
    not_understood: int = 0
    """Successful requests without any output that was recognized."""
    first_not_understood: str | None = None
    whole_answers: int = 0
    """Successful streaming requests with one event of several tokens."""
    stopped: bool = False
    """The user stopped the run early."""
    problems: tuple[str, ...] = ()
    """Failures of the client itself, such as a killed worker."""


@dataclass(frozen=True)
class Reason:
    """One finding, and what to change."""

    level: str
    code: str
    text: str
    advice: str


@dataclass(frozen=True)
class Verdict:
    """VALID, DEGRADED or INVALID, with reasons, the most severe first."""

    state: str
    reasons: tuple[Reason, ...]
    exit_code: int
    """0: VALID or DEGRADED; 3: INVALID; 4: more failures than allowed, INVALID or not."""


def judge(evidence: Evidence, max_failures: float = DEFAULT_MAX_FAILURES) -> Verdict:
    """Return the verdict.

    Args:
        evidence: Facts of the main phase.
        max_failures: Failed requests that do not change the exit code: a share if below 1, else a number.
    """
    reasons = [
        *_outcomes(evidence),
        *_lateness(evidence),
        *_arrivals(evidence),
        *_client(evidence),
    ]
    grades = (INVALID, DEGRADED, NOTE)
    reasons.sort(key=lambda reason: grades.index(reason.level))
    state = reasons[0].level if reasons and reasons[0].level != NOTE else VALID
    allowed = max_failures * evidence.requests if max_failures < 1 else max_failures
    exit_code = EXIT_INVALID if state == INVALID else 0
    if evidence.failed > allowed:
        exit_code = EXIT_FAILURES
    return Verdict(state, tuple(reasons), exit_code)


def _outcomes(e: Evidence) -> list[Reason]:
    if not e.requests:
        if e.recovered:
            text, advice = "the run was killed before any request ended", "let the run end"
        else:
            text, advice = "the run has no requests", "choose a trace and a window with requests"
        return [Reason(INVALID, "no_requests", text, advice)]
    found = []
    if not e.ok and not e.failed:
        text = f"none of {_requests(e.requests)} ended: all were cancelled"
        advice = "give the run more time, or open requests with --grace"
        return [Reason(INVALID, "nothing_succeeded", text, advice)]
    if not e.ok:
        text = f"none of {_requests(e.requests)} succeeded"
        advice = "read the errors above; check the URL, the model's name and the server's log"
        found.append(Reason(INVALID, "nothing_succeeded", text, advice))
    elif e.ok < needed_samples(90):
        text = f"only {_requests(e.ok)} succeeded; p90 needs {needed_samples(90)}"
        found.append(
            Reason(
                DEGRADED,
                "few_requests",
                text,
                "send more requests: a longer part of the trace or a higher request count",
            )
        )
    elif e.ok < needed_samples(99):
        text = f"p99 needs {needed_samples(99)} successful requests; the run has {e.ok}"
        advice = "send more requests for a p99"
        found.append(Reason(NOTE, "p99_needs_more", text, advice))
    if e.ok and e.failed > 0.01 * e.requests:
        text = f"{e.failed:,} of {_requests(e.requests)} failed ({e.failed / e.requests:.1%})"
        advice = "read the errors above; percentiles count failures as infinitely slow"
        found.append(Reason(DEGRADED, "failures", text, advice))
    if e.not_understood:
        text = (
            f"{e.not_understood:,} of {_requests(e.requests)} succeeded without any output that was recognized "
            f"({e.first_not_understood})"
        )
        advice = "check that --endpoint names the server's API"
        found.append(Reason(DEGRADED, "not_understood", text, advice))
    if e.cancelled:
        text = f"{e.cancelled:,} of {_requests(e.requests)} were cancelled; the numbers include them up to that time"
        advice = "let the run end, or give open requests more time with --grace"
        found.append(Reason(DEGRADED, "interrupted", text, advice))
    elif e.stopped:
        found.append(Reason(DEGRADED, "interrupted", "the run was stopped before its end", "let the run end"))
    if e.recovered:
        text = "the run was killed: the numbers do not include requests that had not ended"
        found.append(Reason(DEGRADED, "recovered", text, "let the run end"))
    return found


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count:,} requests"


@dataclass(frozen=True)
class LatenessLimits:
    """Lateness above which a run is not VALID."""

    degraded_p99_ns: float
    invalid_p99_ns: float
    invalid_p50_ns: float


def lateness_limits(ttft_p50_ns: float | None) -> LatenessLimits:
    """Return the lateness limits for a median TTFT; None or 0: no token arrived."""
    ttft = ttft_p50_ns or 0.0
    degraded = min(10 * MS, max(1 * MS, 0.05 * ttft)) if ttft else 10 * MS
    return LatenessLimits(degraded, max(100 * MS, 0.5 * ttft), max(10 * MS, 0.1 * ttft))


def _lateness(e: Evidence) -> list[Reason]:
    p50, p99, ttft = e.lateness_p50_ns, e.lateness_p99_ns, e.ttft_p50_ns or 0.0
    if p50 is None or p99 is None:
        return []
    limits = lateness_limits(ttft)
    against = f" (median TTFT {ttft / MS:,.2f} ms)" if ttft else ""
    text = f"requests were sent {p50 / MS:,.2f} ms late at p50, {p99 / MS:,.2f} ms at p99{against}"
    advice = "use more workers, a lower speed or rate, a client machine with idle cores, or --realtime"
    if p50 > limits.invalid_p50_ns or p99 > limits.invalid_p99_ns:
        return [Reason(INVALID, "late", text, advice)]
    if p99 > limits.degraded_p99_ns:
        return [Reason(DEGRADED, "late", text, advice)]
    return []


def _arrivals(e: Evidence) -> list[Reason]:
    found = []
    if e.planned_rps and e.achieved_rps is not None and e.achieved_rps < 0.95 * e.planned_rps:
        share = e.achieved_rps / e.planned_rps
        text = f"sent {e.achieved_rps:,.2f} requests/s of {e.planned_rps:,.2f} planned ({share:.0%})"
        advice = "use more workers or a lower speed; the server did not get the trace's load"
        found.append(Reason(INVALID if share < 0.8 else DEGRADED, "rate", text, advice))
    if e.arrivals_ks is not None and e.arrivals_ks > 0.1:
        level = INVALID if e.arrivals_ks > 0.5 else DEGRADED
        text = f"the gaps between requests differ from the plan: KS distance {e.arrivals_ks:.2f} beyond 1 ms"
        found.append(Reason(level, "arrivals", text, "use more workers or a lower speed"))
    return found


def _client(e: Evidence) -> list[Reason]:
    advice = "find out why it ended (the system log shows processes killed for lack of memory) and run again"
    found = [Reason(INVALID, "client_broke", problem, advice) for problem in e.problems]
    if e.coalesced_share is not None and e.coalesced_share > 0.1:
        text = f"{e.coalesced_share:.1%} of token events were read together with a later one: stamps are upper bounds"
        advice = "use more workers; if that does not help, the server sends several events at once"
        found.append(Reason(DEGRADED, "coalesced", text, advice))
    if e.whole_answers > 0.5 * e.ok:
        text = (
            f"{e.whole_answers:,} of {_requests(e.ok)} for a stream were answered in one piece: TTFT covers all of it"
        )
        advice = "check whether the server, or a proxy in front of it, buffers streams"
        found.append(Reason(DEGRADED, "not_streamed", text, advice))
    if e.kernel_clock_share is not None and e.kernel_clock_share < 1:
        text = f"{1 - e.kernel_clock_share:.1%} of requests have stamps from the user-space clock, not from the kernel"
        found.append(
            Reason(NOTE, "user_clock", text, "run on Linux outside gVisor, where the kernel stamps received TCP data")
        )
    if e.busy_share is not None and e.busy_share > 0.7:
        level = INVALID if e.busy_share > 0.95 else DEGRADED
        text = f"a worker was busy {e.busy_share:.0%} of the time"
        found.append(Reason(level, "busy", text, "use more workers"))
    if e.clock_steps:
        text = f"the wall clock stepped {e.clock_steps} times; kernel stamps near a step are wrong"
        advice = "stop time synchronisation from stepping the clock during a run"
        found.append(Reason(DEGRADED, "clock_step", text, advice))
    if e.unverified:
        text = "TLS certificates were not verified: the responses may come from another server"
        found.append(Reason(NOTE, "tls_unverified", text, "pass the certificates to trust with --cacert"))
    return found


def worker_facts(manifest: dict[str, Any]) -> tuple[float | None, int]:
    """Return the busiest worker's busy share and the number of clock steps, from the manifest's list of workers.

    Each entry may have `busy_share` (0 to 1) and `clock_steps`.
    """
    listed = manifest.get("workers")
    workers = [w for w in listed if isinstance(w, dict)] if isinstance(listed, list) else []
    shares = [float(worker["busy_share"]) for worker in workers if worker.get("busy_share") is not None]
    return (max(shares) if shares else None), sum(int(w.get("clock_steps") or 0) for w in workers)
