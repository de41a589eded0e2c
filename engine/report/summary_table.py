"""A summary for people: headline, latencies, rates, errors, and the verdict last."""

from collections.abc import Iterable, Iterator
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..measure.rates import Rate
from ..measure.statistic import FAILED, Statistic
from ..measure.summary import Summary
from ..measure.verdict import DEGRADED, INVALID, VALID
from .fidelity_table import fidelity_block

LABELS: Final = {
    "lateness": "lateness",
    "queueing": "queueing",
    "ttft": "TTFT",
    "ttfvt": "TTFVT",
    "itl": "ITL",
    "inter_chunk_latency": "inter-chunk",
    "tpot": "TPOT",
    "e2e": "end to end",
    "ttft_open": "TTFT open",
    "ttft_closed": "TTFT closed",
    "e2e_open": "e2e open",
    "e2e_closed": "e2e closed",
    "input_tokens": "ISL",
    "output_tokens": "OSL",
    "reasoning_tokens": "reasoning",
    "tool_call_tokens": "tool calls",
    "visible_tokens": "visible OSL",
    "output_token_throughput": "output tokens",
    "request_throughput": "requests",
    "goodput": "goodput",
}
_STYLES: Final = {VALID: "bold green", DEGRADED: "bold yellow", INVALID: "bold red"}
_NARROW: Final = ("avg", "p50", "p90", "p99", "max")
_WIDE: Final = ("avg", "min", "p50", "p75", "p90", "p95", "p99", "p99.9", "max", "std")
_WIDE_FROM: Final = 120
_MESSAGE_LENGTH: Final = 200


def print_summary(summary: Summary, file: TextIO, width: int | None = None) -> None:
    """Print a summary; with 120 columns or more it has every percentile.

    Args:
        file: Output file; colours are used only on a terminal.
        width: Width in columns; None: the terminal's width, 80 without a terminal.
    """
    console = Console(file=file, width=width, highlight=False, emoji=False, markup=False)
    console.print(_headline(summary), soft_wrap=True)  # on its own line, so that the tape's name can be copied
    console.print()
    outputs = summary.tokens.output_tokens or summary.tokens.requests_with_asked_length
    hidden = () if outputs else ("output_tokens", "output_token_throughput")  # an API without output tokens
    rows = [row for row in summary.statistics if row.metric not in hidden]
    for part in _latencies(rows, console.width):
        console.print(part)
    console.print()
    console.print(_rates(rate for rate in summary.rates if rate.metric not in hidden))
    console.print()
    for part in fidelity_block(summary.fidelity):
        console.print(part)
    console.print()
    for line in _facts(summary, generates=not hidden):
        console.print(line)
    if summary.requests.errors:
        console.print()
        console.print(_errors(summary))
    for result in summary.slos:
        met = {True: "met", False: "MISSED", None: "n/a, too few samples"}[result.met]
        value = "" if result.value_ms is None else f" ({result.value_ms:,.2f} ms)"
        basis = f" from {result.basis}" if result.basis else ""
        console.print(f"SLO {result.slo}{basis}: {met}{value}")
    _print_verdict(console, summary)


def number(value: float) -> str:
    """Return a number as a table shows it: two decimals below 10,000, none above."""
    return f"{value:,.2f}" if abs(value) < 10_000 else f"{value:,.0f}"


def cell(row: Statistic, name: str) -> str:
    """Return a statistic's value, with four decimals if most are below 0.1 ms, or the reason: `n/a (needs 368)`."""
    value = row.value(name)
    if value is not None:
        return f"{value:,.4f}" if row.unit == "ms" and (row.value("p50") or 1) < 0.1 else number(value)
    note = row.notes.get(name)
    if note == FAILED:
        return FAILED
    return f"n/a ({note})" if note else "n/a"


def _headline(summary: Summary) -> Text:
    r = summary.requests
    parts = [f"{r.planned:,} request{'' if r.planned == 1 else 's'}", f"{r.ok:,} ok"]
    parts += [f"{count:,} {what}" for what, count in (("failed", r.failed), ("cancelled", r.cancelled)) if count]
    if summary.window.duration_s is not None:
        parts.append(f"{summary.window.duration_s:,.2f} s")
    return Text.assemble((summary.tape, "bold"), "\n", ", ".join(parts))


def _latencies(rows: Iterable[Statistic], width: int) -> Iterator[Table | str]:
    """Print the table; if it is too narrow for the reasons of `n/a`, they follow in a line below it."""
    rows = [row for row in rows if row.count]
    names = _WIDE if width >= _WIDE_FROM else _NARROW
    heads = [(LABELS[row.metric], row.basis or "", row.unit) for row in rows]
    cells = [[cell(row, name) for name in names] for row in rows]
    lines = [("metric", "from", "unit", *names), *((*head, *line) for head, line in zip(heads, cells, strict=True))]
    needed = sum(max(map(len, column)) for column in zip(*lines, strict=True)) + len(lines[0]) - 1
    reasons: dict[str, str] = {}
    if needed > width:
        for row, line in zip(rows, cells, strict=True):
            for place, name in enumerate(names):
                if line[place].startswith("n/a ("):
                    reasons.setdefault(name, row.notes[name])
                    line[place] = "n/a"
    table = Table(title=None, box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in lines[0][:3]:
        table.add_column(head, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for head, line in zip(heads, cells, strict=True):
        table.add_row(*head, *line)
    yield table
    if reasons:
        yield "n/a: " + ", ".join(f"{name} {reason}" for name, reason in reasons.items()) + " samples"


def _rates(rates: Iterable[Rate]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("rate", no_wrap=True)
    table.add_column("from", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("with drain", justify="right", no_wrap=True)
    table.add_column("without drain", justify="right", no_wrap=True)
    for rate in rates:
        values = ("n/a" if v is None else number(v) for v in (rate.value, rate.without_drain))
        table.add_row(LABELS[rate.metric], rate.basis or "", rate.unit, *values)
    return table


def _facts(summary: Summary, generates: bool) -> list[str]:
    tokens, capture, r = summary.tokens, summary.capture, summary.requests
    lines = []
    if generates:
        sources = ", ".join(f"{name} {count:,}" for name, count in tokens.sources.items())
        lines.append(f"Output tokens: {tokens.output_tokens:,}, counted by: {sources or 'none'}")
    if tokens.refused_counts:
        lines.append(
            f"Server counts ignored: {tokens.refused_counts:,}, contradicted by the output ({tokens.first_refused})"
        )
    if set(r.finish_reasons) - {"stop", "length"}:
        reasons = ", ".join(f"{_one_line(name)} {count:,}" for name, count in r.finish_reasons.items())
        lines.append(f"Finish reasons: {reasons}")
    if tokens.requests_of_another_length:
        lines.append(
            f"Output tokens requested and received: {tokens.asked_output_tokens:,} and {tokens.got_output_tokens:,}; "
            f"{tokens.requests_of_another_length:,} of {tokens.requests_with_asked_length:,} requests differ"
        )
    clock = "" if capture.kernel_clock_share is None else f", kernel clock {capture.kernel_clock_share:.1%}"
    coalesced = (
        ""
        if capture.coalesced_share is None
        else f", coalesced {capture.coalesced_share:.2%} (of token events {capture.coalesced_token_share or 0:.2%})"
    )
    lines.append(f"Events: {capture.events:,}{coalesced}{clock}")
    if r.sent != r.planned:
        lines.append(f"Sent: {r.sent:,} of {r.planned:,} planned")
    if r.warmup:
        lines.append(f"Warm-up: {r.warmup:,} requests, counted only in the events")
    if r.ok_without_tokens:
        lines.append(f"Without output tokens: {r.ok_without_tokens:,} successful requests")
    if r.unfinished:
        lines.append(f"Unfinished when the run was killed: {r.unfinished:,} requests")
    return lines


def _errors(summary: Summary) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("failures", justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("commonest messages", overflow="fold")
    for error in summary.requests.errors:
        status = "" if error.http_status is None else str(error.http_status)
        table.add_row(f"{error.count:,}", error.outcome, status, _one_line(error.error or ""))
    return table


def _one_line(message: str) -> str:
    """Return a peer's text without control characters, shortened to one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line if len(line) <= _MESSAGE_LENGTH else line[: _MESSAGE_LENGTH - 1] + "…"


def print_verdict(summary: Summary) -> None:
    """Print only the verdict, on standard error, beside another tool's table."""
    _print_verdict(Console(stderr=True, highlight=False, emoji=False, markup=False), summary)


def _print_verdict(console: Console, summary: Summary) -> None:
    verdict = summary.verdict
    console.print()
    console.print(Text(verdict.state, style=_STYLES[verdict.state]))
    for reason in verdict.reasons:
        console.print(Text(f"- {reason.text}: {reason.advice}"))
