"""The statistics of a trace as tables and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ....traces.stats import TraceStats
from ...report.summary_table import number


def stats_json(found: TraceStats, after: TraceStats | None = None) -> str:
    """Return one JSON object: the statistics, or the statistics before and after."""
    value = _plain(found) if after is None else {"before": _plain(found), "after": _plain(after)}
    return json.dumps(value, indent=2) + "\n"


def print_stats(found: TraceStats, file: TextIO, width: int | None = None) -> None:
    """Print the statistics of a trace as tables.

    Args:
        found: The statistics.
        file: The output; colours are used only on a terminal.
        width: Width in columns; by default that of the terminal, or 80 without one.
    """
    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    console.print(Text.assemble((found.source, "bold"), f" ({found.format})"), soft_wrap=True)
    console.print(f"{found.rows:,} requests over {number(found.span_s)} s")
    for step in found.transforms:
        console.print(f"  made by {step}", soft_wrap=True)
    console.print()
    console.print(_arrivals([found]))
    console.print()
    console.print(_lengths(found))
    for line in (*_reuse(found), *_sessions(found)):
        console.print(line)
    if found.warnings:
        console.print()
    for warning in found.warnings:
        console.print(Text(f"note: {warning}", style="yellow"))


def print_before_and_after(before: TraceStats, after: TraceStats, file: TextIO, width: int | None = None) -> None:
    """Print rate, burstiness, lengths and reuse before and after a change."""
    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    console.print(Text(before.source, style="bold"), soft_wrap=True)
    for step in after.transforms[len(before.transforms) :]:
        console.print(f"  {step}", soft_wrap=True)
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "before", "after"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    rows = zip(_look(before), _look(after), strict=True)
    for (name, old), (_, new) in rows:
        if (old, new) != ("", ""):
            table.add_row(name, old, new)
    console.print(table)
    for warning in after.warnings:
        console.print(Text(f"note: {warning}", style="yellow"))


def _plain(found: TraceStats) -> dict[str, Any]:
    value = asdict(found)
    if found.reuse is not None:
        value["reuse"]["lru"] = [{"blocks": size, "hit_rate": rate} for size, rate in found.reuse.lru]
    return value


def _or_dash(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2g}" if 0 < value < 0.1 else number(value)


def _look(found: TraceStats) -> list[tuple[str, str]]:
    arrivals, reuse, sessions = found.arrivals, found.reuse, found.sessions
    return [
        ("requests", f"{found.rows:,}"),
        ("sessions", "" if sessions is None else f"{sessions.sessions:,}"),
        ("span, s", number(found.span_s)),
        ("requests/s", _or_dash(arrivals.rate_rps)),
        ("peak in 1 s", f"{arrivals.peak_per_s:,}"),
        ("CV of gaps", _or_dash(arrivals.cv)),
        ("Fano, 1 s", number(arrivals.fano)),
        ("ISL, avg", number(found.input_tokens.avg)),
        ("OSL, avg", number(found.output_tokens.avg)),
        ("block reuse", "" if reuse is None else f"{reuse.infinite:.1%}"),
        ("think time p50, s", "" if sessions is None else _or_dash(sessions.think_p50_s)),
    ]


def _arrivals(all_found: Sequence[TraceStats]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("requests/s", "peak in 1 s", "CV of gaps", "Fano, 1 s"):
        table.add_column(name, justify="right", no_wrap=True)
    for found in all_found:
        a = found.arrivals
        table.add_row(_or_dash(a.rate_rps), f"{a.peak_per_s:,}", _or_dash(a.cv), number(a.fano))
    return table


def _lengths(found: TraceStats) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("tokens", no_wrap=True)
    for name in ("avg", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, lengths in (("ISL", found.input_tokens), ("OSL", found.output_tokens)):
        values = (lengths.avg, lengths.p50, lengths.p90, lengths.p99)
        table.add_row(name, *(number(value) for value in values), f"{lengths.max:,}")
    return table


def _reuse(found: TraceStats) -> list[str | Table]:
    reuse = found.reuse
    if reuse is None:
        return []
    size = "" if reuse.block_tokens is None else f" of {reuse.block_tokens:,} tokens"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("LRU, blocks", no_wrap=True)
    for capacity, _ in reuse.lru:
        table.add_column(_short(capacity), justify="right", no_wrap=True)
    table.add_row("hit rate", *(f"{rate:.1%}" for _, rate in reuse.lru))
    headline = f"Block reuse: {reuse.infinite:.1%} of {reuse.blocks:,} blocks{size}, {reuse.distinct:,} distinct"
    return ["", headline, table]


def _short(capacity: int) -> str:
    for unit, size in (("M", 10**6), ("k", 10**3)):
        if capacity % size == 0:
            return f"{capacity // size}{unit}"
    return f"{capacity:,}"


def _sessions(found: TraceStats) -> list[str]:
    shape = found.sessions
    lines = [f"Models: {found.models:,}"] if found.models > 1 else []
    if shape is not None:
        lines.append(
            f"Sessions: {shape.sessions:,}, turns p50 {shape.turns_p50:,}, max {shape.turns_max:,}; "
            f"{shape.follow_ups:,} follow-ups, {shape.overlaps:,} sent during another turn"
        )
        if shape.joins:
            lines.append(f"Fan-in: {shape.joins:,} wait for several requests, {shape.joins_max:,} at most")
        if shape.single_requests:
            lines.append(f"Requests without a session: {shape.single_requests:,}")
        if shape.think_p50_s is not None and shape.think_max_s is not None:
            lines.append(f"Think time: p50 {number(shape.think_p50_s)} s, max {number(shape.think_max_s)} s")
    return ["", *lines] if lines else []
