"""Find out how many requests a server can hold in flight: profile it at several concurrencies, and print a table.

    python capacity.py --url http://127.0.0.1:8000 --concurrency 1 2 4 8 16 32 --slo ttft:300ms

Without --url the simulated server is measured. Each concurrency leaves a tape in --tapes. Ctrl-C ends the sweep; the
interrupted run is in the table.
"""

import argparse
import sys
from pathlib import Path

import tokentape


def text(value: float | None) -> str:
    """Return a number for the table; "n/a" where there are too few samples."""
    return "n/a" if value is None else f"{value:,.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the server; without it, the simulated server")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 4, 16], help="concurrencies to try, in order")
    parser.add_argument("--requests", type=int, default=40, help="number of requests at each concurrency")
    parser.add_argument("--isl", type=int, default=200, help="length of the prompts, in tokens")
    parser.add_argument("--osl", type=int, default=20, help="output tokens of each request")
    parser.add_argument("--slo", default="ttft:100ms", help="objective that each request should meet")
    parser.add_argument("--tapes", type=Path, default=Path("capacity"), help="folder of the tapes")
    args = parser.parse_args()

    best: tuple[float, int] | None = None
    print(f"{'in flight':>9}{'tokens/s':>12}{'TTFT p50':>12}{'TPOT p50':>12}{'goodput/s':>12}  verdict")
    for concurrency in args.concurrency:
        tape = tokentape.profile(
            args.tapes / f"{concurrency}.tape",
            url=args.url,
            concurrency=concurrency,
            request_count=max(args.requests, 2 * concurrency),
            isl=args.isl,
            osl=args.osl,
        )
        summary = tape.summary(args.slo)
        rates = {rate.key: rate.value for rate in summary.rates}
        goodput = rates["goodput_from_send_requests_per_s"]
        print(
            f"{concurrency:>9}"
            f"{text(rates['output_token_throughput_tokens_per_s']):>12}"
            f"{text(summary.statistic('ttft', 'send').value('p50')):>12}"
            f"{text(summary.statistic('tpot').value('p50')):>12}"
            f"{text(goodput):>12}  {summary.verdict.state}"
        )
        if goodput and (best is None or goodput > best[0]):
            best = goodput, concurrency
        if tape.stopped:
            print("interrupted: the sweep ends here")
            break
    if best is None:
        print(f"no request met {args.slo}")
        return 1
    print(f"most requests that meet {args.slo}: {best[0]:,.1f} per second, with {best[1]} in flight")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tokentape.UserError, tokentape.TraceError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
