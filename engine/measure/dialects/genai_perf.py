"""NVIDIA's GenAI-Perf, version 0.0.16dev (triton-inference-server/perf_analyzer, genai-perf/genai_perf at 263c5f6).

A response is a chunk with visible text: those without are dropped (`_preprocess_response`). Per request, from
profile_data_parser/llm_profile_data_parser.py:

    request latency            last response - request
    time to first token        first response - request
    time to second token       second response - first response, where there are two
    inter token latency        round((latency - TTFT) / (OSL - 1)) in ns, where there are two responses and two tokens
    throughput per user        1 / inter token latency

and of the run: duration = last response - first request; output token throughput = sum of OSL / duration; request
throughput = requests / duration. APIs that make no tokens have latency and throughput alone (profile_data_parser.py).
Several runs: the throughputs are added (merged_profile_parser.py, of ``process-export-files``). Percentiles are
numpy's linear ones, std is of the population (metrics/statistics.py). Rows, their order and units are those of
metrics/llm_metrics.py, titles and columns those of export_data/console_exporter.py.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ..slo import Slo
from .goodput import good_requests
from .run import Floats, Run
from .summary import (
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

TOOL: Final = "GenAI-Perf 0.0.16dev"
COLUMNS: Final = ("avg", "min", "max", "p99", "p90", "p75")
STATISTICS: Final = ("avg", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "min", "max", "std")
_MS: Final = 1e-6


def summarize(run: Run, slos: Sequence[Slo] = ()) -> DialectSummary:
    """The rows of GenAI-Perf's table and files; streaming rows are shown only of a streamed run."""
    chunks = run.chunks(("token",))
    answered = chunks.count > 0
    counts = run.ok & (answered | (not run.generates))
    # The one response of an API that makes no tokens is its end.
    sent = np.where(counts, run.sent, np.nan)
    first, last = (np.where(answered, chunks.nth(n), run.end) + 0 * sent for n in (0, -1))
    latency, ttft, ttst = last - sent, first - sent, chunks.nth(1) - first
    osl = np.where(counts, run.osl - run.reasoning, np.nan)
    itl = divided(latency - ttft, osl - 1, (chunks.count > 1) & (osl > 1)).round()
    request_latency = _row("request_latency", "Request Latency (ms)", "ms", latency, _MS)
    metrics = [request_latency]
    system = []
    if run.generates:
        per_user = divided(np.full(len(itl), 1e9), itl, itl > 0)
        isl = np.where(counts, run.isl, np.nan)
        user = "Output Token Throughput Per User (tokens/sec/user)"
        metrics = [
            _row("time_to_first_token", "Time To First Token (ms)", "ms", ttft, _MS, run.streaming),
            _row("time_to_second_token", "Time To Second Token (ms)", "ms", ttst, _MS, run.streaming),
            request_latency,
            _row("inter_token_latency", "Inter Token Latency (ms)", "ms", itl, _MS, run.streaming),
            _row("output_token_throughput_per_user", user, "tokens/sec/user", per_user, 1, run.streaming),
            _row("output_sequence_length", "Output Sequence Length (tokens)", "tokens", osl),
            _row("input_sequence_length", "Input Sequence Length (tokens)", "tokens", isl),
        ]
        tokens = _summed_rate(run, np.nan_to_num(osl), sent, last)
        system = [_one("output_token_throughput", "Output Token Throughput (tokens/sec)", "tokens/sec", tokens)]
    requests = _summed_rate(run, counts.astype(np.float64), sent, last)
    system.append(_one("request_throughput", "Request Throughput (per sec)", "requests/sec", requests))
    if slos:
        good = counts & good_requests({"ttft": ttft, "tpot": itl, "e2e": latency}, slos)
        rate = per_second(float(good.sum()), span_s(sent, last))
        system.append(_one("request_goodput", "Request Goodput (per sec)", "requests/sec", rate))
    system.append(_one("request_count", "Request Count (count)", "count", float(counts.sum())))
    lengths = [counted(run, "GenAI-Perf tokenizes the texts itself, without a chat template")]
    return DialectSummary(
        dialect="genai-perf",
        tool=TOOL,
        tapes=tape_names(run),
        layout="table",
        head="Statistic",
        sections=(Section(f"NVIDIA GenAI-Perf | {title(run.endpoint)}", COLUMNS, (*metrics, *system)),),
        notes=(
            *left_out(run, "they are left out; Perf Analyzer stops at the first"),
            *(lengths if run.generates else ()),
        ),
    )


def title(endpoint: str) -> str:
    """What the table of an API is called."""
    if endpoint.startswith("embed"):
        return "Embeddings Metrics"
    return "Rankings Metrics" if "rank" in endpoint else "LLM Metrics"


def _summed_rate(run: Run, amounts: Floats, sent: Floats, last: Floats) -> Value:
    """The rate of each tape over its own duration, added."""
    parts = (run.part == number for number in range(len(run.tapes)))
    rates = [per_second(float(amounts[part].sum()), span_s(sent[part], last[part])) for part in parts]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


def _row(key: str, label: str, unit: str, values: Floats, scale: float = 1, shown: bool = True) -> Row:
    return Row(key, label, unit, spread(values, STATISTICS, scale), shown)


def _one(key: str, label: str, unit: str, value: Value) -> Row:
    return Row(key, label, unit, {"avg": value})
