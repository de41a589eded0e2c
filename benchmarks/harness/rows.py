"""The result: rows of a table, on the terminal and as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        what: What was measured.
        measured: The figure with its unit.
        bar: What it has to reach, or empty.
        met: Whether it does; None without a bar.
    """

    what: str
    measured: str
    bar: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """A word for the table."""
        return "" if self.met is None else "met" if self.met else "MISSED"


@dataclass
class Section:
    """Figures that belong together."""

    title: str
    method: str
    rows: list[Row] = field(default_factory=list)
    load: str = ""

    def add(self, what: str, measured: str, bar: str = "", met: bool | None = None) -> None:
        """Adds a row, and says it at once."""
        row = Row(what, measured, bar, met)
        self.rows.append(row)
        print(f"  {what}: {measured}{f'  (bar {bar}: {row.verdict})' if bar else ''}", flush=True)


def percentiles(values: NDArray[np.int64] | NDArray[np.float64], unit: float = 1e3) -> str:
    """p50 / p99 / p99.9 in us (or another unit of ns)."""
    return " / ".join(f"{np.percentile(values, q) / unit:,.1f}" for q in (50, 99, 99.9))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


def markdown(sections: Sequence[Section], machine: str, notes: Iterable[str]) -> str:
    """The whole document."""
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        "# Benchmarks",
        "",
        "Written by `python benchmarks/run.py`, which measures everything anew; absolute figures move with the "
        "machine and its neighbours, so clients are compared within one run, against one native server.",
        "",
        f"Measured {when} on: {machine}.",
        "",
    ]
    lines += [f"- {note}" for note in notes]
    for section in sections:
        lines += ["", f"## {section.title}", "", section.method, "", f"Load average before: {section.load}.", ""]
        lines += ["| | measured | bar | |", "|---|---|---|---|"]
        lines += [f"| {row.what} | {row.measured} | {row.bar} | {row.verdict} |" for row in section.rows]
    missed = [f"{row.what}: {row.measured}, bar {row.bar}" for s in sections for row in s.rows if row.met is False]
    lines += ["", "## Missed", ""]
    lines += [f"- {line}" for line in missed] or ["None in this run."]
    return "\n".join(lines) + "\n"


def write(path: Path, sections: Sequence[Section], machine: str, notes: Iterable[str]) -> None:
    """Writes the document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown(sections, machine, notes))
