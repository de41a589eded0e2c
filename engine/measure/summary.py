"""Summary of a tape: a pure function of the tape."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..tape.read import Tape
from .fidelity.compare import Fidelity
from .fidelity.tape_fidelity import FIDELITY_COLUMNS, tape_fidelity
from .gaps import COLUMNS, Gaps, measure_gaps
from .latencies import RequestTimes, latency_statistics, request_times, turn_statistics
from .percentiles import exact_percentiles, ks_distance
from .rates import Rate, Window, goodput, throughput, window
from .slo import Slo
from .statistic import Statistic, statistic
from .verdict import DEFAULT_MAX_FAILURES, Evidence, Verdict, judge, worker_facts
from .visible_output import EVENT_COLUMNS, REQUEST_COLUMNS, hides_output, visible_statistics

SUMMARY_VERSION: Final = 1
TOP_ERRORS: Final = 5
OF_STREAMS: Final = ("ttft", "itl", "inter_chunk_latency", "tpot")
PLANNED_END: Final = ", as planned"
"""End of the error of a request that was cancelled as planned (``cext/reactor/cancel.c``)."""
ARRIVAL_TOLERANCE_NS: Final = 1_000_000
NEEDED_COLUMNS: Final = tuple(
    dict.fromkeys(
        (
            *FIDELITY_COLUMNS,
            *("clock", "http_status", "error", "connection_reused"),
            *("arrival", "released_ns", "connect_start_ns", "connected_ns", "tls_ns"),
            *("first_token_ns", "last_token_ns", "end_ns", "output_events"),
            *("input_tokens", "output_tokens", "token_source", "server_input_tokens", "server_output_tokens"),
            "finish_reason",
            *REQUEST_COLUMNS,
        )
    )
)
"""Columns of the requests that a summary reads, each once."""


@dataclass(frozen=True)
class ErrorCount:
    """An outcome with a message, and how often it occurred."""

    outcome: str
    http_status: int | None
    error: str | None
    count: int


@dataclass(frozen=True)
class Requests:
    """Outcomes of the main phase's requests."""

    planned: int
    sent: int
    ok: int
    failed: int
    cancelled: int
    given_up: int
    """Cancelled requests that the plan had cancelled."""
    ok_without_tokens: int
    warmup: int
    """Requests of the warm-up, which count in no other number."""
    unfinished: int
    """Requests of a recovered tape that have events but no row."""
    outcomes: dict[str, int]
    errors: tuple[ErrorCount, ...]
    """At most five errors, the most frequent first."""
    finish_reasons: dict[str, int] = field(default_factory=dict)
    """Requests of all outcomes by the server's finish reason, the most frequent first."""
    not_understood: int = 0
    """Successful requests without any output that was recognized."""
    first_not_understood: str | None = None
    """Response of the first of these requests, in words."""


@dataclass(frozen=True)
class Tokens:
    """Sources of the token counts, and how the output lengths compare with the requested ones."""

    sources: dict[str, int]
    """Requests with tokens, by the source of their count: server, tokenizer, events."""
    output_tokens: int
    """Output tokens that arrived, those of failed requests included."""
    asked_output_tokens: int
    """Planned output tokens of successful requests that had a planned length."""
    got_output_tokens: int
    requests_of_another_length: int
    requests_with_asked_length: int
    refused_counts: int = 0
    """Requests whose server count contradicts the events and is not used."""
    first_refused: str | None = None
    """Description of the first of these requests."""


@dataclass(frozen=True)
class Capture:
    """Quality of the events' stamps."""

    events: int
    coalesced_share: float | None
    """Share of all events. A role chunk, or usage and the end after it, are often sent in one segment."""
    coalesced_token_share: float | None
    """Share of output events, whose stamps the latencies are computed from."""
    kernel_clock_share: float | None


@dataclass(frozen=True)
class SloResult:
    """Result of an objective, from one zero point."""

    slo: str
    basis: str | None
    value_ms: float | None
    limit_ms: float
    met: bool | None
    """Whether the run met the objective; None: too few samples to decide."""


@dataclass(frozen=True)
class Summary:
    """Summary of a tape. `as_dict` gives it for JSON."""

    tape: str
    tape_id: str
    requests: Requests
    statistics: tuple[Statistic, ...]
    rates: tuple[Rate, ...]
    window: Window
    tokens: Tokens
    capture: Capture
    fidelity: Fidelity
    slos: tuple[SloResult, ...]
    verdict: Verdict

    def statistic(self, metric: str, basis: str | None = None) -> Statistic:
        """Return the row of a metric; `basis` is "schedule" or "send" for TTFT and end-to-end latency."""
        return next(s for s in self.statistics if s.metric == metric and s.basis == basis)

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, strings and finite numbers, with units in the names."""
        return {
            "summary_version": SUMMARY_VERSION,
            "tape": self.tape,
            "tape_id": self.tape_id,
            "verdict": asdict(self.verdict),
            "requests": asdict(self.requests),
            "metrics": {row.key: row.as_dict() for row in self.statistics},
            "rates": {rate.key: {"value": rate.value, "without_drain": rate.without_drain} for rate in self.rates},
            "slos": [asdict(result) for result in self.slos],
            "window": asdict(self.window),
            "tokens": asdict(self.tokens),
            "capture": asdict(self.capture),
            "fidelity": self.fidelity.as_dict(),
        }


def summarize(tape: Tape, slos: Sequence[Slo] = (), *, max_failures: float = DEFAULT_MAX_FAILURES) -> Summary:
    """Compute a summary from the raw stamps. Reads the events once, or twice if some output is not visible.

    Args:
        tape: A sealed tape. Its manifest gives the workers' busy shares and whether the tape was recovered.
        slos: Objectives to test; the per-request ones together give the goodput.
        max_failures: As for `judge`.
    """
    every = tape.read("requests", NEEDED_COLUMNS).sort_by("request_id")
    in_main = pc.equal(every["phase"], "main")
    main = every.filter(in_main)
    times = request_times(main)
    span = window(times)
    gaps = _gaps(tape, every, in_main.to_numpy(), span)
    latencies = latency_statistics(times, gaps.samples_ns, gaps.per_token)
    if tape.manifest.get("streaming") is False:  # a response that is not streamed has no token times
        none = np.zeros(0)
        latencies = [
            statistic(row.metric, row.basis, row.unit, none) if row.metric in OF_STREAMS else row for row in latencies
        ]
    statistics = [
        *latencies,
        *(_lengths(main, name, times.ok) for name in ("input_tokens", "output_tokens")),
    ]
    kinds_of_events = partial(tape.event_batches, EVENT_COLUMNS, words=False)
    if hides_output(main, kinds_of_events):
        first_seen, counts = visible_statistics(main, times, kinds_of_events())
        if tape.manifest.get("streaming") is not False:
            behind_ttft = max(place for place, row in enumerate(statistics) if row.metric == "ttft") + 1
            statistics[behind_ttft:behind_ttft] = first_seen
        statistics += counts
    kinds = [kind for kind in ("open", "closed") if pc.any(pc.equal(main["arrival"], kind)).as_py()]
    if len(kinds) > 1:
        for kind in kinds:
            statistics += turn_statistics(request_times(main.filter(pc.equal(main["arrival"], kind))), kind)
    per_request = [slo for slo in slos if slo.statistic is None]
    rates = [*throughput(times, span, gaps.tokens_in_window), *goodput(times, span, per_request)]
    requests = _requests(main, times, len(every) - len(main), gaps.unknown_requests)
    # A request that was never sent has no receive stamp of any clock.
    clocks = main["clock"].filter(pc.is_valid(main["sent_ns"]))
    kernel = pc.mean(pc.equal(clocks, "kernel").cast(pa.float64())).as_py()
    capture = Capture(
        gaps.events,
        gaps.coalesced / gaps.events if gaps.events else None,
        gaps.coalesced_output / gaps.output_events if gaps.output_events else None,
        kernel,
    )
    return Summary(
        tape=str(tape.path),
        tape_id=str(tape.manifest.get("tape_id", "")),
        requests=requests,
        statistics=tuple(statistics),
        rates=tuple(rates),
        window=span,
        tokens=_tokens(main, times.ok),
        capture=capture,
        fidelity=tape_fidelity(main, tape.manifest),
        slos=tuple(r for slo in slos if slo.statistic for r in _slo_results(slo, statistics)),
        verdict=judge(_evidence(tape, main, times, requests, capture), max_failures),
    )


def _gaps(tape: Tape, every: pa.Table, in_main: NDArray[np.bool_], span: Window) -> Gaps:
    server = pc.fill_null(every["server_output_tokens"], -1).to_numpy()
    events = every["output_events"].to_numpy()
    output = pc.fill_null(every["output_tokens"], 0).to_numpy()
    return measure_gaps(
        tape.event_batches(COLUMNS, words=False),
        every["request_id"].to_numpy(),
        in_main,
        server == events,
        output / np.maximum(events, 1),
        span.last_send_ns or 0,
    )


def _lengths(main: pa.Table, name: str, ok: NDArray[np.bool_]) -> Statistic:
    values = main[name].filter(pa.array(ok)).drop_null().to_numpy().astype(np.float64)
    return statistic(name, None, "tokens", values)


def _planned_end(main: pa.Table) -> NDArray[np.bool_]:
    """Return a mask of the requests that were cancelled as planned, which the core notes in their error."""
    said: NDArray[np.bool_] = pc.fill_null(pc.ends_with(main["error"], PLANNED_END), False).to_numpy()
    return said


def _requests(main: pa.Table, times: RequestTimes, warmup: int, unfinished: int) -> Requests:
    bad = main.filter(pc.invert(pc.is_in(main["outcome"], pa.array(["ok", "cancelled"]))))
    messages = zip(bad["outcome"].to_pylist(), bad["http_status"].to_pylist(), bad["error"].to_pylist(), strict=True)
    outcomes = Counter(main["outcome"].to_pylist())
    no_output = pc.and_(pc.equal(main["outcome"], "ok"), pc.equal(main["output_events"], 0))
    strange = main.filter(
        pc.and_(no_output, pc.is_valid(main["error"]))
    )  # the core writes into the error what it could not interpret
    return Requests(
        planned=len(main),
        sent=int((~np.isnan(times.sent)).sum()),
        ok=int(times.ok.sum()),
        failed=int(times.failed.sum()),
        cancelled=int(times.cancelled.sum()),
        given_up=int((times.cancelled & _planned_end(main)).sum()),
        ok_without_tokens=int((times.ok & np.isnan(times.first_token)).sum()),
        warmup=warmup,
        unfinished=unfinished,
        outcomes=dict(outcomes.most_common()),
        errors=tuple(ErrorCount(*key, count) for key, count in Counter(messages).most_common(TOP_ERRORS)),
        finish_reasons=dict(Counter(main["finish_reason"].drop_null().to_pylist()).most_common()),
        not_understood=len(strange),
        first_not_understood=strange["error"][0].as_py() if len(strange) else None,
    )


def _tokens(main: pa.Table, ok: NDArray[np.bool_]) -> Tokens:
    ended = main.filter(pa.array(ok))
    asked = ended.filter(pc.and_(pc.is_valid(ended["planned_output_tokens"]), pc.is_valid(ended["output_tokens"])))
    counted = main["token_source"].filter(pc.greater(main["output_tokens"], 0))
    refused = main.filter(pc.and_(pc.equal(main["server_output_tokens"], 0), pc.greater(main["output_events"], 0)))
    differ = pc.not_equal(asked["planned_output_tokens"], asked["output_tokens"])
    return Tokens(
        sources=dict(Counter(counted.to_pylist()).most_common()),
        output_tokens=pc.sum(main["output_tokens"]).as_py() or 0,
        asked_output_tokens=pc.sum(asked["planned_output_tokens"]).as_py() or 0,
        got_output_tokens=pc.sum(asked["output_tokens"]).as_py() or 0,
        requests_of_another_length=pc.sum(differ).as_py() or 0,
        requests_with_asked_length=len(asked),
        refused_counts=len(refused),
        first_refused=_refused_text(refused) if len(refused) else None,
    )


def _refused_text(refused: pa.Table) -> str:
    first = refused.slice(0, 1).to_pylist()[0]
    return (
        f"request {first['request_id']:,}: {first['server_output_tokens']} output tokens reported by the server, "
        f"{first['output_events']:,} output events"
    )


def _slo_results(slo: Slo, statistics: Sequence[Statistic]) -> list[SloResult]:
    names = {slo.metric, "inter_chunk_latency"} if slo.metric == "itl" else {slo.metric}
    limit = slo.limit_ns / 1e6
    results = []
    for row in statistics:
        if row.metric not in names or slo.statistic is None:
            continue
        value = row.value(slo.statistic)
        met: bool | None
        if slo.statistic == "avg" and row.failed:
            met = False
        elif value is None:
            met = False if row.notes.get(slo.statistic) == "failed" else None
        else:
            met = value <= limit
        results.append(SloResult(slo.text, row.basis, value, limit, met))
    return results


def _evidence(tape: Tape, main: pa.Table, times: RequestTimes, requests: Requests, capture: Capture) -> Evidence:
    own = times.own_lateness()
    late = exact_percentiles(own[~np.isnan(own)], (50, 99)) if requests.sent else [None, None]
    ttft = times.first_token - times.sent
    ttft = ttft[~np.isnan(ttft)]
    sent = ~np.isnan(times.sent)
    # A request that waited for a limit of the user was due only when the limit had room.
    allowed = np.where(np.isnan(times.released), times.scheduled, times.released)
    planned, achieved, distance = _pace(allowed[sent], times.sent[sent])
    busy, steps = worker_facts(tape.manifest)
    return Evidence(
        requests=requests.planned,
        ok=requests.ok,
        failed=requests.failed,
        cancelled=requests.cancelled - requests.given_up,
        lateness_p50_ns=late[0],
        lateness_p99_ns=late[1],
        ttft_p50_ns=exact_percentiles(ttft, (50,))[0] if len(ttft) else None,
        planned_rps=planned,
        achieved_rps=achieved,
        arrivals_ks=distance,
        coalesced_share=capture.coalesced_token_share,
        kernel_clock_share=capture.kernel_clock_share,
        busy_share=busy,
        clock_steps=steps,
        recovered=bool(tape.manifest.get("recovered")),
        stopped=bool(tape.manifest.get("stopped_by_user")),
        unverified=_unverified(tape.manifest),
        not_understood=requests.not_understood,
        first_not_understood=requests.first_not_understood,
        whole_answers=_whole_answers(main, times) if tape.manifest.get("streaming") else 0,
        problems=tuple(map(str, tape.manifest.get("problems") or ())),
    )


def _whole_answers(main: pa.Table, times: RequestTimes) -> int:
    """Return the number of successful requests with one event of several tokens."""
    return int((times.ok & (main["output_events"].to_numpy() == 1) & (times.output_tokens > 1)).sum())


def _unverified(manifest: dict[str, Any]) -> bool:
    targets = [manifest.get("target"), *(manifest.get("targets") or ())]
    return any(isinstance(target, dict) and target.get("tls_verified") is False for target in targets)


def _pace(scheduled: NDArray[np.float64], sent: NDArray[np.float64]) -> tuple[float | None, float | None, float | None]:
    """Return the planned and achieved rate of sent requests, in 1/s, and the KS distance of their gaps.

    Needs a plan of at least one second and twenty requests: fewer do not determine a rate.
    """
    planned_span = np.ptp(scheduled) if len(scheduled) else 0.0
    if len(scheduled) < 20 or planned_span < 1e9:
        return None, None, None
    planned = float((len(scheduled) - 1) / planned_span * 1e9)
    achieved = float((len(sent) - 1) / np.ptp(sent) * 1e9)
    gaps = [np.diff(np.sort(times)).astype(np.int64) for times in (scheduled, sent)]
    return planned, achieved, ks_distance(gaps[0], gaps[1], ARRIVAL_TOLERANCE_NS)
