"""The tape and the summary at 10 million events: bytes and CPU per event, seconds and memory of the summary.

Each phase runs in a process of its own. The events are synthetic: streams of tokens 10 ms apart, stamped
with half-normal jitter (sigma 20 us, one in a thousand late by 2 ms on average) by the kernel and 5 to
60 us later by the user clock, handed over in the order of their arrival in blocks of 4,096.

    PYTHONPATH=build/names python benchmarks/tape_bench.py [--events 10000000] [--streams 500] [--tokens 250]
"""

import argparse
import heapq
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

BLOCK = 4096
ITL_NS, TTFT_NS = 10_000_000, 50_000_000


def synthesize(events: int, streams: int, tokens: int, jitter_ns: float, sizes: bool) -> dict[str, Any]:
    """Columns of events in the order of their arrival, and of the requests that they belong to."""
    rng = np.random.default_rng(0)
    lengths = np.maximum(rng.lognormal(np.log(tokens), 0.8, 2 * events // tokens), 2).astype(np.int64)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), events)) + 1]
    slots = [(float(t), i) for i, t in enumerate(np.sort(rng.uniform(0, 1e9, streams)))]
    heapq.heapify(slots)
    sent = np.empty(len(lengths), np.int64)
    for request, length in enumerate(lengths.tolist()):
        due, slot = slots[0]
        sent[request] = int(due)
        heapq.heapreplace(slots, (due + TTFT_NS + length * ITL_NS, slot))
    total = int(lengths.sum())
    request = np.repeat(np.arange(len(lengths)), lengths)
    event = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    noise = np.abs(rng.normal(0, jitter_ns, total)) + np.where(rng.random(total) < 1e-3, rng.exponential(2e6, total), 0)
    # A stream keeps its order: what comes after a late event is not earlier than it.
    arrival = sent[request] + TTFT_NS + event * ITL_NS + noise.astype(np.int64)
    apart = request * (int(arrival.max()) + 1)
    arrival = np.maximum.accumulate(arrival + apart) - apart
    read = arrival + rng.integers(5_000, 60_000, total)
    # Lengths of a token's text as of an English answer; the rest of a chunk is the same every time.
    text = rng.choice(9, total, p=[0.05, 0.1, 0.2, 0.25, 0.15, 0.1, 0.07, 0.05, 0.03]) if sizes else 0
    rows = np.argsort(arrival, kind="stable")
    ends = np.cumsum(lengths)
    return {
        "sent": sent,
        "first": arrival[ends - lengths],
        "last": arrival[ends - 1],
        "lengths": lengths,
        "request_id": request[rows],
        "event": event[rows].astype(np.int32),
        "arrival_ns": arrival[rows],
        "read_ns": read[rows],
        "bytes": (np.zeros(total, np.int32) + 212 + text)[rows].astype(np.int32),
    }


def requests_batch(data: dict[str, Any]) -> pa.RecordBatch:
    """The request rows of the synthetic run."""
    n = len(data["sent"])
    same = {
        "phase": "main",
        "endpoint": "chat",
        "model": "m",
        "url": "http://127.0.0.1:8000",
        "clock": "kernel",
        "outcome": "ok",
        "token_source": "events",
        "end_marker": "done",
        "finish_reason": "stop",
    }
    lengths = data["lengths"].astype(np.int32)
    columns: dict[str, Any] = {
        "request_id": np.arange(n),
        "turn": np.zeros(n, np.int32),
        "worker": np.zeros(n, np.int16),
        "scheduled_ns": data["sent"] - 60_000,
        "sent_ns": data["sent"],
        "first_event_ns": data["first"],
        "first_token_ns": data["first"],
        "last_token_ns": data["last"],
        "end_ns": data["last"] + 100_000,
        "http_status": np.full(n, 200, np.int16),
        "planned_output_tokens": lengths,
        "server_input_tokens": np.full(n, 550, np.int32),
        "server_output_tokens": lengths,
        "output_events": lengths,
        "bytes_sent": np.full(n, 2000),
        "bytes_received": data["lengths"] * 220,
        "connection_id": (np.arange(n) % 500).astype(np.int32),
        "connection_reused": np.ones(n, bool),
    }
    return pa.RecordBatch.from_pydict(
        {k: pa.array(v) for k, v in columns.items()} | {k: pa.array([v] * n) for k, v in same.items()}
    )


def write(path: Path, options: argparse.Namespace) -> dict[str, float]:
    """Writes the tape; CPU covers making batches, the journal and the seal."""
    from tokentape.engine.tape.schema import events_batch
    from tokentape.engine.tape.writer import TapeWriter

    data = synthesize(options.events, options.streams, options.tokens, options.jitter_us * 1000, not options.same_size)
    total = len(data["request_id"])
    requests = requests_batch(data)
    before, wall = _cpu(), time.perf_counter()
    writer = TapeWriter(path, {}, epoch_mono_ns=0, epoch_unix_ns=1_700_000_000_000_000_000)
    zeros, unknown = np.zeros(BLOCK, np.uint8), np.full(BLOCK, -1, np.int32)
    for at in range(0, total, BLOCK):
        cut = slice(at, at + BLOCK)
        n = len(data["event"][cut])
        writer.events(
            events_batch(
                data["request_id"][cut],
                data["event"][cut],
                data["arrival_ns"][cut],
                data["read_ns"][cut],
                zeros[:n],
                unknown[:n],
                data["bytes"][cut],
                zeros[:n],
            )
        )
    writer.requests(requests)
    journal = _cpu() - before
    before_seal = _cpu()
    tape = writer.seal()
    seal = _cpu() - before_seal
    parts = tape.manifest["files"]
    stored = sum(part["bytes"] for part in parts if part["table"] == "events")
    return {
        "events": total,
        "requests": len(data["sent"]),
        "bytes_per_event": stored / total,
        "bytes_per_request_row": sum(p["bytes"] for p in parts if p["table"] == "requests") / len(data["sent"]),
        "journal_user_cpu_us_per_event": journal[0] / total * 1e6,
        "seal_user_cpu_us_per_event": seal[0] / total * 1e6,
        "system_cpu_us_per_event": (journal[1] + seal[1]) / total * 1e6,
        "write_seconds": time.perf_counter() - wall,
    }


def columns(path: Path) -> dict[str, float]:
    """Bytes per event of each column."""
    import pyarrow.parquet as pq
    from tokentape.engine.tape.read import open_tape

    tape = open_tape(path)
    sizes: dict[str, float] = {}
    for file in tape.files("events"):
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            for number in range(metadata.num_columns):
                column = metadata.row_group(group).column(number)
                sizes[column.path_in_schema] = sizes.get(column.path_in_schema, 0) + column.total_compressed_size
    return {name: size / tape.manifest["rows"]["events"] for name, size in sizes.items()}


def summarize(path: Path) -> dict[str, float]:
    """Summarizes the tape; the seconds leave out the start of Python."""
    began = time.perf_counter()
    from tokentape.engine.measure.summary import summarize as summarize_tape
    from tokentape.engine.tape.read import open_tape

    imported = time.perf_counter()
    summary = summarize_tape(open_tape(path))
    done = time.perf_counter()
    return {
        "import_seconds": imported - began,
        "summarize_seconds": done - imported,
        "cpu_seconds": sum(_cpu()),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "statistics": len(summary.statistics),
    }


def _cpu() -> np.ndarray:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return np.array([usage.ru_utime, usage.ru_stime])


def main() -> None:
    """Runs the phases, each in its own process, and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--tokens", type=int, default=250, help="median output tokens of a request")
    parser.add_argument("--jitter-us", type=float, default=20.0)
    parser.add_argument("--same-size", action="store_true", help="every event has as many bytes")
    parser.add_argument("--phase", choices=("write", "columns", "summarize"))
    parser.add_argument("--tape", type=Path)
    options = parser.parse_args()
    if options.phase:
        work = {"write": lambda p: write(p, options), "columns": columns, "summarize": summarize}
        print(json.dumps(work[options.phase](options.tape)))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = {}
        for phase in ("write", "columns", "summarize"):
            command = [sys.executable, __file__, *sys.argv[1:], "--phase", phase, "--tape", f"{folder}/tape"]
            done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
            results[phase] = json.loads(done.stdout)
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
