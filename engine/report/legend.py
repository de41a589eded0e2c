"""Legend of a summary: one sentence for each row with its meaning, zero point and unit."""

from typing import Final

from ..measure.summary import Summary
from .summary_table import LABELS

LEGEND: Final = {
    "lateness": "Time from a request's scheduled time until its first byte was sent, in ms.",
    "queueing": "Part of the lateness that a request spent waiting for a limit of requests in flight, in ms.",
    "ttft": "Time to first token: from the zero point to the first output event, in ms.",
    "ttfvt": "Time to first visible token: from the zero point to the first output that is neither reasoning nor a "
    "tool call, in ms.",
    "itl": "Inter-token latency: time between two tokens of a response, in ms; an event of k tokens counts as k gaps.",
    "inter_chunk_latency": "Time between two output events of a response, in ms; their token counts are not known.",
    "tpot": "Time per output token after the first: (last token - first token) / (output tokens - 1), in ms, one value "
    "per request.",
    "e2e": "End-to-end latency: from the zero point to the last token, in ms.",
    "ttft_open": "TTFT of requests that were sent at their own scheduled times, in ms.",
    "ttft_closed": "TTFT of requests that waited for the turn before them, in ms.",
    "e2e_open": "End-to-end latency of requests that were sent at their own scheduled times, in ms.",
    "e2e_closed": "End-to-end latency of requests that waited for the turn before them, in ms.",
    "input_tokens": "Input sequence length: tokens of the prompt, of successful requests.",
    "output_tokens": "Output sequence length: tokens of the response, of successful requests.",
    "reasoning_tokens": "Output tokens that were reasoning, of successful requests.",
    "tool_call_tokens": "Output tokens that were tool calls, of successful requests.",
    "visible_tokens": "Output tokens that a user sees: neither reasoning nor tool calls.",
    "output_token_throughput": "Output tokens per second, up to the last arrival (with drain) and while requests were "
    "still being sent (without drain).",
    "request_throughput": "Successful requests per second.",
    "goodput": "Requests per second that met every per-request objective (--slo ttft:300ms).",
}
"""Sentences by the metric's name."""

ZERO_POINTS: Final = (
    "From schedule: counted from the time at which the request was due, as a user experienced it. From send: counted "
    "from the first byte sent, as the server answered it."
)
FIDELITY: Final = (
    "How closely the run followed its plan: variation of the gaps between requests (CV), burstiness per second (Fano), "
    "lengths, and the share of prompt tokens that a prefix cache could or did reuse."
)
FAILED: Final = "Requests that failed count as infinitely slow in every percentile that they would have worsened."
PAGE: Final = "docs/metrics.md"


def legend(summary: Summary) -> list[tuple[str, str]]:
    """Return the meaning of each row of a summary's table, in order.

    Returns:
        Pairs of a row's label and a sentence.
    """
    metrics = [*(row.metric for row in summary.statistics), *(rate.metric for rate in summary.rates)]
    return [(LABELS[metric], LEGEND[metric]) for metric in dict.fromkeys(metrics)]
