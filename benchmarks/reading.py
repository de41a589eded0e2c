"""Reading traces: MB/s, CPU and peak memory against the size of the rows as Arrow.

Each file is read in a process of its own; memory is the highest resident set less that after the imports. Without
files, large ones are made: Mooncake's rows in order and out of order, texts out of order, a batch of bodies, a JSON of
spans.

    PYTHONPATH=build/names python benchmarks/reading.py [--megabytes 400] [FILE ...]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

MEASURED = """
import json, os, sys, time
def status(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))
from tokentape.traces import detect
imported = status("VmRSS")
wall, cpu = time.perf_counter(), time.process_time()
trace = detect.read_trace(sys.argv[1])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"rows": len(trace), "wall_s": wall, "cpu_s": cpu, "arrow": trace.table.nbytes,
                  "peak": status("VmHWM") - imported}))
"""

WORDS = " ".join(np.random.default_rng(0).choice(["alpha", "beta", "gamma", "delta", "eta", "theta"], 100_000))


def text(random: np.random.Generator, most: int) -> str:
    """Words of a random length."""
    begin = int(random.integers(0, len(WORDS) // 2))
    return WORDS[begin : begin + int(random.integers(50, most))]


def mooncake(random: np.random.Generator, shuffle_ms: int) -> Iterator[str]:
    """Rows that share prefixes, out of order by so much."""
    clock = fresh = 0
    while True:
        clock += int(random.integers(0, 300))
        blocks = int(random.integers(1, 50))
        shared = int(random.integers(0, max(1, fresh)))
        ids = [*range(shared, shared + blocks // 2), *range(fresh, fresh + blocks - blocks // 2)]
        fresh += blocks - blocks // 2
        stamp = max(0, clock + int(random.integers(-shuffle_ms, shuffle_ms + 1)))
        length = blocks * 512 - int(random.integers(0, 512))
        yield json.dumps({"timestamp": stamp, "input_length": length, "output_length": 100, "hash_ids": ids})


def lmcache(random: np.random.Generator) -> Iterator[str]:
    """Sessions' texts, out of order."""
    clock = 1_760_587_752_017_385
    while True:
        clock += 1000
        stamp, session = clock + int(random.integers(-(10**7), 10**7)), f"s{random.integers(0, 1000)}"
        yield json.dumps({"timestamp": stamp, "input": text(random, 4000), "output": "Yes.", "session_id": session})


def batch(random: np.random.Generator) -> Iterator[str]:
    """Bodies."""
    number = 0
    while True:
        number += 1
        body = {"model": "m", "messages": [{"role": "user", "content": text(random, 4000)}]}
        yield json.dumps({"custom_id": str(number), "method": "POST", "url": "/v1/chat/completions", "body": body})


def spans(random: np.random.Generator) -> Iterator[str]:
    """One JSON document of calls."""
    number = 0
    while True:
        number += 1
        said = json.dumps([{"role": "user", "content": text(random, 4000)}])
        start = 1_760_587_752_017_385_000 + number * 10**7
        span = {"trace_id": f"t{number // 10}", "span_id": str(number), "start_time": start, "end_time": start + 10**6}
        calls = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 9, "gen_ai.input.messages": said}
        yield ('{"spans": [' if number == 1 else ",") + json.dumps(span | {"attributes": calls})


KINDS: dict[str, Callable[[np.random.Generator], Iterator[str]]] = {
    "mooncake.jsonl": lambda random: mooncake(random, 0),
    "mooncake, out of order.jsonl": lambda random: mooncake(random, 5000),
    "lmcache, out of order.jsonl": lmcache,
    "openai-batch.jsonl": batch,
    "otel.json": spans,
}


def made(folder: Path, size: int) -> Iterator[Path]:
    """The files, one at a time."""
    for name, lines in KINDS.items():
        path, written = folder / name, 0
        with path.open("w") as file:
            for line in lines(np.random.default_rng(1)):
                written += file.write(line + "\n")
                if written >= size:
                    break
            if path.suffix == ".json":
                file.write("]}")
        yield path
        path.unlink()


def main() -> None:
    """Measure and print a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--megabytes", type=int, default=400)
    given = parser.parse_args()
    print(f"{'file':32} {'MB':>6} {'rows':>9} {'MB/s':>6} {'MB/s of CPU':>11} {'Arrow, MB':>9} {'peak / Arrow':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for path in given.files or made(Path(folder), given.megabytes * 10**6):
            done = subprocess.run([sys.executable, "-c", MEASURED, path], capture_output=True, text=True, check=True)
            found, size = json.loads(done.stdout), path.stat().st_size / 1e6
            print(
                f"{path.name[:32]:32} {size:6.0f} {found['rows']:9,} {size / found['wall_s']:6.1f} "
                f"{size / found['cpu_s']:11.1f} {found['arrow'] / 1e6:9.1f} {found['peak'] / found['arrow']:12.2f}"
            )


if __name__ == "__main__":
    main()
