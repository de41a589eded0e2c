"""SGLang's ``bench_serving`` (python/sglang/bench_serving.py of version 0.5, derived from vLLM's).

A chunk is an event with text. Per request, from `async_request_openai_chat_completions` and `calculate_metrics`:

    TTFT           first chunk - request
    ITL            one sample per pair of neighbouring chunks (with speculative decoding SGLang divides each by the
                   tokens that it counts in the chunk's text, which a tape does not hold)
    E2E latency    last event of any kind, [DONE] included - request
    TPOT           (E2E latency - TTFT) / (output tokens - 1), for requests with at least two tokens

For the run: duration = end of the last request - start of the benchmark; concurrency = sum of E2E latencies / duration;
both peaks are over whole seconds, counted from the first request. Percentiles are numpy's. Failed requests do not
appear.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ..slo import Slo
from .dialect_run import Floats, Mask, Run
from .dialect_summary import (
    DialectSummary,
    Row,
    Section,
    counted,
    divided,
    left_out,
    per_second,
    single,
    span_s,
    spread,
    tape_names,
)
from .vllm import TITLE, fullest_second

TOOL: Final = "SGLang bench_serving 0.5"
_MS: Final = 1e-6
_NS: Final = 1e9


def summarize(run: Run, slos: Sequence[Slo] = ()) -> DialectSummary:
    """Return the lines of SGLang's block; keys are those of its result file. SGLang reports no goodput."""
    del slos
    chunks, every = run.chunks(("token",)), run.chunks()
    ok = run.ok
    first = np.where(ok, np.where(chunks.count > 0, chunks.nth(0), run.end), np.nan)
    last = np.where(ok, np.where(every.count > 0, every.nth(-1), run.end), np.nan)
    ttft, latency = first - run.sent, last - run.sent
    isl, osl = (np.where(ok, values, np.nan) for values in (run.isl, run.osl))
    seconds = span_s(run.sent, run.end)
    inputs, outputs = float(np.nansum(isl)), float(np.nansum(osl))
    rows = [
        single("completed", "Successful requests:", "requests", int(ok.sum())),
        single("duration", "Benchmark duration (s):", "s", seconds),
        single("total_input_tokens", "Total input tokens:", "tokens", int(inputs)),
        single("total_output_tokens", "Total generated tokens:", "tokens", int(outputs)),
        single("request_throughput", "Request throughput (req/s):", "req/s", per_second(int(ok.sum()), seconds)),
        single("input_throughput", "Input token throughput (tok/s):", "tok/s", per_second(inputs, seconds)),
        single("output_throughput", "Output token throughput (tok/s):", "tok/s", per_second(outputs, seconds)),
        single(
            "max_output_tokens_per_s",
            "Peak output token throughput (tok/s):",
            "tok/s",
            fullest_second(chunks.stamps_ns(ok), run.sent[ok]),
        ),
        single(
            "max_concurrent_requests", "Peak concurrent requests:", "requests", _most_in_a_second(run.sent, last, ok)
        ),
        single("total_throughput", "Total token throughput (tok/s):", "tok/s", per_second(inputs + outputs, seconds)),
        single("concurrency", "Concurrency:", "requests", per_second(float(np.nansum(latency)) / _NS, seconds)),
    ]
    tpot = divided(latency - ttft, osl - 1, osl > 1)
    return DialectSummary(
        dialect="sglang",
        tool=TOOL,
        tapes=tape_names(run),
        layout="block",
        head="",
        sections=(
            Section(TITLE, ("value",), tuple(rows)),
            _latencies("e2e_latency", "E2E Latency", "End-to-End Latency", latency, ("mean", "median", "p90", "p99")),
            _latencies("ttft", "TTFT", "Time to First Token", ttft, ("mean", "median", "p99")),
            _latencies("tpot", "TPOT", "Time per Output Token (excl. 1st token)", tpot, ("mean", "median", "p99")),
            _latencies(
                "itl", "ITL", "Inter-Token Latency", chunks.gaps_ns(ok), ("mean", "median", "p95", "p99", "max")
            ),
        ),
        notes=(
            *left_out(run, "they count in the duration only"),
            counted(run, "SGLang also counts output with its own tokenizer, in lines that are not shown here"),
        ),
    )


def _most_in_a_second(begin: Floats, end: Floats, of: Mask) -> int:
    """Return the largest number of requests in flight during any whole second, counted from the first request."""
    if not of.any():
        return 0
    zero = np.nanmin(begin[of])
    first, last = (((times[of] - zero) / _NS).astype(np.int64) for times in (begin, end))
    changes = np.zeros(int(last.max()) + 2, np.int64)
    np.add.at(changes, first, 1)
    np.add.at(changes, last + 1, -1)
    return int(np.cumsum(changes).max())


def _latencies(key: str, name: str, title: str, values: Floats, printed: tuple[str, ...]) -> Section:
    found = spread(values, (*printed, "std"), _MS)
    rows = [
        Row(f"{word}_{key}_ms", f"{word.capitalize()} {name} (ms):", "ms", {"value": found[word]}, word != "std")
        for word in found
    ]
    return Section(title, ("value",), tuple(rows))
