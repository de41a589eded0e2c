"""Replay the same trace every night, and fail if the server got slower than on the night before.

    python nightly_regression.py --url http://127.0.0.1:8000 --trace conversation_trace.jsonl

Each night's tape stays in --tapes under its date, so any two nights can be compared later. Without --url the simulated
server is measured. Exit code: 0 no regression, 1 a latency rose by more than --allowed, 2 wrong usage, 3 the
measurement is INVALID.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import tokentape

WATCHED = (("ttft", "send", "p50"), ("ttft", "send", "p90"), ("tpot", None, "p50"), ("e2e", "send", "p90"))
"""Metric, zero point and statistic of each latency that must not rise."""


def latest_tape(folder: Path) -> Path | None:
    """Return the newest tape of the folder; names are dates, so they sort by time."""
    tapes = sorted(folder.glob("*.tape"))
    return tapes[-1] if tapes else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the server; without it, the simulated server")
    parser.add_argument("--trace", type=Path, default=tokentape.sample_trace(), help="trace to replay")
    parser.add_argument("--tapes", type=Path, default=Path("nightly"), help="folder of all nights' tapes")
    parser.add_argument("--limit", type=int, default=60, help="number of requests")
    parser.add_argument("--speed", type=float, default=8, help="divide the times of the trace by this")
    parser.add_argument("--ttft", help="time to first token of the simulated server, to try out a regression")
    parser.add_argument("--allowed", type=float, default=0.10, help="allowed rise of a latency, as a share")
    args = parser.parse_args()

    args.tapes.mkdir(parents=True, exist_ok=True)
    before = latest_tape(args.tapes)
    name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S-%f}.tape"
    tape = tokentape.replay(
        args.trace, args.tapes / name, url=args.url, limit=args.limit, speed=args.speed, ttft=args.ttft
    )
    summary = tape.summary()
    print(f"{tape.path}: {summary.requests.ok} of {summary.requests.planned} requests ok, {summary.verdict.state}")
    if summary.verdict.exit_code:
        for reason in summary.verdict.reasons:
            print(f"- {reason.text}: {reason.advice}")
        return summary.verdict.exit_code
    if before is None:
        print("this is the first night; there is nothing to compare with")
        return 0

    old = tokentape.summarize(before)
    slower = False
    print(f"{'latency':<16}{'before':>12}{'now':>12}{'change':>10}")
    for metric, basis, statistic in WATCHED:
        was, now = old.statistic(metric, basis).value(statistic), summary.statistic(metric, basis).value(statistic)
        if not was or not now:
            continue
        change = now / was - 1
        slower |= change > args.allowed
        print(f"{metric + ' ' + statistic:<16}{was:>9.2f} ms{now:>9.2f} ms{change:>+10.1%}")
    print("REGRESSION" if slower else "no regression")
    return 1 if slower else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tokentape.UserError, tokentape.TraceError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
