"""Converting workers' frames to batches of the tape."""

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..plan import Plan
from ..tape.schema import END_MARKERS, OUTCOMES, PHASES, PROBES, REQUESTS, events_batch
from ..transport.server_error import error_text, status_text

TIMES = (
    "released_ns",
    "connect_start_ns",
    "connected_ns",
    "tls_ns",
    "sent_ns",
    "sent_end_ns",
    "headers_ns",
    "first_event_ns",
    "first_token_ns",
    "last_token_ns",
    "end_ns",
    "first_visible_ns",
)

RECORD = np.dtype(
    [
        ("request_id", "i8"),
        ("scheduled_ns", "i8"),
        *((name, "i8") for name in TIMES),
        *((name, "i8") for name in ("bytes_sent", "bytes_received")),
        *(
            (name, "i8")
            for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "event_tokens")
        ),
        *((name, "i4") for name in ("events", "output_events", "connection_id", "retry_after_s")),
        *((name, "u4") for name in ("id_length", "finish_length", "error_length", "text_length")),
        ("http_status", "u2"),
        *((name, "u1") for name in ("outcome", "end_marker", "user_clock", "connection_reused", "retries", "streamed")),
    ]
)
"""The struct ``request_record`` of ``cext/base/request_record.h``."""

_LENGTHS = struct.Struct("<4I")
_LENGTHS_AT = RECORD.fields["id_length"][1] if RECORD.fields else 0

STATUS = np.dtype(
    [
        *(
            (name, "i8")
            for name in (
                "at_ns",
                "sent",
                "finished",
                "succeeded",
                "active",
                "connections",
                "tokens",
                "events",
                "coalesced",
                "busy_ns",
                "longest_turn_ns",
                "starved",
                "blocked",
                "clock_steps",
                "waited_ns",
                "held",
                "left",
                "done",
            )
        ),
        ("lateness", "u4", (128,)),
    ]
)
"""The struct ``reactor_status`` of ``cext/reactor/reactor.h``."""


@dataclass(frozen=True)
class Constants:
    """Values that all rows of a run share."""

    endpoint: str
    model: str
    url: str
    epoch_ns: int
    exact_inputs: bool
    """Whether input lengths are exact, because prompts are token ids or were counted with the model's tokenizer."""
    secrets: tuple[str, ...] = ()
    """Secrets to remove from servers' messages."""
    endpoints: pa.DictionaryArray | None = None
    """Endpoint of each row of the plan, if they differ; `models` and `urls` have the same form."""
    models: pa.DictionaryArray | None = None
    urls: pa.DictionaryArray | None = None


def unpack_events(frame: bytes | memoryview, rows: int, epoch_ns: int) -> pa.RecordBatch:
    """Return an OUTBOX_EVENTS frame's payload as a batch for the events' journal; it shares the payload's memory."""
    columns: list[NDArray[Any]] = []
    at = 0
    for kind in ("i8", "i8", "i8", "i4", "i4", "i4", "u1", "u1"):
        columns.append(np.frombuffer(frame, kind, rows, at))
        at += rows * np.dtype(kind).itemsize
    request_id, arrival, read, event, tokens, size, kind_codes, coalesced = columns
    return events_batch(request_id, event, arrival - epoch_ns, read - epoch_ns, kind_codes, tokens, size, coalesced)


@dataclass(frozen=True)
class Finished:
    """The parsed payload of an OUTBOX_REQUESTS frame."""

    records: NDArray[Any]
    ids: list[str | None]
    finishes: list[str | None]
    errors: list[str | None]
    texts: list[str | None]


def unpack_requests(frame: bytes, rows: int) -> Finished:
    """Parse a frame of finished requests: fixed records, each followed by its texts."""
    fixed = bytearray()
    ids: list[str | None] = []
    finishes: list[str | None] = []
    errors: list[str | None] = []
    texts: list[str | None] = []
    at = 0
    for _ in range(rows):
        lengths = _LENGTHS.unpack_from(frame, at + _LENGTHS_AT)
        fixed += frame[at : at + RECORD.itemsize]
        at += RECORD.itemsize
        parts = []
        for length in lengths:
            parts.append(frame[at : at + length])
            at += length
        ids.append(json_text(parts[0]) if parts[0] else None)
        finishes.append(json_text(parts[1]) if parts[1] else None)
        errors.append(error_text(parts[2]) if parts[2] else None)
        texts.append(json_text(parts[3]) if parts[3] else None)
    return Finished(np.frombuffer(bytes(fixed), RECORD), ids, finishes, errors, texts)


def json_text(raw: bytes) -> str:
    """Return the joined contents of JSON strings, with escapes decoded, also those split between two strings."""
    if b"\\" in raw:
        try:
            text: str = json.loads(b'"' + raw + b'"')
        except ValueError:  # cut at the length limit: the raw text is better than none
            return raw.decode("utf-8", "replace")
        # A character outside the BMP may be two escapes; half of it cannot be encoded as UTF-8.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return raw.decode("utf-8", "replace")


def _nullable(values: NDArray[Any], absent: int, type_: pa.DataType) -> pa.Array:
    mask = values == absent
    return pa.array(values, mask=mask).cast(type_)


def request_batch(
    finished: Finished, plan: Plan, constants: Constants, worker: int, start_ns: int, address: str | None = None
) -> pa.RecordBatch:
    """Return finished requests as rows of the tape; until it is sealed their token counts are those of the events."""
    records = finished.records
    n = len(records)
    rows = records["request_id"]
    columns: dict[str, Any] = {"request_id": pa.array(rows)}
    columns |= plan_columns(plan, rows, records["scheduled_ns"] - start_ns, constants)
    columns["worker"] = pa.array(np.full(n, worker, np.int16))
    columns["scheduled_ns"] = pa.array(records["scheduled_ns"] - constants.epoch_ns)
    by_plan = records["scheduled_ns"] - start_ns == plan.due_ns[rows]
    columns["arrival"] = pa.array(arrival_kinds(plan, rows, by_plan), pa.string())
    for name in TIMES:
        mask = records[name] == 0
        columns[name] = pa.array(records[name] - constants.epoch_ns, mask=mask)
    columns["clock"] = pa.array(np.where(records["user_clock"] == 1, "user", "kernel").tolist(), pa.string())
    columns["outcome"] = pa.array([OUTCOMES[code] for code in records["outcome"]], pa.string())
    columns["http_status"] = _nullable(records["http_status"], 0, pa.int16())
    columns["error"] = pa.array(_errors(finished, constants.secrets), pa.string())
    columns["finish_reason"] = pa.array(finished.finishes, pa.string())
    columns["end_marker"] = pa.array(
        [END_MARKERS[code - 1] if code else None for code in records["end_marker"]], pa.string()
    )
    columns["output_tokens"] = pa.array(event_counts(records).astype(np.int32))
    columns["token_source"] = pa.array(["events"] * n, pa.string())
    for name in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
        columns[f"server_{name}"] = _nullable(records[name], -1, pa.int32())
    if constants.exact_inputs:
        columns["tokenizer_input_tokens"] = columns["planned_input_tokens"]
    columns["output_events"] = pa.array(records["output_events"])
    columns["bytes_sent"] = pa.array(records["bytes_sent"])
    columns["bytes_received"] = pa.array(records["bytes_received"])
    columns["response_id"] = pa.array(finished.ids, pa.string())
    columns["connection_id"] = pa.array(records["connection_id"])
    columns["connection_reused"] = pa.array(records["connection_reused"] == 1)
    columns["address"] = pa.array([address] * n, pa.string())
    columns["retries"] = pa.array(records["retries"].astype(np.int16))
    return pa.RecordBatch.from_pydict(columns, schema=_schema_of(columns))


def _errors(finished: Finished, secrets: tuple[str, ...]) -> list[str | None]:
    told: list[str | None] = []
    for error, status in zip(finished.errors, finished.records["http_status"].tolist(), strict=True):
        text = error
        if status >= 300 and (error is None or status < 400):
            text = status_text(status) + (f" ({error})" if error else "")
        for secret in secrets if text else ():
            text = text and text.replace(secret, "***")
        told.append(text)
    return told


def arrival_kinds(plan: Plan, rows: NDArray[np.int64], by_plan: NDArray[np.bool_]) -> list[str]:
    """Return for each row whether it was due at its own time (open) or after the end of another row (closed)."""
    if plan.load.closed:
        return ["closed"] * len(rows)
    if plan.parent is None:
        return ["open"] * len(rows)
    own_time = (plan.parent[rows] < 0) | (by_plan if plan.floors else False)
    return ["open" if own else "closed" for own in own_time.tolist()]


def event_counts(records: NDArray[Any]) -> NDArray[Any]:
    """Return output tokens by the events: exact counts if each event has one, else one token per event."""
    known = (records["event_tokens"] >= 0) & (records["output_events"] > 0)
    return np.where(known, records["event_tokens"], records["output_events"])


def plan_columns(
    plan: Plan, rows: NDArray[np.int64], scheduled_ns: NDArray[np.int64], constants: Constants
) -> dict[str, Any]:
    """Return the columns that follow from the plan and the options; `scheduled_ns` is since the start."""
    known = pa.array(plan.trace_rows(rows))
    asked = plan.output_tokens[rows]
    table = plan.trace.table.select(["session_id", "turn"]).take(known).combine_chunks()
    main = plan.phases(rows, scheduled_ns)
    return {
        "session_id": table["session_id"].combine_chunks(),
        "turn": table["turn"].combine_chunks(),
        "phase": pa.array(np.where(main, PHASES[1], PHASES[0]).tolist(), pa.string()),
        "endpoint": _by_row(rows, constants.endpoints, constants.endpoint),
        "model": _by_row(rows, constants.models, constants.model),
        "url": _by_row(rows, constants.urls, constants.url),
        "planned_input_tokens": pa.array(plan.input_tokens[rows]),
        "planned_output_tokens": pa.array(asked, mask=asked == 0),
    }


def _by_row(rows: NDArray[np.int64], own: pa.DictionaryArray | None, common: str) -> pa.Array:
    if own is None:
        return pa.array([common] * len(rows), pa.string())
    return own.take(pa.array(rows)).dictionary_decode()


PROBED = (
    "sent",
    "finished",
    "active",
    "connections",
    "tokens",
    "events",
    "coalesced",
    "busy_ns",
    "longest_turn_ns",
    "waited_ns",
)
"""Fields of a worker's status that become probes on the tape: progress and load."""


def probe_batch(status: Any, worker: int, epoch_ns: int) -> pa.RecordBatch:
    """Return a worker's status as rows of the tape's probes."""
    n = len(PROBED)
    columns = {
        "at_ns": pa.array([int(status["at_ns"]) - epoch_ns] * n, pa.int64()),
        "source": pa.array([f"worker {worker}"] * n, pa.string()),
        "name": pa.array(PROBED, pa.string()),
        "value": pa.array([float(status[name]) for name in PROBED], pa.float64()),
    }
    return pa.RecordBatch.from_pydict(columns, schema=PROBES)


def unsent_batch(
    rows: NDArray[np.int64],
    plan: Plan,
    constants: Constants,
    start_ns: int,
    worker: int,
    why: str,
) -> pa.RecordBatch:
    """Return rows of the tape for rows of the plan that were never sent."""
    n = len(rows)
    columns = {
        "request_id": pa.array(rows),
        **plan_columns(plan, rows, plan.due_ns[rows], constants),
        "worker": pa.array(np.full(n, worker, np.int16)),
        "scheduled_ns": pa.array(plan.due_ns[rows] + (start_ns - constants.epoch_ns)),
        "arrival": pa.array(arrival_kinds(plan, rows, np.ones(n, np.bool_)), pa.string()),
        "clock": pa.array(["user"] * n, pa.string()),
        "outcome": pa.array(["cancelled"] * n, pa.string()),
        "error": pa.array([why] * n, pa.string()),
        "token_source": pa.array(["events"] * n, pa.string()),
        "output_events": pa.array(np.zeros(n, np.int32)),
        "bytes_sent": pa.array(np.zeros(n, np.int64)),
        "bytes_received": pa.array(np.zeros(n, np.int64)),
        "connection_id": pa.array(np.full(n, -1, np.int32)),
        "connection_reused": pa.array(np.zeros(n, np.bool_)),
        "retries": pa.array(np.zeros(n, np.int16)),
    }
    return pa.RecordBatch.from_pydict(columns, schema=_schema_of(columns))


def _schema_of(columns: dict[str, Any]) -> pa.Schema:
    return pa.schema([field for field in REQUESTS if field.name in columns])
