"""The columns of a trace, filled while the rows of a file are read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import TraceError
from ..graph.sessions import follow_ended, session_codes
from ..reading.field_checks import BadField, BadRows, shown, wrong_epoch
from ..table import Rounding, Trace
from .block_ids import BlockLists
from .trace_builder import build_trace, rows_text

_NUMBERS = ("arrival_ns", "input_tokens", "output_tokens", "source_row", "end_ns", "key", "follows")
_LINKS = ("end_ns", "key", "follows")
_NULLABLE = {
    "session_id": pa.string(),
    "think_ns": pa.int64(),
    "model": pa.string(),
    "headers": pa.string(),
    "body": pa.binary(),
    "text": pa.string(),
}
_FLUSH_ROWS = 20_000
_FLUSH_BYTES = 16 << 20

NONE = -(2**63)  # in the numeric columns that a row need not have


def estimated_tokens(text: str) -> int:
    """Return the estimated tokens of a text: one for each four bytes of UTF-8, rounded up."""
    return math.ceil(len(text.encode(errors="replace")) / 4)


def body(field: str, value: Any) -> bytes:
    """A recorded request as JSON text.

    Raises:
        BadField: It is no JSON object, or cannot be written as UTF-8.
    """
    if not isinstance(value, dict):
        raise BadField(field, f"{shown(value)} is not a JSON object")
    try:
        return json.dumps(value, ensure_ascii=False, default=_number, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise BadField(field, "holds half a character (a lone surrogate)") from None
    except (RecursionError, ValueError) as error:
        raise BadField(field, f"cannot be written as JSON: {shown(str(error))}") from None


def _number(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise AssertionError(f"{type(value).__name__} in a record read from JSON")


class Rows:
    """Columns that grow row by row, or batch by batch where every row of a batch is plainly good.

    The columns are those of the trace, and ``end_ns``, when a request had been answered; ``key`` and
    ``follows``, a row's own number in its format and that of the row it follows; NONE where a row has none.

    Args:
        bad: Receives rows that are bad in comparison with the other rows.
    """

    def __init__(self, bad: BadRows) -> None:
        self._bad = bad
        self._numbers: dict[str, list[NDArray[np.int64]]] = {name: [] for name in _NUMBERS}
        self._nullable: dict[str, list[Any]] = {name: [] for name in _NULLABLE}
        self._blocks = BlockLists()
        self._bare: list[NDArray[np.bool_]] = []
        self._pending: list[dict[str, Any]] = []
        self._pending_bytes = 0
        self._estimated = self._count = 0

    def append(self, number: int, *, estimated: bool = False, **row: Any) -> None:
        """Add one row.

        Args:
            number: Its 1-based record number.
            estimated: Its lengths are guesses from its text.
            row: Its values by column.
        """
        row["source_row"] = number
        self._estimated += estimated
        self._pending.append(row)
        self._pending_bytes += (
            len(row.get("text") or "") + len(row.get("body") or b"") + 8 * len(row.get("block_ids") or ())
        )
        if len(self._pending) >= _FLUSH_ROWS or self._pending_bytes > _FLUSH_BYTES:
            self._flush()

    def extend(self, first: int, *, estimated: int = 0, **columns: Sequence[Any] | NDArray[np.int64]) -> None:
        """Add rows of consecutive records.

        Args:
            first: The first one's record number.
            estimated: How many of them have guessed lengths.
            columns: One value per row for each column given.
        """
        self._flush()
        rows = len(columns["arrival_ns"])
        self._estimated += estimated
        self._add(rows, {**columns, "source_row": range(first, first + rows)})

    def _flush(self) -> None:
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        if not pending:
            return
        names = {name for row in pending for name in row}
        numbers = names.intersection(_NUMBERS)
        columns = {name: [row.get(name, NONE if name in numbers else None) for row in pending] for name in names}
        for name in numbers:
            columns[name] = [NONE if value is None else value for value in columns[name]]
        self._add(len(pending), columns)

    def _add(self, rows: int, columns: dict[str, Any]) -> None:
        before = self._count
        self._count += rows
        for name, chunks in self._numbers.items():
            if name in columns:
                if not chunks and before:
                    chunks.append(np.full(before, NONE))
                chunks.append(np.array(columns[name], np.int64))
            elif chunks:
                chunks.append(np.full(rows, NONE))
        for name, kind in _NULLABLE.items():
            arrays = self._nullable[name]
            if name in columns:
                if not arrays and before:
                    arrays.append(pa.nulls(before, kind))
                arrays.append(pa.array(columns[name], kind))
            elif arrays:
                arrays.append(pa.nulls(rows, kind))
        ids = columns.get("block_ids")
        if ids is None:
            ids = [None] * rows
        self._blocks.add(ids)
        self._bare.append(np.fromiter((row is None for row in ids), np.bool_, rows))

    def trace(
        self,
        *,
        format: str,
        digest: str,
        unit_ns: int,
        notes: Sequence[str] = (),
        block_tokens: int | None = None,
        block_rounding: Rounding = "ceil",
        blocks_field: str = "hash_ids",
        stamp_field: str = "timestamp",
        slack_ns: int = 0,
        named_unit: bool = False,
    ) -> Trace:
        """The trace of all rows.

        Args:
            format: The reader's name.
            digest: SHA-256 of the file.
            unit_ns: The unit of its timestamps.
            notes: What the reader has to say.
            block_tokens: Tokens of a block; None for a format without block ids.
            block_rounding: See Trace.
            blocks_field: What the format calls the block ids.
            stamp_field: What it calls the timestamp.
            named_unit: The user named the unit, so that it is not doubted.
            slack_ns: How coarse its clock is, when ends tell which row follows which.

        Raises:
            TraceError: There are no rows, or the timestamps are in another unit, or some rows have block ids and
                others not, or a row follows one that is not there.
        """
        self._flush()
        source = self._bad.source
        texts: list[str] = []
        numbers = {name: self._column(name) for name in _NUMBERS if self._numbers[name] or name not in _LINKS}
        optional: dict[str, Any] = {}
        for name, kind in _NULLABLE.items():
            arrays, self._nullable[name] = self._nullable[name], []
            column = pa.chunked_array(arrays, kind)
            if column.null_count < len(column):
                optional[name] = column
        bare = np.concatenate(self._bare or [np.zeros(0, np.bool_)])
        if len(bare) and not named_unit:
            self._check_epoch(numbers, unit_ns, stamp_field)
        if not bare.all():
            optional["block_ids"] = self._blocks.array(source)
            if bare.any():
                problem = "is missing, and other rows have it; a list of block ids belongs there"
                for row in numbers["source_row"][bare].tolist():
                    self._bad.add(row, BadField(blocks_field, problem))
                kept = np.flatnonzero(~bare)
                optional = {name: column.take(pa.array(kept)) for name, column in optional.items()}
                numbers = {name: column[kept] for name, column in numbers.items()}
            if self._blocks.renumbered:
                texts.append(f"{blocks_field} beyond 0 to 2,147,483,647 were renumbered; equal ids stay equal")
        elif block_tokens is not None:
            texts.append(f"no row has {blocks_field}: the prompts will share no prefixes")
            block_tokens = None
        if self._estimated:
            texts.append(
                f"{rows_text(self._estimated)} with text and no recorded length: "
                "lengths are estimated at 4 bytes of UTF-8 per token"
            )
        texts[:0] = self._bad.notes(len(numbers["source_row"]))
        if not len(numbers["source_row"]):
            raise TraceError(source, "holds no records; a trace has one per request")
        parent = self._parents(numbers, optional, slack_ns, texts)
        return build_trace(
            source=source,
            format=format,
            digest=digest,
            arrival_ns=numbers.pop("arrival_ns"),
            input_tokens=numbers.pop("input_tokens"),
            output_tokens=numbers.pop("output_tokens"),
            source_row=numbers.pop("source_row"),
            optional=optional,
            parent=parent,
            block_tokens=block_tokens,
            block_rounding=block_rounding,
            notes=[*texts, *notes],
            bad=self._bad,
        )

    def _column(self, name: str) -> NDArray[np.int64]:
        """Return a whole numeric column, and free its parts."""
        chunks, self._numbers[name] = self._numbers[name], []
        return np.concatenate(chunks or [np.zeros(0, np.int64)])

    def _check_epoch(self, numbers: dict[str, NDArray[np.int64]], unit_ns: int, field: str) -> None:
        first = int(np.argmin(numbers["arrival_ns"]))
        problem = wrong_epoch(int(numbers["arrival_ns"][first]), unit_ns)
        if problem:
            row = int(numbers["source_row"][first])
            raise TraceError(self._bad.source, problem, row=row, field=field, kind=self._bad.kind)

    def _parents(
        self, numbers: dict[str, NDArray[np.int64]], optional: dict[str, Any], slack_ns: int, texts: list[str]
    ) -> NDArray[np.int64] | None:
        """Return which row follows which, where the format says more than the order of arrival."""
        if "key" in numbers:
            return self._linked(numbers, optional, texts)
        if "session_id" in optional and "end_ns" in numbers:
            codes, end_ns = session_codes(optional["session_id"]), numbers["end_ns"]
            end_ns = np.where(end_ns == NONE, -1, end_ns)
            parent, think = follow_ended(codes, numbers["arrival_ns"], end_ns, slack_ns)
            if "think_ns" not in optional:
                optional["think_ns"] = pa.array(think, pa.int64(), mask=think < 0)
            return parent
        return None

    def _linked(
        self,
        numbers: dict[str, NDArray[np.int64]],
        optional: dict[str, Any],
        texts: list[str],
    ) -> NDArray[np.int64]:
        """Return the parent of each row; each tree of rows is a session, named after its root."""
        key, follows = numbers["key"], numbers["follows"]
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            first, second = (int(numbers["source_row"][order[twice[0] + i]]) for i in (0, 1))
            problem = f"has the number {int(ordered[twice[0]])}, like row {first}; each row's must be its own"
            raise TraceError(self._bad.source, problem, row=second, field="chat_id")
        place = np.minimum(np.searchsorted(ordered, follows), len(key) - 1)
        parent = np.where((follows != NONE) & (ordered[place] == follows), order[place], -1)
        orphans = (follows != NONE) & (parent < 0)
        if orphans.any():
            row = int(np.argmax(orphans))
            number = int(follows[row])
            problem = f"no row is the {number} that this one follows, so session {number} is incomplete; "
            if not self._bad.skip:
                raise TraceError(
                    self._bad.source,
                    problem + "complete the file, or have such rows start anew with --skip-bad-rows",
                    row=int(numbers["source_row"][row]),
                    field="parent_chat_id",
                )
            lost = int(np.count_nonzero(orphans))
            texts.append(f"{rows_text(lost)} whose parent is not in the file {'starts' if lost == 1 else 'start'} anew")
        root = np.where(parent < 0, np.arange(len(key)), parent)
        for _ in range(len(key).bit_length()):
            root = root[root]
        optional["session_id"] = pa.array(key[root], pa.int64()).cast(pa.string())
        return parent
