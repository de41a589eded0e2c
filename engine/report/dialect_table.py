"""Another tool's summary of a tape, printed as that tool prints it."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table

from ..measure.dialects.dialect_summary import DialectSummary, Row, Section, Value

_NAME_WIDTH: Final = 36
"""Width at which GenAI-Perf breaks the names of metrics."""
_BLOCK_WIDTH: Final = 50
_RULE: Final = "=" * 48


def print_dialect(summary: DialectSummary, file: TextIO, width: int | None = None) -> None:
    """Print a tool's tables, and notes on how the values differ from a run of the tool.

    Args:
        file: Output file; colours are used only on a terminal.
        width: Width in columns; None: the terminal's width, 80 without a terminal.
    """
    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    for section in summary.sections:
        rows = [row for row in section.rows if row.shown]
        if not rows:
            continue
        if summary.layout == "table":
            console.print(_table(summary.head, section, rows, console.width))
        elif summary.layout == "block":
            rule = "=" if section is summary.sections[0] else "-"
            title = f" {section.title} " if rule == "=" else section.title
            _lines(console, [title.center(_BLOCK_WIDTH, rule), *(_block_line(row) for row in rows)])
        elif summary.layout == "columns":
            _lines(console, [section.title, *_columns(section, rows, console.width), ""])
        else:
            _lines(console, [_RULE, section.title, _RULE, *(f"{row.label}{_exact(row)}" for row in rows), ""])
    if summary.layout == "block":
        console.print("=" * _BLOCK_WIDTH)
    for note in (f"Computed as in {summary.tool}.", *summary.notes):
        console.print(note, style="dim")


def _lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _table(head: str, section: Section, rows: Sequence[Row], width: int) -> Table:
    cells = [[_two_decimals(row.values.get(name), "N/A") for name in section.columns] for row in rows]
    numbers = sum(max(map(len, column)) + 3 for column in zip(section.columns, *cells, strict=True))
    table = Table(title=section.title)
    labels = [row.label if "\n" in row.label else textwrap.fill(row.label, _NAME_WIDTH) for row in rows]
    if numbers + _NAME_WIDTH + 4 > width:  # without rules the names have more space
        table = Table(title=section.title, box=None, padding=(0, 1, 0, 0), pad_edge=False)
        labels = [row.label.replace("\n", " ") for row in rows]
    table.add_column(head, justify="right", style="cyan")
    for name in section.columns:
        table.add_column(name, justify="right", style="green", no_wrap=True)
    for label, values in zip(labels, cells, strict=True):
        table.add_row(label, *values)
    return table


def _block_line(row: Row) -> str:
    value = row.values["value"]
    return f"{row.label:<40} {value if isinstance(value, int) else _plain(value, 2):<10}"


def _exact(row: Row) -> str:
    value = row.values["value"]
    return str(value) if isinstance(value, int) else _plain(value, 2)


def _columns(section: Section, rows: Sequence[Row], width: int) -> Iterator[str]:
    """Print columns with headings of three lines, in as many tables as the width requires."""
    columns = [
        [*row.label.split("|"), name, _plain(row.values[name], 1, "--")]
        for row in rows
        for name in section.columns
        if name in row.values
    ]
    widths = [max(map(len, cells)) + 2 for cells in columns]
    while columns:
        count = 1
        while count < len(columns) and sum(widths[: count + 1]) + count + 2 <= width:
            count += 1
        yield from _side_by_side(columns[:count], widths[:count])
        columns, widths = columns[count:], widths[count:]


def _side_by_side(columns: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    rule = "|".join("=" * width for width in widths)
    yield f"|{rule}|"
    for level in range(3):
        cells = []
        for _, group in groupby(range(len(columns)), key=lambda place: columns[place][: level + 1]):
            places = list(group)
            room = sum(widths[place] for place in places) + len(places) - 1
            cells.append(f" {columns[places[0]][level]}".ljust(room))
        yield f"|{'|'.join(cells)}|"
    yield f"|{rule.replace('=', '-')}|"
    yield f"|{'|'.join(f' {cells[3]}'.ljust(width) for cells, width in zip(columns, widths, strict=True))}|"
    yield f"|{rule}|"


def _two_decimals(value: Value, missing: str) -> str:
    return missing if value is None else f"{value:,.2f}"


def _plain(value: Value, digits: int, missing: str = "n/a") -> str:
    return missing if value is None else f"{value:.{digits}f}"
