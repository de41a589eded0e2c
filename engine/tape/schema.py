"""Columns of a tape: names, types, units, and allowed values.

Times are int64 nanoseconds since the tape's epoch on CLOCK_MONOTONIC; `started_at` is the wall-clock
time for warehouses without nanoseconds. Columns may be added; a name, a unit or a meaning changes only
with a new `SCHEMA_VERSION`.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SCHEMA_VERSION: Final = 1
"""Version in the manifest and in every file; a reader rejects a tape with a higher version."""

KINDS: Final = ("token", "reasoning", "tool_call", "role", "usage", "done", "error", "comment", "other")
"""Kinds of events; a kind's code is its index in this list (the C core's `event_kind`)."""

TOKEN_KINDS: Final = ("token", "reasoning", "tool_call")
"""Kinds with output; they determine first and last token and the gaps between tokens."""

OUTCOMES: Final = (
    "ok",
    "http_error",
    "stream_error",
    "truncated",
    "timeout",
    "connect_error",
    "protocol_error",
    "cancelled",
)
END_MARKERS: Final = ("done", "finish", "terminal_event", "length", "close")
TOKEN_SOURCES: Final = ("server", "tokenizer", "events")
CLOCKS: Final = ("kernel", "user")
PHASES: Final = ("warmup", "main")


def _field(name: str, type_: pa.DataType) -> pa.Field:
    return pa.field(name.rstrip("?"), type_, nullable=name.endswith("?"))


REQUESTS: Final = pa.schema(
    [
        _field("request_id", pa.int64()),
        _field("session_id?", pa.string()),
        _field("turn", pa.int32()),
        _field("phase", pa.string()),
        _field("worker", pa.int16()),
        _field("endpoint", pa.string()),
        _field("model", pa.string()),
        _field("url", pa.string()),
        _field("scheduled_ns", pa.int64()),
        _field("arrival?", pa.string()),  # open: due at its own time; closed: due after the end of another request
        _field("released_ns?", pa.int64()),  # end of its wait for a limit of requests in flight; null: it did not wait
        _field("connect_start_ns?", pa.int64()),
        _field("connected_ns?", pa.int64()),
        _field("tls_ns?", pa.int64()),  # end of the TLS handshake
        _field("received_ns?", pa.int64()),  # on a server's own tape: arrival of the request's last byte
        _field("sent_ns?", pa.int64()),  # first byte written to the kernel
        _field("sent_end_ns?", pa.int64()),
        _field("headers_ns?", pa.int64()),
        _field("first_event_ns?", pa.int64()),
        _field("first_token_ns?", pa.int64()),
        _field("first_visible_ns?", pa.int64()),  # first output that is neither reasoning nor a tool call
        _field("last_token_ns?", pa.int64()),
        _field("end_ns?", pa.int64()),
        _field("started_at", pa.timestamp("us", tz="UTC")),  # sent_ns, or scheduled_ns if it was not sent
        _field("clock", pa.string()),
        _field("outcome", pa.string()),
        _field("http_status?", pa.int16()),
        _field("error?", pa.string()),
        _field("finish_reason?", pa.string()),
        _field("end_marker?", pa.string()),  # null: the stream had no end mark
        _field("planned_input_tokens?", pa.int32()),
        _field("planned_output_tokens?", pa.int32()),
        _field("input_tokens?", pa.int32()),
        _field("output_tokens?", pa.int32()),
        _field("token_source", pa.string()),
        _field("server_input_tokens?", pa.int32()),
        _field("server_output_tokens?", pa.int32()),
        _field("server_cached_tokens?", pa.int32()),
        _field("server_reasoning_tokens?", pa.int32()),
        _field("tokenizer_input_tokens?", pa.int32()),
        _field("tokenizer_output_tokens?", pa.int32()),
        _field("output_events", pa.int32()),
        _field("bytes_sent", pa.int64()),
        _field("bytes_received", pa.int64()),
        _field("response_id?", pa.string()),  # the server's id
        _field("connection_id", pa.int32()),  # -1: no connection was made
        _field("connection_reused", pa.bool_()),
        _field("address?", pa.string()),  # address of the peer: the server, or a proxy in front of it
        _field("retries?", pa.int16()),  # sent a second time, because the pooled connection had been closed
    ]
)
"""One row per request of the plan, whatever its outcome."""

EVENTS: Final = pa.schema(
    [
        _field("request_id", pa.int64()),
        _field("event", pa.int32()),  # 0-based within the request
        _field("arrival_ns", pa.int64()),  # by the best available clock
        _field("read_ns", pa.int64()),  # user-space clock; rounded up to 256 ns when sealed, if there is a kernel stamp
        _field("kind", pa.string()),
        _field("tokens?", pa.int32()),
        _field("bytes", pa.int32()),
        _field("coalesced", pa.bool_()),  # a later event arrived in the same read
    ]
)
"""One row per streamed event."""

EVENTS_JOURNAL: Final = EVENTS.set(EVENTS.get_field_index("kind"), _field("kind", pa.uint8()))
"""Events in the journal: `kind` is a code, an index into KINDS; sealing replaces it by a string."""

BODIES: Final = pa.schema(
    [
        _field("request_id", pa.int64()),
        _field("request_body?", pa.binary()),
        _field("request_headers?", pa.string()),  # a JSON object, without secrets; recorders write it
        _field("response_text?", pa.string()),
    ]
)
"""Request bodies and response texts, with ``--keep-bodies``."""

BLOCKS: Final = pa.schema(
    [
        _field("request_id", pa.int64()),
        _field("block", pa.int32()),  # 0-based within the request's prompt
        _field("hash", pa.int64()),  # hash of this block and all before it, keyed with a discarded secret
    ]
)
"""Prompts as salted hashes, on tapes of an anonymizing recorder: equal hashes mean equal prefixes."""

PROBES: Final = pa.schema(
    [
        _field("at_ns", pa.int64()),
        _field("source", pa.string()),  # the source, such as "worker 0"
        _field("name", pa.string()),  # name of the quantity, ending with its unit
        _field("value", pa.float64()),
    ]
)
"""Time series in addition to the requests. Counters start at 0."""

DERIVED: Final = ("started_at",)
"""Columns of REQUESTS that sealing computes; a writer's batches may omit them."""


def events_batch(
    request_id: NDArray[np.int64],
    event: NDArray[np.int32],
    arrival_ns: NDArray[np.int64],
    read_ns: NDArray[np.int64],
    kind_codes: NDArray[np.uint8],
    tokens: NDArray[np.int32],
    bytes: NDArray[np.int32],
    coalesced: NDArray[np.uint8],
) -> pa.RecordBatch:
    """Return a batch of the events' journal from columns of equal length, without a copy if types allow.

    Args:
        request_id, event, arrival_ns, read_ns, bytes: Columns as in EVENTS.
        kind_codes: Indices into KINDS.
        tokens: -1 where the event's token count is unknown (null on the tape).
        coalesced: 0 or 1.
    """
    unknown = tokens < 0
    columns = [
        pa.array(request_id),
        pa.array(event),
        pa.array(arrival_ns),
        pa.array(read_ns),
        pa.array(kind_codes),
        pa.array(tokens, mask=unknown) if unknown.any() else pa.array(tokens),
        pa.array(bytes),
        pa.array(coalesced.astype(np.bool_, copy=False)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVENTS_JOURNAL)


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the schema's columns in order; missing nullable or computed columns become null.

    Raises:
        ValueError: A column is unknown, missing, of another type, or has nulls that are not allowed.
    """
    unknown = set(batch.schema.names) - set(schema.names)
    if unknown:
        raise ValueError(f"columns that a tape does not have: {sorted(unknown)}")
    columns: list[Any] = []
    fields = []
    for field in schema:
        place = batch.schema.get_field_index(field.name)
        optional = field.nullable or field.name in DERIVED
        if place < 0 and not optional:
            raise ValueError(f"column {field.name!r} is missing")
        column = pa.nulls(batch.num_rows, field.type) if place < 0 else batch.column(place)
        if column.type != field.type:
            raise ValueError(f"column {field.name!r} is {column.type}, not {field.type}")
        if column.null_count and not optional:
            raise ValueError(f"column {field.name!r} has {column.null_count} nulls and may have none")
        columns.append(column)
        fields.append(field.with_nullable(optional))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
