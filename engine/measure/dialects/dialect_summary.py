"""A tape in another tool's words: rows with the tool's names, units and statistics."""

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
        key: Its name in the tool's own files.
        label: Its name on the tool's screen, with the unit where the tool prints one.
        unit: As the tool's files say it.
        values: Statistic to value; a metric of a single number has it under "value". None: the tool would have none.
        shown: Whether the tool prints it, or only writes it into its files.
    """

    key: str
    label: str
    unit: str
    values: Mapping[str, Value]
    shown: bool = True


@dataclass(frozen=True)
class Section:
    """Rows under one title.

    Attributes:
        title: As printed; may be empty.
        columns: The statistics that the tool prints, in its order.
        rows: In the tool's order.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class DialectSummary:
    """A summary as another tool would have computed and printed it.

    Attributes:
        dialect: As users write it.
        tool: The tool, with the version whose definitions these are.
        tapes: The tapes that were looked at as one run.
        layout: How the tool prints: a table, a block of lines, columns side by side, plain lines.
        head: The word over the first column of a table.
        sections: In the tool's order.
        notes: What differs from a run of the tool, since a tape cannot tell.
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
        """All rows of all sections."""
        return tuple(row for section in self.sections for row in section.rows)

    def row(self, key: str) -> Row:
        """The row of that key."""
        return next(row for row in self.rows if row.key == key)

    def value(self, key: str, statistic: str = "value") -> Value:
        """One number."""
        return self.row(key).values[statistic]

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts for JSON; a metric of a single number stands there as that number."""
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
    """Statistics by numpy: avg (or mean), min, max, std of the whole population, and percentiles as "p99".

    Args:
        values: Any order; those that are NaN are left out.
        statistics: Names; a percentile is interpolated linearly, as numpy does by default.
        scale: Factor from the values' unit to that of the statistics.

    Returns:
        One value per name; all None without samples.
    """
    known = values[~np.isnan(values)] * scale
    names = list(statistics)
    if not len(known):
        return dict.fromkeys(names)
    ranks = {name: 50.0 if name == "median" else float(name[1:]) for name in names if name not in _PLAIN}
    found = dict(zip(ranks, np.percentile(known, list(ranks.values())).tolist(), strict=True))
    return {name: found[name] if name in found else float(_PLAIN[name](known)) for name in names}


def single(key: str, label: str, unit: str, value: Value, *, shown: bool = True) -> Row:
    """A metric of one number."""
    return Row(key, label, unit, {"value": value}, shown)


def per_second(amount: float, seconds: float) -> float | None:
    """A rate; None over no time."""
    return float(amount) / seconds if seconds > 0 else None


def tape_names(run: Run) -> tuple[str, ...]:
    """The paths of a run's tapes."""
    return tuple(str(tape.path) for tape in run.tapes)


def left_out(run: Run, manner: str) -> list[str]:
    """The footnote about requests that did not end well, if there are any.

    Args:
        manner: What the tool does with them, as the end of a sentence.
    """
    if not run.failed:
        return []
    return [f"{run.failed:,} of {len(run.ok):,} requests did not end well: {manner}"]


def counted(run: Run, own: str) -> str:
    """The footnote about who counted the tokens.

    Args:
        own: How the tool itself counts, as the end of a sentence.
    """
    sources = ", ".join(f"{name} {count:,}" for name, count in run.sources.items())
    return f"Token counts are the tape's (output counted by: {sources or 'nobody'}); {own}"


def divided(over: Floats, under: Floats, where: Mask) -> Floats:
    """over / under where it is wanted, NaN elsewhere."""
    result: Floats = np.divide(over, under, out=np.full(len(over), np.nan), where=where)
    return result


def span_s(begin: Floats, end: Floats) -> float:
    """From the earliest beginning to the latest end, of ns; 0 where there is none."""
    if np.isnan(begin).all() or np.isnan(end).all():
        return 0.0
    return float(np.nanmax(end) - np.nanmin(begin)) / 1e9
