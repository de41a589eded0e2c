"""Summaries in another tool's form: rows with that tool's names, units and statistics."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from .dialect_run import Floats, Mask, Run

Layout = Literal["table", "block", "columns", "lines"]
Value = float | int | None

DIALECT_VERSION: Final = 1
_PLAIN: Final[dict[str, Callable[[Floats], Any]]] = {
    "avg": np.mean,
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
    "std": np.std,
}


@dataclass(frozen=True)
class Row:
    """One metric.

    Attributes:
        key: Name in the tool's files.
        label: Name in the tool's printed output, with the unit if the tool prints one.
        unit: Unit as written in the tool's files.
        values: Value of each statistic; a metric with a single number has the key "value". None: no value in the tool.
        shown: Whether the tool prints the metric. False: it is only in the tool's files.
    """

    key: str
    label: str
    unit: str
    values: Mapping[str, Value]
    shown: bool = True


@dataclass(frozen=True)
class Section:
    """A titled group of rows.

    Attributes:
        title: The printed title; may be empty.
        columns: Printed statistics, in the tool's order.
        rows: Metrics, in the tool's order.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class DialectSummary:
    """A summary as another tool would have computed and printed it.

    Attributes:
        dialect: Name of the dialect on the command line.
        tool: Tool and the version whose definitions are used.
        tapes: Paths of the tapes that form the run.
        layout: Printed form: a table, a block of lines, columns side by side, or plain lines.
        head: Heading of a table's first column.
        sections: Groups of rows, in the tool's order.
        notes: Differences from a run of the tool itself.
    """

    dialect: str
    tool: str
    tapes: tuple[str, ...]
    layout: Layout
    head: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Return the rows of all sections."""
        return tuple(row for section in self.sections for row in section.rows)

    def row(self, key: str) -> Row:
        """Return the row with this key."""
        return next(row for row in self.rows if row.key == key)

    def value(self, key: str, statistic: str = "value") -> Value:
        """Return one statistic of the row with this key."""
        return self.row(key).values[statistic]

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts for JSON; a metric with a single number becomes that number."""
        return {
            "dialect_version": DIALECT_VERSION,
            "dialect": self.dialect,
            "tool": self.tool,
            "tapes": list(self.tapes),
            "metrics": {row.key: _plain(row) for row in self.rows},
            "notes": list(self.notes),
        }


def _plain(row: Row) -> Any:
    if set(row.values) == {"value"}:
        return row.values["value"]
    return {"unit": row.unit, **row.values}


def spread(values: Floats, statistics: Iterable[str], scale: float = 1.0) -> dict[str, Value]:
    """Return statistics as numpy computes them: avg (or mean), min, max, std of the population, percentiles ("p99").

    Args:
        values: Samples in any order; NaN is ignored.
        statistics: Names of statistics; a percentile is interpolated linearly, numpy's default.
        scale: Factor from the values' unit to that of the statistics.

    Returns:
        One value per name; None for each without samples.
    """
    known = values[~np.isnan(values)] * scale
    names = list(statistics)
    if not len(known):
        return dict.fromkeys(names)
    ranks = {name: 50.0 if name == "median" else float(name[1:]) for name in names if name not in _PLAIN}
    found = dict(zip(ranks, np.percentile(known, list(ranks.values())).tolist(), strict=True))
    return {name: found[name] if name in found else float(_PLAIN[name](known)) for name in names}


def single(key: str, label: str, unit: str, value: Value, *, shown: bool = True) -> Row:
    """Return a row with a single number."""
    return Row(key, label, unit, {"value": value}, shown)


def per_second(amount: float, seconds: float) -> float | None:
    """Return an amount per second; None if the duration is 0."""
    return float(amount) / seconds if seconds > 0 else None


def tape_names(run: Run) -> tuple[str, ...]:
    """Return the paths of a run's tapes."""
    return tuple(str(tape.path) for tape in run.tapes)


def left_out(run: Run, manner: str) -> list[str]:
    """Return a note on the requests that did not succeed, if there are any.

    Args:
        manner: What the tool does with such requests, as the end of a sentence.
    """
    if not run.failed:
        return []
    return [f"{run.failed:,} of {len(run.ok):,} requests did not succeed: {manner}"]


def counted(run: Run, own: str) -> str:
    """Return a note on the source of the token counts.

    Args:
        own: How the tool itself counts tokens, as the end of a sentence.
    """
    sources = ", ".join(f"{name} {count:,}" for name, count in run.sources.items())
    return f"Token counts are those of the tape (source of output counts: {sources or 'none'}); {own}"


def divided(over: Floats, under: Floats, where: Mask) -> Floats:
    """Return over / under where the mask is set, NaN elsewhere."""
    result: Floats = np.divide(over, under, out=np.full(len(over), np.nan), where=where)
    return result


def span_s(begin: Floats, end: Floats) -> float:
    """Return the time from the earliest beginning to the latest end, in ns; 0 without any."""
    if np.isnan(begin).all() or np.isnan(end).all():
        return 0.0
    return float(np.nanmax(end) - np.nanmin(begin)) / 1e9
