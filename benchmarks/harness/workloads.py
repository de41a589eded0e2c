"""What is sent: trace files for replays, and the one request that the other clients repeat."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def request_bytes(tokens: int, model: str) -> bytes:
    """A chat request for so many tokens, the connection closed behind its answer, as a whole HTTP message."""
    body = body_bytes(tokens, model)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def body_bytes(tokens: int, model: str) -> bytes:
    """Its body alone."""
    prompt = " sist" * 64
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return json.dumps(body, separators=(",", ":")).encode()


def write_burst(path: Path, streams: int, tokens: int, spread_s: float = 0.05) -> Path:
    """A trace of streams that all begin within `spread_s`."""
    arrival = np.arange(streams) * int(spread_s * 1e9) // streams
    return _write(path, arrival, 64, tokens)


def write_poisson(path: Path, rate_rps: float, seconds: float, tokens: int, seed: int = 0) -> Path:
    """A trace of a Poisson process."""
    gaps = np.random.default_rng(seed).exponential(1e9 / rate_rps, int(rate_rps * seconds))
    arrival = np.cumsum(gaps).astype(np.int64)
    return _write(path, arrival - arrival[0], 64, tokens)


def _write(path: Path, arrival_ns: NDArray[np.int64], input_tokens: int, output_tokens: int) -> Path:
    from tokentape.traces.readers.native import write_native
    from tokentape.traces.table import TRACE_SCHEMA, Trace, table_digest

    n = len(arrival_ns)
    columns = {
        "arrival_ns": arrival_ns.astype(np.int64),
        "input_tokens": np.full(n, input_tokens, np.int32),
        "output_tokens": np.full(n, output_tokens, np.int32),
        "turn": np.zeros(n, np.int32),
        "source_row": np.arange(1, n + 1),
    }
    arrays = [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n, f.type) for f in TRACE_SCHEMA]
    table = pa.Table.from_arrays(arrays, schema=TRACE_SCHEMA)
    write_native(Trace(table, "native", "benchmark", table_digest(table)), path)
    return path
