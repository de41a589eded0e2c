"""GuideLLM, version 0.7.3 (vllm-project/guidellm, src/guidellm/schemas/request_stats.py, benchmark/schemas/metrics.py).

Per request:

    request latency   end of the stream - request
    TTFT, TTFOT       first token - request, first token without reasoning - request; 0 for a response not streamed
    ITL               (last - first token) / (output tokens - 1), weight output tokens - 1; other tools call it TPOT
    TPOT              (last token - request) / output tokens, includes TTFT, weight output tokens

A percentile is the smallest value at or below which the percentile's share of the total weight lies, without
interpolation (schemas/statistics.py). Rates include failed requests: requests per second from the first request to the
last end, tokens per second from the first token to the last. GuideLLM merges times within 0.1 ms before it divides; we
do not. Tables, columns and digits are those of benchmark/outputs/console.py.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...tape.schema import TOKEN_KINDS
from ..slo import Slo
from .dialect_run import Floats, Run
from .dialect_summary import (
    DialectSummary,
    Row,
    Section,
    Value,
    counted,
    divided,
    left_out,
    per_second,
    span_s,
    tape_names,
)

TOOL: Final = "GuideLLM 0.7.3"
_MIDDLE_AND_TAIL: Final = ("Mdn", "p95")
_MS: Final = 1e-6


def summarize(run: Run, slos: Sequence[Slo] = ()) -> DialectSummary:
    """Return GuideLLM's tables of completed requests and of server throughput. GuideLLM reports no goodput."""
    del slos
    chunks, every, visible = run.chunks(TOKEN_KINDS), run.chunks(), run.chunks(("token", "tool_call"))
    ok, streamed = run.ok, run.streaming
    none = np.full(len(ok), np.nan)
    first, last = (chunks.nth(n) if streamed else none for n in (0, -1))
    output = visible.nth(0) if streamed else none
    end = np.where(np.isnan(last), run.end, last)
    osl, isl = np.nan_to_num(run.osl), np.nan_to_num(run.isl)
    itl = divided(last - first, osl - 1, osl > 1)
    tpot = divided(end - run.sent, osl, osl > 0)
    steps = chunks.count if streamed else 0 * chunks.count
    seconds = span_s(run.sent, run.end)
    duration = {"Sec": seconds}
    summary = [
        Row("duration", "Timings|Dur", "s", duration),
        *(
            Row(key, f"{group}|{word}", "tokens", {"Tot": float(values[which].sum())})
            for group, values in (("Input Tokens", isl), ("Output Tokens", osl))
            for word, which, key in (
                ("Comp", ok, f"{group.split()[0].lower()}_tokens_completed"),
                ("Err", ~ok, f"{group.split()[0].lower()}_tokens_errored"),
            )
        ),
    ]
    tokens = [
        _row("prompt_token_count", "Input Tok|Per Req", "tokens", isl[ok]),
        _row("output_token_count", "Output Tok|Per Req", "tokens", osl[ok]),
        _row("total_token_count", "Total Tok|Per Req", "tokens", (isl + osl)[ok]),
        _row(
            "request_streaming_iterations_count",
            "Stream Iter|Per Req",
            "events",
            (every.count[ok] if streamed else 0 * every.count[ok]).astype(np.float64),
        ),
        _tokens_per_step(osl[ok], steps[ok]),
    ]
    latencies = [
        _row("request_latency", "Request Latency|Sec", "s", (run.end - run.sent)[ok], 1e-9),
        _row("time_to_first_token_ms", "TTFT|ms", "ms", (first - run.sent)[ok], _MS),
        _row("time_to_first_output_token_ms", "TTFOT|ms", "ms", (output - run.sent)[ok], _MS),
        _row("inter_token_latency_ms", "ITL|ms", "ms", itl[ok], _MS, np.maximum(osl - 1, 0)[ok]),
        _row("time_per_output_token_ms", "TPOT|ms", "ms", tpot[ok], _MS, osl[ok]),
    ]
    prompt = np.where(np.isnan(first), run.end, first)
    begin = np.where(np.isnan(first) | (steps < 2), end, first)
    rates = [
        _concurrency(run),
        _rate("requests_per_second", "Requests", "1/s", len(ok), seconds),
        _rate("prompt_tokens_per_second", "Input Tokens", "tokens/s", isl.sum(), span_s(prompt, prompt)),
        _rate("output_tokens_per_second", "Output Tokens", "tokens/s", osl.sum(), span_s(begin, end)),
        _rate("tokens_per_second", "Total Tokens", "tokens/s", (isl + osl).sum(), span_s(np.fmin(prompt, begin), end)),
    ]
    return DialectSummary(
        dialect="guidellm",
        tool=TOOL,
        tapes=tape_names(run),
        layout="columns",
        head="",
        sections=(
            Section("Run Summary Info", ("Sec", "Tot"), tuple(summary)),
            Section("Request Token Statistics (Completed Requests)", _MIDDLE_AND_TAIL, tuple(tokens)),
            Section("Request Latency Statistics (Completed Requests)", _MIDDLE_AND_TAIL, tuple(latencies)),
            Section("Server Throughput Statistics (All Requests)", ("Mdn", "Mean"), tuple(rates)),
        ),
        notes=(
            *left_out(run, "they count in the throughputs only"),
            counted(run, "GuideLLM uses the server's usage, or one token per chunk without it"),
        ),
    )


def weighted(values: Floats, weights: Floats, share: float) -> float | None:
    """Return the smallest value at or below which this share of the weight lies; zero total weight: equal weights."""
    if not len(values):
        return None
    weights = weights if weights.sum() > 1e-6 else np.ones(len(values))
    order = np.argsort(values, kind="stable")
    order = order[weights[order] > 0]
    reached = np.cumsum(weights[order] / weights.sum())
    # The sum of many shares may fall short of one by a rounding error.
    place = min(int(np.searchsorted(reached, share, side="left")), len(order) - 1)
    return float(values[order[place]])


def _row(key: str, label: str, unit: str, values: Floats, scale: float = 1, weights: Floats | None = None) -> Row:
    """Return median and p95; a request without a value counts as 0, as in GuideLLM."""
    values = np.nan_to_num(values) * scale
    weights = np.ones(len(values)) if weights is None else weights
    return Row(key, label, unit, {"Mdn": weighted(values, weights, 0.5), "p95": weighted(values, weights, 0.95)})


def _tokens_per_step(osl: Floats, steps: np.typing.NDArray[np.int64]) -> Row:
    """Return the tokens per chunk: one for the first chunk, the rest spread evenly over the others."""
    several = (steps > 1) & (osl > 1)
    others = (steps - 1).astype(np.float64)
    rest = divided(osl - 1, others, several)[several]
    firsts = np.where(steps > 1, np.minimum(osl, 1), osl)
    values = np.concatenate((firsts, rest))
    weights = np.concatenate((np.ones(len(osl)), others[several]))
    return _row("output_tokens_per_iteration", "Output Tok|Per Stream Iter", "tokens", values, 1, weights)


def _rate(key: str, group: str, unit: str, amount: float, seconds: float) -> Row:
    return Row(key, f"{group}|Per Sec", unit, {"Mean": per_second(float(amount), seconds)})


def _concurrency(run: Run) -> Row:
    """Return the time-weighted number of requests in flight, from the first request to the last end."""
    sent, end = run.sent[~np.isnan(run.sent)], run.end[~np.isnan(run.sent)]
    times = np.concatenate((sent, np.where(np.isnan(end), sent, end)))
    order = np.argsort(times, kind="stable")
    level = np.cumsum(np.repeat([1.0, -1.0], len(sent))[order])[:-1]
    lasting = np.diff(times[order])
    values: dict[str, Value] = {"Mdn": None, "Mean": None}
    if lasting.sum() > 0:
        values = {"Mdn": weighted(level, lasting, 0.5), "Mean": float((level * lasting).sum() / lasting.sum())}
    return Row("request_concurrency", "Requests|Concurrency", "requests", values)
