"""Record what production clients send, and replay it, byte for byte, against a new build.

    python record_production.py --production http://127.0.0.1:8000 --new-build http://127.0.0.1:9000

A proxy stands in front of the production server while clients talk to it. Its tape is a trace, which is then
replayed at the recorded times. Without URLs both servers are simulated, the new build being twice as fast to the
first token; the clients are a few threads of this script. The request bodies are stored on the tape: keep it as safe
as the conversations themselves.
"""

import argparse
import json
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path

import tokentape


def ask(url: str, question: str) -> int:
    """Send a streamed chat request as a client of production would; returns the number of bytes of the answer."""
    body = {"model": "m", "stream": True, "max_tokens": 20, "messages": [{"role": "user", "content": question}]}
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return len(answer.read())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--production", help="the server to record; without it, a simulated server")
    parser.add_argument("--new-build", help="the server to replay against; without it, a simulated server")
    parser.add_argument("--tapes", type=Path, default=Path("production"), help="folder of the tapes")
    parser.add_argument("--requests", type=int, default=40, help="number of requests that this script sends")
    args = parser.parse_args()

    with ExitStack() as servers:
        production: str = args.production or servers.enter_context(tokentape.serve(ttft="40ms", itl="5ms")).url
        new_build: str = args.new_build or servers.enter_context(tokentape.serve(ttft="20ms", itl="5ms")).url

        with tokentape.record(args.tapes / "recorded.tape", url=production, keep_bodies=True) as recording:
            print(f"clients connect to {recording.url}, which passes requests on to {production}")
            with ThreadPoolExecutor(4) as clients:
                questions = [f"Question {number}: what is a token?" for number in range(args.requests)]
                sizes = list(clients.map(ask, repeat(recording.url), questions))
        print(f"{len(recording.tape.requests)} requests recorded, {sum(sizes):,} bytes of answers")

        replayed = tokentape.replay(recording.tape.path, args.tapes / "replayed.tape", url=new_build)

    for name, tape in (("production", recording.tape), ("new build", replayed)):
        summary = tape.summary()
        ttft = summary.statistic("ttft", "send").value("p50")
        print(f"{name:<10} {summary.requests.ok} ok, TTFT p50 {'n/a' if ttft is None else f'{ttft:.1f} ms'}")
    return replayed.summary().verdict.exit_code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (tokentape.UserError, tokentape.TraceError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
