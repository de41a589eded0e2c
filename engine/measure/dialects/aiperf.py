"""NVIDIA's AIPerf, version 0.13.0 (aiperf/metrics/types, one file per metric).

A response is a chunk with content of any kind, reasoning and tool calls included (`content_responses`). Per request:

    time to first token          first content response - request                      ttft_metric
    time to second token         second - first content response                       ttst_metric
    time to first output token   first content response without reasoning - request   time_to_first_output_token_metric
    request latency              last content response - request                       request_latency_metric
    decode duration              request latency - time to first token                 decode_duration_metric
    inter token latency          decode duration / (OSL - 1), OSL of at least 2        inter_token_latency_metric
    throughput per user          1 / inter token latency                               output_token_throughput_metrics
    end-to-end throughput        OSL / request latency                                 e2e_output_throughput_metric

OSL includes reasoning tokens. For the run: duration = last response - first request, over successful requests; a
throughput is a sum divided by the duration. Error rate = failed / (successful + failed). Percentiles are
interpolated linearly, numpy's default; std is the population's (metric_dicts.py). Columns and rows are those of the
plain table in exporters/console_metrics_exporter.py.
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
    spread,
    tape_names,
)
from .goodput_words import good_requests

TOOL: Final = "AIPerf 0.13.0"
COLUMNS: Final = ("avg", "min", "max", "p99", "p90", "p50", "std")
STATISTICS: Final = ("avg", "min", "max", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "std")
_MS: Final = 1e-6
_PER_USER: Final = "tokens/sec/user"


def summarize(run: Run, slos: Sequence[Slo] = ()) -> DialectSummary:
    """The rows of AIPerf's table."""
    chunks, visible = run.chunks(TOKEN_KINDS), run.chunks(("token", "tool_call"))
    answered = chunks.count > 0
    counts = run.ok & (answered | (not run.generates))
    sent = np.where(counts, run.sent, np.nan)
    first, last = (np.where(answered, chunks.nth(n), run.end) + 0 * sent for n in (0, -1))
    latency, ttft = last - sent, first - sent
    osl, isl = (np.where(counts, values, np.nan) for values in (run.osl, run.isl))
    itl = divided(latency - ttft, osl - 1, osl > 1)
    seconds = span_s(sent, last)
    rows = [_row("request_latency", "Request Latency (ms)", "ms", latency, _MS)]
    if run.generates and run.streaming:
        per_user = divided(np.full(len(itl), 1e9), itl, itl > 0)
        rows = [
            _row("time_to_first_token", "Time to First Token (ms)", "ms", ttft, _MS),
            _row("time_to_second_token", "Time to Second Token (ms)", "ms", chunks.nth(1) - first, _MS),
            _row("time_to_first_output_token", "Time to First Output Token (ms)", "ms", visible.nth(0) - sent, _MS),
            *rows,
            _row("decode_duration", "Decode Duration (ms)", "ms", latency - ttft, _MS),
            _row("inter_token_latency", "Inter Token Latency (ms)", "ms", itl, _MS),
            _row(
                "output_token_throughput_per_user",
                _label("Output Token Throughput Per User", _PER_USER),
                _PER_USER,
                per_user,
            ),
        ]
    if run.generates:
        whole = divided(osl, latency * 1e-9, latency > 0)
        rows += [
            _row("e2e_output_token_throughput", _label("E2E Output Token Throughput", _PER_USER), _PER_USER, whole),
            _row("output_sequence_length", "Output Sequence Length (tokens)", "tokens", osl),
        ]
    rows.append(_row("input_sequence_length", "Input Sequence Length (tokens)", "tokens", isl))
    if run.generates:
        rate = per_second(float(np.nansum(osl)), seconds)
        rows.append(_one("output_token_throughput", "Output Token Throughput", "tokens/sec", rate))
    rate = per_second(float(np.nansum(isl)), seconds)
    rows.append(_one("input_token_throughput", "Input Token Throughput", "tokens/sec", rate))
    rate = per_second(float(counts.sum()), seconds)
    rows.append(_one("request_throughput", "Request Throughput", "requests/sec", rate))
    if slos:
        good = counts & good_requests({"ttft": ttft, "tpot": itl, "e2e": latency}, slos)
        rows.append(_one("goodput", "Goodput", "requests/sec", per_second(float(good.sum()), seconds)))
    rows += [
        _one("completed_request_count", "Completed Requests (Success + Error)", "requests", float(len(run.ok))),
        _one("request_error_rate", "Request Error Rate", "%", _percent(len(run.ok) - int(counts.sum()), len(run.ok))),
        _one("request_count", "Request Count", "requests", float(counts.sum())),
    ]
    return DialectSummary(
        dialect="aiperf",
        tool=TOOL,
        tapes=tape_names(run),
        layout="table",
        head="Metric",
        sections=(Section(f"NVIDIA AIPerf | {_title(run.endpoint)}", COLUMNS, tuple(rows)),),
        notes=(
            *left_out(run, "they count in the error rate only"),
            counted(run, "AIPerf tokenizes the texts itself unless --use-server-token-count is given"),
        ),
    )


def _title(endpoint: str) -> str:
    if endpoint.startswith("embed"):
        return "Embeddings Metrics"
    return "Ranking Metrics" if "rank" in endpoint else "LLM Metrics"


def _label(header: str, unit: str) -> str:
    """Return a row's heading; the unit of a long name goes on a second line."""
    return f"{header}{chr(10) if len(header) > 30 else ' '}({unit})"


def _row(key: str, label: str, unit: str, values: Floats, scale: float = 1) -> Row:
    return Row(key, label, unit, spread(values, STATISTICS, scale))


def _one(key: str, header: str, unit: str, value: Value) -> Row:
    return Row(key, _label(header, unit), unit, {"avg": value})


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
