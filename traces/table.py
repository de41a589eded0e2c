"""The trace: one Arrow table of recorded requests, the same for every format."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

TRACE_SCHEMA = pa.schema(
    [
        pa.field("arrival_ns", pa.int64(), nullable=False),  # since the trace's start, ascending
        pa.field("input_tokens", pa.int32(), nullable=False),
        pa.field("output_tokens", pa.int32(), nullable=False),
        pa.field("block_ids", pa.list_(pa.int32())),  # null: the format records no prefix sharing
        pa.field("session_id", pa.string()),
        pa.field("turn", pa.int32(), nullable=False),  # 0-based within the session
        pa.field("parent", pa.int64()),  # row index in this table of the request that this one follows
        pa.field("also_after", pa.list_(pa.int64())),  # further rows that a row with a parent waits for; null: none
        pa.field("think_ns", pa.int64()),  # between the last end of those and this request; null: not recorded
        pa.field("model", pa.string()),
        pa.field("path", pa.string()),  # of the recorded body's URL
        pa.field("headers", pa.string()),  # of the recorded body, without secrets: a JSON object of names and values
        pa.field("body", pa.binary()),  # a recorded request, JSON
        pa.field("text", pa.string()),  # a recorded prompt, where there is no body
        pa.field("token_ids", pa.list_(pa.int32())),  # a recorded prompt in tokens of the model's vocabulary
        pa.field("source_row", pa.int64(), nullable=False),  # 1-based record in the file
    ]
)

Rounding = Literal["ceil", "floor"]


@dataclass(frozen=True)
class Trace:
    """Recorded requests in the order of their arrival.

    Attributes:
        table: One row per request, of TRACE_SCHEMA. Rows with the same arrival keep the file's order.
        format: The format's name, as in ``mooncake``.
        source: The file as the user named it.
        digest: SHA-256 in hex of the file's bytes; of the table's values for a trace made from another one.
        block_tokens: Tokens that one block id stands for; None when there are no block ids.
        block_rounding: "ceil": the last block may be part-filled. "floor": tokens beyond the last whole block
            have no id and are shared with nobody.
        notes: What a user should know about the trace, one sentence each.
        transforms: What was done to it since it was read, in order, as in ``speed(2)``.
        skipped_rows: Bad rows left out when reading.
        bad_rows: What is wrong with the first few of them, one sentence each.
        origin_ns: The first arrival on the file's own clock, as nanoseconds: since 1970 where it was a date, else
            since whatever the file counts from.
    """

    table: pa.Table
    format: str
    source: str
    digest: str
    block_tokens: int | None = None
    block_rounding: Rounding = "ceil"
    notes: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()
    skipped_rows: int = 0
    origin_ns: int = 0
    bad_rows: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def span_ns(self) -> int:
        """Time from the start of the trace to its last arrival, in ns."""
        return int(self.table["arrival_ns"][-1].as_py()) if len(self) else 0


def one_array(column: Any) -> Any:
    """A column as one array, copied only where it is in several chunks; combine_chunks copies one chunk too."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def table_digest(table: pa.Table) -> str:
    """Return the SHA-256 in hex of a table's names and values; chunks, offsets and Arrow's version do not change it."""
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.columns, strict=True):
        array = one_array(column)
        kind = "list" if pa.types.is_list(column.type) else column.type  # the name of a list's child may differ
        digest.update(f"\0{name}\0{kind}\0{len(column)}\0".encode())
        _update(digest, array)
    return digest.hexdigest()


def _update(digest: hashlib._Hash, array: Any) -> None:
    """Feed the values of one array: validity, then lengths of variable-sized values, then the values."""
    digest.update(array.null_count.to_bytes(8, "little"))
    if array.null_count == len(array):
        return
    if array.null_count:
        digest.update(array.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False).tobytes())
    if pa.types.is_list(array.type):
        digest.update(array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).tobytes())
        _update(digest, array.flatten())
    elif pa.types.is_integer(array.type):
        digest.update(array.fill_null(0).to_numpy(zero_copy_only=False).tobytes())
    else:
        for value in array.cast(pa.binary()).to_pylist():
            digest.update(len(value or b"").to_bytes(8, "little") + (value or b""))
