"""vLLM's ``vllm bench serve`` (vllm/benchmarks/serve.py at 009e6d4, lib/endpoint_request_func.py at 02cfb53).

A chunk is any event with choices, including those of the role and the finish reason. Per request, from
`async_request_openai_chat_completions` and `calculate_metrics`:

    TTFT   first chunk - request
    ITL    one sample per pair of neighbouring chunks, with any content
    E2EL   last chunk - request
    TPOT   (E2EL - TTFT) / (output tokens - 1), for requests with at least two tokens

Token counts are the server's usage. Failed requests are counted but are in no statistic. For the run: duration = end of
the last request - start of the benchmark; a throughput is a sum / duration; peak output is the whole second, counted
from the first request, with the most chunks, each counted as one token; peak concurrency is exact. Percentiles are
numpy's; the median and p99 are printed. Embeddings have only E2EL (`calculate_metrics_for_embeddings`).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ...tape.schema import TOKEN_KINDS
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
    single,
    span_s,
    spread,
    tape_names,
)
from .goodput_words import good_requests

TOOL: Final = "vLLM bench serve of August 2026"
TITLE: Final = "Serving Benchmark Result"
OPENAI: Final = ("chat", "completions")
KINDS: Final = (*TOKEN_KINDS, "role", "other")
"""APIs whose events have choices; for other APIs vLLM counts events with text."""
_MS: Final = 1e-6
_NS: Final = 1e9


def summarize(run: Run, slos: Sequence[Slo] = ()) -> DialectSummary:
    """Return the lines of vLLM's block; keys are those of its result file."""
    chunks = run.chunks(KINDS if run.endpoint in OPENAI else TOKEN_KINDS)
    ok = run.ok & ((chunks.count > 0) | (not run.generates))
    first, last = (np.where(ok, chunks.nth(n) if run.generates else run.end, np.nan) for n in (0, -1))
    ttft, latency = first - run.sent, last - run.sent
    isl, osl = (np.where(ok, values, np.nan) for values in (run.isl, run.osl))
    tpot = divided(latency - ttft, osl - 1, osl > 1)
    seconds = span_s(run.sent, run.end)
    inputs, outputs = float(np.nansum(isl)), float(np.nansum(osl))
    done = int(ok.sum())
    rows = [
        single("completed", "Successful requests:", "requests", done),
        single("failed", "Failed requests:", "requests", len(ok) - done),
        single("duration", "Benchmark duration (s):", "s", seconds),
        single("total_input_tokens", "Total input tokens:", "tokens", int(inputs)),
    ]
    if run.generates:
        rows.append(single("total_output_tokens", "Total generated tokens:", "tokens", int(outputs)))
    rows.append(single("request_throughput", "Request throughput (req/s):", "req/s", per_second(done, seconds)))
    if not run.generates:
        total = per_second(inputs, seconds)
        rows.append(single("total_token_throughput", "Total token throughput (tok/s):", "tok/s", total))
        sections = [*_latencies("e2el", "E2EL", "End-to-end Latency", latency)]
    else:
        if slos:
            # For vLLM the TPOT of a single token is 0.
            good = ok & good_requests({"ttft": ttft, "tpot": tpot, "e2e": latency}, slos)
            rate = per_second(int(good.sum()), seconds)
            rows.append(single("request_goodput", "Request goodput (req/s):", "req/s", rate))
        peak = fullest_second(chunks.stamps_ns(ok), run.sent[ok])
        output, total = per_second(outputs, seconds), per_second(inputs + outputs, seconds)
        rows += [
            single("output_throughput", "Output token throughput (tok/s):", "tok/s", output),
            single("max_output_tokens_per_s", "Peak output token throughput (tok/s):", "tok/s", peak),
            single(
                "max_concurrent_requests", "Peak concurrent requests:", "requests", most_at_once(run.sent, last, ok)
            ),
            single("total_token_throughput", "Total token throughput (tok/s):", "tok/s", total),
        ]
        sections = [
            *_latencies("ttft", "TTFT", "Time to First Token", ttft),
            *_latencies("tpot", "TPOT", "Time per Output Token (excl. 1st token)", tpot),
            *_latencies("itl", "ITL", "Inter-token Latency", chunks.gaps_ns(ok)),
            *_latencies("e2el", "E2EL", "End-to-end Latency", latency, shown=False),
        ]
    return DialectSummary(
        dialect="vllm",
        tool=TOOL,
        tapes=tape_names(run),
        layout="block",
        head="",
        sections=(Section(TITLE, ("value",), tuple(rows)), *sections),
        notes=(
            *left_out(run, "they count in their own number and in the duration only"),
            counted(run, "vLLM uses the server's usage, or its own tokenizer without it"),
        ),
    )


def fullest_second(stamps_ns: np.typing.NDArray[np.int64], sent_ns: Floats) -> float:
    """Return the most chunks in any whole second, counted from the first request."""
    if not len(stamps_ns):
        return 0.0
    return float(np.bincount(((stamps_ns - np.nanmin(sent_ns)) / _NS).astype(np.int64)).max())


def most_at_once(begin: Floats, end: Floats, of: Mask) -> int:
    """Return the peak number of requests in flight; a request that ends when another begins is not counted with it."""
    times = np.concatenate((begin[of], end[of]))
    changes = np.repeat([1, -1], int(of.sum()))
    order = np.lexsort((changes, times))
    return int(np.cumsum(changes[order]).max(initial=0))


def _latencies(key: str, name: str, title: str, values: Floats, *, shown: bool = True) -> list[Section]:
    """Return mean, median and p99, which vLLM prints, and std, which is only in its file."""
    found: dict[str, Value] = spread(values, ("mean", "median", "std", "p99"), _MS)
    rows = [
        Row(
            f"{word}_{key}_ms",
            f"{word.capitalize()} {name} (ms):",
            "ms",
            {"value": found[word]},
            shown and word != "std",
        )
        for word in found
    ]
    return [Section(title if shown else "", ("value",), tuple(rows))]
