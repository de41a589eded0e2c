"""Errors of trace files."""

from __future__ import annotations

from typing import Literal

FieldKind = Literal["field", "column"]


class TraceError(Exception):
    """A trace that cannot be read. The message names file, row and field, and what would be right.

    Args:
        source: The file as the user named it.
        problem: What is wrong and what would be right.
        row: 1-based number of the record in the file; a CSV's header is not a record.
        field: The column or key.
        kind: "column" for a file with columns (CSV, Parquet), else "field".
        rows: The errors of single rows, if no row of the file can be read.
    """

    def __init__(
        self,
        source: str,
        problem: str,
        *,
        row: int | None = None,
        field: str | None = None,
        kind: FieldKind = "field",
        rows: tuple[TraceError, ...] = (),
    ) -> None:
        self.source, self.problem, self.row, self.field, self.rows = source, problem, row, field, rows
        place = source if row is None else f"{source}, row {row}"
        super().__init__(f"{place}: {problem}" if field is None else f"{place}, {kind} {field}: {problem}")


class InputError(TraceError):
    """Prompts, datasets or images that cannot be used. The message names file, line and field, and what would be right.

    Args:
        source: The file, dataset or option as the user named it.
        problem: What is wrong and what would be right.
        line: 1-based number of the line in the file.
        row: 1-based number of the record where records are no lines; a CSV's header is not a record.
        field: The column or key.
    """

    def __init__(
        self, source: str, problem: str, *, line: int | None = None, row: int | None = None, field: str | None = None
    ) -> None:
        self.line = line
        super().__init__(source if line is None else f"{source}, line {line}", problem, row=row, field=field)
