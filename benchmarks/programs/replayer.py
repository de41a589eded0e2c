"""One replay, from trace file to sealed tape, as ``tokentape replay`` does it, without the summary behind it.

    python replayer.py TRACE URL TAPE [--speed S] [--limit N] [--cacert FILE] [--busy]

``--busy`` runs a thread of pure Python beside the replay, in the controller's process: an application that keeps
the interpreter busy must not spoil the stamps.
"""

import argparse
import threading
from pathlib import Path

from tokentape.engine.workloads.options import ReplayOptions
from tokentape.engine.workloads.replay_run import replay


def _burn(ended: threading.Event) -> None:
    total = 0
    while not ended.is_set():
        for number in range(10_000):
            total += number * number


def main() -> None:
    """Parse, replay, print how many rows the tape has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("trace", type=Path)
    parser.add_argument("url")
    parser.add_argument("tape", type=Path)
    parser.add_argument("--speed", default="1")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--cacert", help="For https.")
    parser.add_argument("--busy", action="store_true")
    given = parser.parse_args()
    ended = threading.Event()
    if given.busy:
        threading.Thread(target=_burn, args=(ended,), daemon=True).start()
    try:
        options = ReplayOptions(url=given.url, speed=given.speed, limit=given.limit, cacert=given.cacert)
        tape = replay(given.trace, given.tape, options)
    finally:
        ended.set()
    print(tape.manifest["rows"])


if __name__ == "__main__":
    main()
