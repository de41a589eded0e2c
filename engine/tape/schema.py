"""The columns of a tape: names, types, units, and the words that may stand in them.

Times are int64 nanoseconds since the tape's epoch on CLOCK_MONOTONIC; `started_at` is the same for
warehouses that take no nanoseconds. Columns may be added; a name, a unit or a meaning changes only
with a new `SCHEMA_VERSION`.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SCHEMA_VERSION: Final = 1
"""Stands in the manifest and in every file; a reader refuses a tape with a higher one."""

KINDS: Final = ("token", "reasoning", "tool_call", "role", "usage", "done", "error", "comment", "other")
"""Kinds of events; a kind's code is its place in this list (the C core's `event_kind`)."""

TOKEN_KINDS: Final = ("token", "reasoning", "tool_call")
"""The kinds that carry output: they make first and last token, and the gaps between tokens."""

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
        _field("arrival?", pa.string()),  # open: due at its recorded time; closed: after the end of what it follows
        _field("released_ns?", pa.int64()),  # it was due and waited until then for a cap to let it go; null: it did not
        _field("connect_start_ns?", pa.int64()),
        _field("connected_ns?", pa.int64()),
        _field("tls_ns?", pa.int64()),  # end of the TLS handshake
        _field("received_ns?", pa.int64()),  # a server's own tape: the request's last byte arrived
        _field("sent_ns?", pa.int64()),  # first byte handed to the kernel
        _field("sent_end_ns?", pa.int64()),
        _field("headers_ns?", pa.int64()),
        _field("first_event_ns?", pa.int64()),
        _field("first_token_ns?", pa.int64()),
        _field("first_visible_ns?", pa.int64()),  # the first output that is neither reasoning nor a tool call
        _field("last_token_ns?", pa.int64()),
        _field("end_ns?", pa.int64()),
        _field("started_at", pa.timestamp("us", tz="UTC")),  # sent_ns, or scheduled_ns where nothing was sent
        _field("clock", pa.string()),
        _field("outcome", pa.string()),
        _field("http_status?", pa.int16()),
        _field("error?", pa.string()),
        _field("finish_reason?", pa.string()),
        _field("end_marker?", pa.string()),  # null: nothing marked an end
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
        _field("connection_id", pa.int32()),  # -1: none was made
        _field("connection_reused", pa.bool_()),
        _field("address?", pa.string()),  # where connections went: of the server, or of the proxy before it
        _field("retries?", pa.int16()),  # sent again, since the pooled connection had died unused
    ]
)
"""One row per request of the plan, whatever its outcome."""

EVENTS: Final = pa.schema(
    [
        _field("request_id", pa.int64()),
        _field("event", pa.int32()),  # 0-based within the request
        _field("arrival_ns", pa.int64()),  # the best clock there was
        _field("read_ns", pa.int64()),  # user clock; beside a kernel stamp rounded up to 256 ns when sealed
        _field("kind", pa.string()),
        _field("tokens?", pa.int32()),
        _field("bytes", pa.int32()),
        _field("coalesced", pa.bool_()),  # a later event came in the same read
    ]
)
"""One row per streamed event."""

EVENTS_JOURNAL: Final = EVENTS.set(EVENTS.get_field_index("kind"), _field("kind", pa.uint8()))
"""Events as the journal holds them: `kind` is its code, an index into KINDS; sealing makes it a word."""

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
        _field("hash", pa.int64()),  # of this block and all before it, keyed with a secret that nobody has
    ]
)
"""Prompts as salted hashes, on tapes of an anonymizing recorder: equal hashes are equal prefixes."""

PROBES: Final = pa.schema(
    [
        _field("at_ns", pa.int64()),
        _field("source", pa.string()),  # who was probe_servers, as in "worker 0"
        _field("name", pa.string()),  # of the quantity, its unit at the end
        _field("value", pa.float64()),
    ]
)
"""Time series beside the requests. Counters grow from 0 at the start."""

DERIVED: Final = ("started_at",)
"""Columns of REQUESTS that sealing fills in itself; a writer's batches may leave them out."""


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
    """A batch of the events' journal from flat columns of one length, without a copy where types allow.

    Args:
        request_id, event, arrival_ns, read_ns, bytes: as in EVENTS.
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
    """The batch with the schema's columns in its order; absent nullable or derived ones become null.

    Raises:
        ValueError: A column is unknown, missing, of another type, or null where it must not be.
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
