"""The fidelity report for people: a few lines of a summary, and the full report."""

from collections.abc import Iterator
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table

from ..measure.fidelity.compare import Fidelity, GapDistance, Lengths, RateError

_ROWS: Final = (("CV of gaps", "cv"), ("Fano of 1 s", "fano"))


def fidelity_block(found: Fidelity) -> Iterator[Table | str]:
    """Return the fidelity part of a summary: a small table and two lines, within 80 columns."""
    rows = [] if found.planned is None else [(label, name, "{:,.2f}") for label, name in _ROWS]
    table = _pairs(found, rows, ("planned", "sent"))
    if table.row_count:
        yield table
    if found.gaps is not None:
        yield _gaps(found.gaps)
    arrivals = "Closed loop: no planned arrivals" if found.planned is None else _rates(found.rates)
    order = [] if found.order_violations is None else [f"out of order: {found.order_violations:,}"]
    yield "; ".join([arrivals, *order])


def print_fidelity(found: Fidelity, sides: tuple[str, str], file: TextIO, width: int | None = None) -> None:
    """Print the full report.

    Args:
        found: Result of the comparison.
        sides: Headings of the two columns.
        file: Output file.
        width: Width in columns; None: the terminal's width.
    """
    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    rows = [
        ("requests", "requests", "{:,}"),
        ("span, s", "span_s", "{:,.3f}"),
        ("requests/s", "rate_rps", "{:,.3f}"),
        ("peak in 1 s", "peak_per_s", "{:,}"),
        *((label, name, "{:,.3f}") for label, name in _ROWS),
    ]
    console.print(_pairs(found, rows, sides))
    console.print()
    if found.lateness_ms is not None:
        late = ", ".join(f"{name} {value:,.3f}" for name, value in found.lateness_ms.items())
        console.print(f"Lateness in ms: {late}")
    if found.gaps is not None:
        console.print(_gaps(found.gaps))
    for error in found.rates:
        console.print(f"Rate error per {error.bin_s} s (RMSE): {error.rmse_rps:,.3f} requests/s, {error.share:.2%}")
    for label, one in (("ISL", found.isl), ("OSL", found.osl)):
        if one is not None:
            console.print(_errors(label, one))
    if found.order_violations is not None:
        console.print(f"Sent out of order: {found.order_violations:,} requests")


def _pairs(found: Fidelity, rows: list[tuple[str, str, str]], sides: tuple[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("fidelity", no_wrap=True)
    for side in sides:
        table.add_column(side, justify="right", overflow="fold")
    for label, name, form in rows:
        values = (None if side is None else getattr(side, name) for side in (found.planned, found.got))
        table.add_row(label, *("n/a" if value is None else form.format(value) for value in values))
    for label, one in (("ISL, mean", found.isl), ("OSL, mean", found.osl)):
        if one is not None:
            table.add_row(label, f"{one.planned_mean:,.2f}", f"{one.got_mean:,.2f}")
    if found.planned_reuse or found.got_reuse:
        shares = (found.planned_reuse, found.got_reuse)
        table.add_row("prefix reuse", *("n/a" if one is None else f"{one.share:.1%}" for one in shares))
    return table


def _gaps(gaps: GapDistance) -> str:
    return (
        f"Gaps: KS distance {gaps.ks:.4f}, beyond 0.1 ms {gaps.ks_beyond_100us:.4f}; "
        f"Wasserstein {gaps.wasserstein_ms:,.3f} ms"
    )


def _rates(rates: tuple[RateError, ...]) -> str:
    if not rates:
        return "Rate error: n/a"
    return "Rate error: " + ", ".join(f"{error.share:.2%} per {error.bin_s} s" for error in rates)


def _errors(label: str, one: Lengths) -> str:
    parts = [] if one.error is None else [f"{one.error:+.3%} in total"]
    if one.absolute_error is not None:
        parts.append(f"{one.absolute_error:.3%} request by request")
    if one.equal_share is not None:
        parts.append(f"{one.equal_share:.1%} of {one.requests:,} equal")
    return f"{label} error: {', '.join([*parts, f'KS distance {one.ks:.4f}'])}"
