"""NVIDIA's GenAI-Perf, version 0.0.16dev (triton-inference-server/perf_analyzer, genai-perf/genai_perf at 263c5f6).

A response is a chunk with visible text: those without are dropped (`_preprocess_response`). Per request, from
profile_data_parser/llm_profile_data_parser.py:

    request latency            last response - request
    time to first token        first response - request
    time to second token       second response - first response, where there are two
    inter token latency        round((latency - TTFT) / (OSL - 1)) in ns, where there are two responses and two tokens
    throughput per user        1 / inter token latency

and for the run: duration = last response - first request; output token throughput = sum of OSL / duration; request
throughput = requests / duration. APIs without output tokens have only latency and throughput (profile_data_parser.py).
The throughputs of several runs are added (merged_profile_parser.py, of ``process-export-files``). Percentiles are
numpy's linear ones, std is of the population (metrics/statistics.py). Rows, their order and units are those of
metrics/llm_metrics.py, titles and columns those of export_data/console_exporter.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..slo import Slo
from .dialect_run import Floats, Mask, Run
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
    spread,
    tape_names,
)
from .goodput_words import good_requests

TOOL: Final = "GenAI-Perf 0.0.16dev"
COLUMNS: Final = ("avg", "min", "max", "p99", "p90", "p75")
STATISTICS: Final = ("avg", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "min", "max", "std")
_MS: Final = 1e-6


@dataclass(frozen=True)
class _Answers:
    """Columns of the counted requests; times in ns, NaN if missing."""

    counts: Mask
    sent: Floats
    first: Floats
    second: Floats
    last: Floats
    isl: Floats
    osl: Floats
    itl: Floats

    def of(self, rows: NDArray[np.int64]) -> "_Answers":
        return _Answers(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def latency(self) -> Floats:
        return self.last - self.sent

    @property
    def ttft(self) -> Floats:
        return self.first - self.sent


def summarize(run: Run, slos: Sequence[Slo] = ()) -> DialectSummary:
    """Return the rows of GenAI-Perf's table and files; streaming rows are shown only for a streamed run."""
    answers = _answers(run)
    rates = _added([_rates(answers.of(np.flatnonzero(run.part == number))) for number in range(len(run.tapes))])
    rows = _rows(run, answers, rates)
    if slos:
        good = answers.counts & good_requests({"ttft": answers.ttft, "tpot": answers.itl, "e2e": answers.latency}, slos)
        rate = per_second(float(good.sum()), span_s(answers.sent, answers.last))
        rows.insert(-1, _one("request_goodput", "Request Goodput (per sec)", "requests/sec", rate))
    lengths = [counted(run, "GenAI-Perf tokenizes the texts itself, without a chat template")]
    return DialectSummary(
        dialect="genai-perf",
        tool=TOOL,
        tapes=tape_names(run),
        layout="table",
        head="Statistic",
        sections=(Section(f"NVIDIA GenAI-Perf | {title(run.endpoint)}", COLUMNS, tuple(rows)),),
        notes=(
            *left_out(run, "they are ignored; Perf Analyzer stops at the first one"),
            *(lengths if run.generates else ()),
        ),
    )


def session_rows(run: Run) -> Iterator[tuple[str, list[Row]]]:
    """Return the rows of each session, in order of first request. Takes about 1 ms for each session."""
    answers = _answers(run)
    order = np.argsort(run.session, kind="stable")
    order = order[run.session[order] >= 0]
    borders = np.flatnonzero(np.diff(run.session[order])) + 1
    for rows in np.split(order, borders) if len(order) else []:
        of_session = answers.of(rows[answers.counts[rows]])
        if len(of_session.sent):
            name = run.sessions[int(run.session[rows[0]])]
            yield name, _rows(run, of_session, _rates(of_session))


def _answers(run: Run) -> _Answers:
    chunks = run.chunks(("token",))
    answered = chunks.count > 0
    counts = run.ok & (answered | (not run.generates))
    # The only response of an API without output tokens is its end.
    sent = np.where(counts, run.sent, np.nan)
    first, last = (np.where(answered, chunks.nth(n), run.end) + 0 * sent for n in (0, -1))
    isl, osl = (np.where(counts, lengths, np.nan) for lengths in (run.isl, run.osl - run.reasoning))
    itl = divided(last - first, osl - 1, (chunks.count > 1) & (osl > 1)).round()
    return _Answers(counts, sent, first, chunks.nth(1) + 0 * sent, last, isl, osl, itl)


def _rows(run: Run, of: _Answers, rates: tuple[Value, Value]) -> list[Row]:
    """Return the rows of the given requests, whose token and request rates are given."""
    latency = _row("request_latency", "Request Latency (ms)", "ms", of.latency, _MS)
    throughput = _one("request_throughput", "Request Throughput (per sec)", "requests/sec", rates[1])
    number = _one("request_count", "Request Count (count)", "count", float(of.counts.sum()))
    if not run.generates:
        return [latency, throughput, number]
    user = "Output Token Throughput Per User (tokens/sec/user)"
    per_user = divided(np.full(len(of.itl), 1e9), of.itl, of.itl > 0)
    return [
        _row("time_to_first_token", "Time To First Token (ms)", "ms", of.ttft, _MS, run.streaming),
        _row("time_to_second_token", "Time To Second Token (ms)", "ms", of.second - of.first, _MS, run.streaming),
        latency,
        _row("inter_token_latency", "Inter Token Latency (ms)", "ms", of.itl, _MS, run.streaming),
        _row("output_token_throughput_per_user", user, "tokens/sec/user", per_user, 1, run.streaming),
        _row("output_sequence_length", "Output Sequence Length (tokens)", "tokens", of.osl),
        _row("input_sequence_length", "Input Sequence Length (tokens)", "tokens", of.isl),
        _one("output_token_throughput", "Output Token Throughput (tokens/sec)", "tokens/sec", rates[0]),
        throughput,
        number,
    ]


def _rates(of: _Answers) -> tuple[Value, Value]:
    """Return output tokens and requests per second, from the first request to the last response."""
    seconds = span_s(of.sent, of.last)
    return per_second(float(np.nansum(of.osl)), seconds), per_second(float(of.counts.sum()), seconds)


def _added(rates: Sequence[tuple[Value, Value]]) -> tuple[Value, Value]:
    known = [rate for rate in rates if rate[0] is not None and rate[1] is not None]
    if not known:
        return None, None
    return sum(tokens or 0 for tokens, _ in known), sum(requests or 0 for _, requests in known)


def title(endpoint: str) -> str:
    """Titles of the tables by API."""
    if endpoint.startswith("embed"):
        return "Embeddings Metrics"
    return "Rankings Metrics" if "rank" in endpoint else "LLM Metrics"


def _row(key: str, label: str, unit: str, values: Floats, scale: float = 1, shown: bool = True) -> Row:
    return Row(key, label, unit, spread(values, STATISTICS, scale), shown)


def _one(key: str, label: str, unit: str, value: Value) -> Row:
    return Row(key, label, unit, {"avg": value})
