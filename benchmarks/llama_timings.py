"""A run against llama.cpp's server beside the times in the server's log, as a table in Markdown.

    python tests/real/llama_server.py MODEL.gguf 2> server.log        # says its URL
    tokentape profile --url URL --concurrency 1 --no-probe … --out run.tape
    python benchmarks/llama_timings.py run.tape server.log

One request at a time, so that the order tells which is which, and the log's last requests must be those of the run.
What llama.cpp's clocks start and stop at: docs/validation.md.
"""

import argparse
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokentape.engine.tape import open_tape

from harness.rows import table

TIMING = re.compile(
    r"prompt eval time =\s+([\d.]+) ms /\s+(\d+) tokens.*\n.* eval time =\s+([\d.]+) ms /\s+(\d+) tokens"
)

TIMES = ("sent_ns", "headers_ns", "first_token_ns", "last_token_ns", "end_ns")

Floats = NDArray[np.float64]


class Timings(NamedTuple):
    """What the server measured: one element per request."""

    prompt_ms: Floats
    prompt_tokens: Floats
    """Those that were not in its cache."""
    predicted_ms: Floats
    predicted_tokens: Floats


def read_timings(log: str, requests: int) -> Timings:
    """Of the last requests in a log.

    Raises:
        ValueError: The log has fewer.
    """
    found = TIMING.findall(log)[-requests:]
    if len(found) < requests:
        raise ValueError(f"the log has the times of {len(found)} requests, the tape has {requests}")
    return Timings(*np.array(found, dtype=np.float64).T)


def differences(name: str, theirs: Floats, ours: Floats) -> list[str]:
    """A row: both means, and how far single requests are apart."""
    apart = ours - theirs
    share = 100 * apart / theirs
    return [
        name,
        f"{theirs.mean():,.2f}",
        f"{ours.mean():,.2f}",
        f"{apart.mean():+.2f} ({100 * (ours.mean() / theirs.mean() - 1):+.2f} %)",
        f"{np.median(apart):+.2f}",
        f"{apart.min():+.2f} … {apart.max():+.2f} ({share.min():+.1f} … {share.max():+.1f} %)",
    ]


def counts(name: str, theirs: Floats, ours: NDArray[np.int64]) -> str:
    """A line: the log's sum and the usage's, and whether they are equal one by one."""
    unequal = int(np.sum(theirs != ours))
    return (
        f"{name}: {theirs.sum():,.0f} in the log, {ours.sum():,} in the usage, {unequal} requests of which they differ"
    )


def main() -> None:
    """Print the table."""
    cli = argparse.ArgumentParser(description="A tape beside the times in llama.cpp's log.")
    cli.add_argument("tape", type=Path)
    cli.add_argument("log", type=Path)
    given = cli.parse_args()
    requests = open_tape(given.tape).requests.sort_by("end_ns")
    if set(requests["outcome"].to_pylist()) != {"ok"}:
        cli.error("requests failed: the log has other requests than the tape")
    theirs = read_timings(given.log.read_text(), requests.num_rows)
    sent, head, first, last, end = (requests[name].to_numpy() / 1e6 for name in TIMES)
    steps = requests["output_tokens"].to_numpy() - 1
    rows = [
        differences("TTFT: `prompt_ms`", theirs.prompt_ms, first - sent),
        differences("first token - head: `prompt_ms`", theirs.prompt_ms, first - head),
        differences("TPOT: `predicted_ms` / (n - 1)", theirs.predicted_ms / steps, (last - first) / steps),
        differences("end: both", theirs.prompt_ms + theirs.predicted_ms, end - sent),
    ]
    print(table(["ms", "llama.cpp's", "tape's", "difference of the means", "median difference", "of a request"], rows))
    prompts, cached, made = (requests[f"server_{name}_tokens"].to_numpy() for name in ("input", "cached", "output"))
    print(f"\nOf {requests.num_rows} requests:")
    print(counts("tokens read", theirs.prompt_tokens, prompts - cached))
    print(counts("tokens made", theirs.predicted_tokens, made))


if __name__ == "__main__":
    main()
