"""A run against vLLM beside the server's own account of it, as a table in Markdown.

    curl -s http://127.0.0.1:8000/metrics > before
    tokentape profile --url http://127.0.0.1:8000 --no-probe … --out run.tape
    curl -s http://127.0.0.1:8000/metrics > after
    python benchmarks/vllm_metrics.py run.tape before after

Nobody else may use the server meanwhile. What vLLM's clocks start and stop at: docs/validation.md.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tokentape.engine.tape import open_tape

from harness.rows import table

SAMPLE = re.compile(r"vllm:(\w+)\{(.*)\} (\S+)")
BOUND = re.compile(r'le="([^"]+)"')

TIMES = {
    "time_to_first_token": "ttft_from_send_ms",
    "request_time_per_output_token": "tpot_ms",
    "inter_token_latency": "itl_ms",
    "e2e_request_latency": "e2e_from_send_ms",
}
"""vLLM's histograms (in seconds), and what they are in a tape's summary."""

COUNTS = {
    "request_success_total": "outcome",
    "prompt_tokens_total": "server_input_tokens",
    "generation_tokens_total": "server_output_tokens",
    "prompt_tokens_cached_total": "server_cached_tokens",
}
"""vLLM's counters, and the columns of a tape's requests."""


class Metrics:
    """What a server counted between two readings of its /metrics, over all labels."""

    def __init__(self, before: str, after: str) -> None:
        self.values: dict[str, float] = {}
        self._buckets: dict[str, dict[float, float]] = {}
        for text, sign in ((before, -1), (after, 1)):
            for name, labels, value in SAMPLE.findall(text):
                bound = BOUND.search(labels)
                if bound is None:
                    self.values[name] = self.values.get(name, 0) + sign * float(value)
                else:
                    counts = self._buckets.setdefault(name.removesuffix("_bucket"), {})
                    counts[float(bound[1])] = counts.get(float(bound[1]), 0) + sign * float(value)

    def mean_ms(self, histogram: str) -> float:
        """Of a histogram of seconds."""
        return 1e3 * self.values[f"{histogram}_seconds_sum"] / self.values[f"{histogram}_seconds_count"]

    def apart(self, histogram: str, ours_ms: NDArray[np.float64]) -> int:
        """At each bound of the histogram's buckets: how many more of our values lie above it, or below; the most."""
        counts = self._buckets[f"{histogram}_seconds"]
        return max(abs(int(count) - int(np.sum(ours_ms <= 1e3 * bound))) for bound, count in counts.items())


def ours_ms(requests: dict[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
    """A value for each request, in ms, under vLLM's names."""
    sent, first, last = (requests[name] for name in ("sent_ns", "first_token_ns", "last_token_ns"))
    return {
        "time_to_first_token": (first - sent) / 1e6,
        "request_time_per_output_token": (last - first) / 1e6 / (requests["output_tokens"] - 1),
        "e2e_request_latency": (last - sent) / 1e6,
    }


def gaps_ms(events: pa.Table) -> NDArray[np.float64]:
    """The times between tokens, a value for each token but the first ones; only of events whose tokens are known."""
    tokens = events.filter(pc.field("tokens") > 0).sort_by([("request_id", "ascending"), ("event", "ascending")])
    request, arrival, count = (tokens[name].to_numpy() for name in ("request_id", "arrival_ns", "tokens"))
    later = np.flatnonzero(request[1:] == request[:-1])
    return np.repeat((arrival[later + 1] - arrival[later]) / 1e6 / count[later + 1], count[later + 1])


def main() -> None:
    """Print the table."""
    cli = argparse.ArgumentParser(description="A tape beside vLLM's own metrics.")
    cli.add_argument("tape", type=Path)
    cli.add_argument("before", type=Path, help="the server's /metrics before the run")
    cli.add_argument("after", type=Path)
    given = cli.parse_args()
    theirs = Metrics(given.before.read_text(), given.after.read_text())
    told = json.loads((given.tape / "summary.json").read_text())["metrics"]
    tape = open_tape(given.tape)
    requests = tape.requests
    if set(requests["outcome"].to_pylist()) != {"ok"}:
        cli.error("requests failed: the server's metrics hold their tokens too")
    columns = [name for name in requests.column_names if name.endswith(("_ns", "_tokens"))]
    each = ours_ms({name: requests[name].to_numpy() for name in columns})
    if "itl_ms" in told:
        each["inter_token_latency"] = gaps_ms(tape.read("events", ["request_id", "event", "arrival_ns", "tokens"]))
    rows = []
    for histogram, metric in TIMES.items():
        # Where a chunk may hold several tokens, the summary has the gaps of chunks instead of tokens.
        name = "inter_chunk_latency_ms" if metric == "itl_ms" and metric not in told else metric
        server, client = theirs.mean_ms(histogram), told[name]["avg"]
        apart = f"{theirs.apart(histogram, each[histogram])} of {each[histogram].size:,}" if histogram in each else ""
        rows.append(
            [
                f"`{histogram}_seconds`",
                name,
                f"{server:,.2f}",
                f"{client:,.2f}",
                f"{client - server:+.2f}",
                f"{100 * (client / server - 1):+.2f} %",
                apart,
            ]
        )
    for counter, column in COUNTS.items():
        server = int(theirs.values[counter])
        client = requests.num_rows if column == "outcome" else sum(requests[column].drop_null().to_pylist())
        rows.append([f"`{counter}`", column, f"{server:,}", f"{client:,}", f"{client - server:+,}", "", ""])
    print(table(["vLLM", "tape", "vLLM's", "tape's", "difference", "", "apart at a bucket's bound"], rows))


if __name__ == "__main__":
    main()
