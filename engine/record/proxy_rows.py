"""Converting the captures of the recording proxy to rows of a tape."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from ...cext.recorder import EventColumns, RecordedRequest
from ..run.row_batches import RECORD, TIMES, event_counts, json_text
from ..tape.schema import BLOCKS, BODIES, END_MARKERS, OUTCOMES, REQUESTS, events_batch
from ..transport.server_error import error_text, status_text
from .hashing import PromptHasher, prompt_bytes
from .kept_head import RecordedHead, read_head, strike_out

SERVERS_WORDS = ("http_error", "stream_error")
"""Outcomes whose error is the server's text, which may repeat the client's prompt."""


@dataclass(frozen=True)
class Recording:
    """Values that all rows of one tape share.

    Attributes:
        url: Root URL of the server.
        epoch_ns: CLOCK_MONOTONIC at the tape's epoch.
        first_id: The proxy's number of the tape's request 0.
        keep_bodies: Whether bodies, headers, response texts and servers' error messages are stored.
        hasher: Hasher of prompts; None: prompts are not hashed.
    """

    url: str
    epoch_ns: int
    first_id: int
    keep_bodies: bool
    hasher: PromptHasher | None


def recorded_events(block: EventColumns, mask: Any, recording: Recording) -> pa.RecordBatch:
    """Return the events of a block that a mask selects."""

    def column(data: bytes, kind: str) -> Any:
        return np.frombuffer(data, kind)[mask]

    return events_batch(
        column(block.request_id, "i8") - recording.first_id,
        column(block.event, "i4"),
        column(block.arrival_ns, "i8") - recording.epoch_ns,
        column(block.read_ns, "i8") - recording.epoch_ns,
        column(block.kind, "u1"),
        column(block.tokens, "i4"),
        column(block.size, "i4"),
        column(block.coalesced, "u1"),
    )


def request_id(row: RecordedRequest) -> int:
    """The proxy's number of a request."""
    return int.from_bytes(row.record[:8], "little")


@dataclass(frozen=True)
class RecordedBatches:
    """Rows for each table; None without rows."""

    requests: pa.RecordBatch
    bodies: pa.RecordBatch | None
    blocks: pa.RecordBatch | None


def recorded_batches(rows: Sequence[RecordedRequest], recording: Recording) -> RecordedBatches:
    """Return finished requests as rows of the tape."""
    records = np.frombuffer(b"".join(row.record for row in rows), RECORD)
    heads = [read_head(row.head) for row in rows]
    asked = [_decoded(row.body) for row in rows]
    ids = records["request_id"] - recording.first_id
    requests = _requests(rows, records, heads, asked, recording)
    bodies = blocks = None
    if recording.keep_bodies:
        columns = [
            pa.array(ids),
            pa.array([row.body for row in rows], pa.binary()),
            pa.array([json.dumps(head.headers) for head in heads], pa.string()),
            pa.array([json_text(row.text) if row.text else None for row in rows], pa.string()),
        ]
        bodies = pa.RecordBatch.from_arrays(columns, schema=BODIES)
    if recording.hasher is not None:
        blocks = _blocks(ids.tolist(), asked, recording.hasher)
    return RecordedBatches(requests, bodies, blocks)


def _decoded(body: bytes | None) -> Any:
    try:
        return msgspec.json.decode(body or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _blocks(ids: list[int], asked: list[Any], hasher: PromptHasher) -> pa.RecordBatch:
    hashes = [hasher.hashes(prompt_bytes(request)) for request in asked]
    counts = [len(told) for told in hashes]
    columns = [
        pa.array(np.repeat(np.array(ids, np.int64), counts)),
        pa.array(np.concatenate([np.arange(count, dtype=np.int32) for count in counts])),
        pa.array([told for request in hashes for told in request], pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=BLOCKS)


def _model(request: Any) -> str:
    name = request.get("model") if isinstance(request, dict) else None
    return name if isinstance(name, str) else ""


def _requests(
    rows: Sequence[RecordedRequest], records: Any, heads: list[RecordedHead], asked: list[Any], recording: Recording
) -> pa.RecordBatch:
    n = len(rows)
    outcomes = [OUTCOMES[code] for code in records["outcome"]]
    columns: dict[str, Any] = {
        "request_id": pa.array(records["request_id"] - recording.first_id),
        "turn": pa.array(np.zeros(n, np.int32)),
        "phase": pa.array(["main"] * n, pa.string()),
        "worker": pa.array(np.zeros(n, np.int16)),
        "endpoint": pa.array([row.endpoint for row in rows], pa.string()),
        "model": pa.array([_model(request) for request in asked], pa.string()),
        "url": pa.array([recording.url + head.path for head in heads], pa.string()),
        "scheduled_ns": pa.array(records["scheduled_ns"] - recording.epoch_ns),
        "clock": pa.array(np.where(records["user_clock"] == 1, "user", "kernel").tolist(), pa.string()),
        "outcome": pa.array(outcomes, pa.string()),
        "http_status": pa.array(records["http_status"].astype(np.int16), mask=records["http_status"] == 0),
        "error": pa.array(
            [
                _error(row, outcome, status, head, recording.keep_bodies)
                for row, outcome, status, head in zip(
                    rows, outcomes, records["http_status"].tolist(), heads, strict=True
                )
            ],
            pa.string(),
        ),
        "finish_reason": pa.array([json_text(row.finish) if row.finish else None for row in rows], pa.string()),
        "end_marker": pa.array(
            [END_MARKERS[code - 1] if code else None for code in records["end_marker"]], pa.string()
        ),
        "output_tokens": pa.array(event_counts(records).astype(np.int32)),
        "token_source": pa.array(["events"] * n, pa.string()),
        "output_events": pa.array(records["output_events"]),
        "bytes_sent": pa.array(records["bytes_sent"]),
        "bytes_received": pa.array(records["bytes_received"]),
        "response_id": pa.array([json_text(row.id) if row.id else None for row in rows], pa.string()),
        "connection_id": pa.array(records["connection_id"]),
        "connection_reused": pa.array(records["connection_reused"] == 1),
        "retries": pa.array(np.zeros(n, np.int16)),
    }
    received = np.array([row.received_ns for row in rows], np.int64)
    columns["received_ns"] = pa.array(received - recording.epoch_ns, mask=received == 0)
    for name in TIMES:
        columns[name] = pa.array(records[name] - recording.epoch_ns, mask=records[name] == 0)
    for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
        told = pa.array(records[name], mask=records[name] == -1).cast(pa.int32())
        columns[f"server_{name}"] = told
        if name in ("input_tokens", "output_tokens"):
            columns[f"planned_{name}"] = told
    schema = pa.schema([field for field in REQUESTS if field.name in columns])
    return pa.RecordBatch.from_pydict(columns, schema=schema)


def _error(row: RecordedRequest, outcome: str, status: int, head: RecordedHead, keep_words: bool) -> str | None:
    """Return why a request failed. A server's message is kept only with bodies, because it often repeats the prompt."""
    if outcome == "http_error" and not (keep_words and row.error):
        return status_text(status)
    if outcome in SERVERS_WORDS and not keep_words:
        return "the server sent an error within the stream"
    return strike_out(error_text(row.error), head.secrets) if row.error else None
