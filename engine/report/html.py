"""A report as one HTML file: verdict, tables and plots of a tape, without any external resource."""

import shlex
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ..errors import UserError
from ..measure.slo import Slo
from ..measure.statistic import COLUMNS
from ..measure.summary import Summary, summarize
from ..measure.verdict import DEFAULT_MAX_FAILURES
from ..tape.read import Tape
from .plots import draw_plots
from .plots.captions import CAPTIONS
from .summary_table import LABELS, cell, number

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1b1b; --dim: #5a5a5a; --line: #d8d8d8; --page: #ffffff; --card: #f6f6f6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --dim: #a8a8a8; --line: #444444; --page: #181818; --card: #242424; }
}
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p { margin: .3rem 0; } .dim { color: var(--dim); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; } .word { text-align: left; } .long { white-space: normal; overflow-wrap: anywhere; }
.verdict { border-left: .5rem solid; border-radius: .3rem; background: var(--card); margin: 1rem 0;
  padding: .6rem 1rem; }
.verdict strong { font-size: 1.15rem; } .VALID { border-color: #009e73; } .DEGRADED { border-color: #e69f00; }
.INVALID { border-color: #d55e00; }
figure { margin: 1.2rem 0 2.2rem; } figcaption { color: var(--dim); max-width: 60rem; margin-top: .4rem; }
img { width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line); border-radius: .3rem; }
nav a { color: inherit; margin-right: 1rem; white-space: nowrap; }
"""
_WORDS: Final = 3
"""Number of leading text columns of each table; the other columns are numbers."""


def write_report(
    tape: Tape,
    file: Path,
    *,
    slos: Sequence[Slo] = (),
    max_failures: float = DEFAULT_MAX_FAILURES,
    on_note: Callable[[str], None] = lambda note: None,
) -> Summary:
    """Write the report of a tape; the same tape gives the same bytes.

    Args:
        tape: A sealed tape.
        file: Path of the report, replaced if it exists; its folder must exist.
        slos, max_failures: As for `summarize`.
        on_note: Called for each omitted plot with the reason.

    Returns:
        The summary in the report.

    Raises:
        UserError: The file cannot be written.
    """
    summary = summarize(tape, slos, max_failures=max_failures)
    with TemporaryDirectory() as folder:
        plots = {
            path.stem: path.read_bytes()
            for path in draw_plots([tape], Path(folder), formats=("svg",), slos=slos, on_note=on_note)
        }
    try:
        file.write_text(to_html(summary, facts(tape), plots), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written ({error.strerror}); choose another file") from None
    return summary


def facts(tape: Tape) -> list[str]:
    """Return the facts of a run, one line each: model, endpoint, address, time, and the command."""
    from .plots.plotted_tape import common  # here: it imports matplotlib

    requests, manifest = tape.requests, tape.manifest
    first = [common(requests[name]) for name in ("model", "endpoint", "url")] if len(requests) else []
    started = datetime.fromtimestamp(int(manifest["epoch_unix_ns"]) / 1e9, UTC)
    said = ["  ·  ".join([*filter(None, first), f"{started:%Y-%m-%d %H:%M} UTC"])]
    command = manifest.get("command")
    if isinstance(command, list) and command:
        said.append(shlex.join(map(str, command)))
    return said


def to_html(summary: Summary, ran: Iterable[str], plots: dict[str, bytes]) -> str:
    """Return the document.

    Args:
        summary: Summary of the tape.
        ran: Facts of the run for the heading.
        plots: SVG file of each plot, in display order.
    """
    name = Path(summary.tape).name
    r = summary.requests
    counts = [f"{r.planned:,} requests", f"{r.ok:,} ok", f"{r.failed:,} failed", f"{r.cancelled:,} cancelled"]
    seconds = summary.window.duration_s
    parts = [
        f"<h1>{escape(name)}</h1>",
        *(f'<p class="dim">{escape(line)}</p>' for line in ran),
        f"<p>{', '.join(counts)}" + (f", {seconds:,.2f} s" if seconds is not None else "") + "</p>",
        *_failures(summary),  # above the verdict, whose reasons refer to them
        _verdict(summary),
        "<nav>" + " ".join(f'<a href="#{plot}">{escape(_heading(plot))}</a>' for plot in plots) + "</nav>",
        "<h2>Latencies and lengths</h2>",
        _latencies(summary),
        "<h2>Rates</h2>",
        _rates(summary),
        *_objectives(summary),
        *(_figure(plot, picture) for plot, picture in plots.items()),
    ]
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(name)}: {summary.verdict.state}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    return head + "\n".join(parts) + "\n</body>\n</html>\n"


def _verdict(summary: Summary) -> str:
    verdict = summary.verdict
    reasons = "".join(f"<p>{escape(reason.text)}: {escape(reason.advice)}</p>" for reason in verdict.reasons)
    return f'<div class="verdict {verdict.state}"><strong>{verdict.state}</strong>{reasons}</div>'


def _latencies(summary: Summary) -> str:
    rows = [
        (
            *(LABELS[row.metric], row.basis or "", row.unit),
            *(cell(row, column) for column in COLUMNS),
            *(f"{row.count:,}", f"{row.failed:,}"),
        )
        for row in summary.statistics
        if row.count
    ]
    return _table(("metric", "from", "unit", *COLUMNS, "count", "failed"), rows)


def _rates(summary: Summary) -> str:
    rows = [
        (
            *(LABELS[rate.metric], rate.basis or "", rate.unit),
            *("n/a" if value is None else number(value) for value in (rate.value, rate.without_drain)),
        )
        for rate in summary.rates
    ]
    return _table(("rate", "from", "unit", "with drain", "without drain"), rows)


def _objectives(summary: Summary) -> list[str]:
    if not summary.slos:
        return []
    words = {True: "met", False: "missed", None: "n/a, too few samples"}
    rows = [
        (result.slo, result.basis or "", words[result.met], "" if result.value_ms is None else number(result.value_ms))
        for result in summary.slos
    ]
    return ["<h2>Objectives</h2>", _table(("objective", "from", "", "value, ms"), rows)]


def _failures(summary: Summary) -> list[str]:
    if not summary.requests.errors:
        return []
    rows = []
    for error in summary.requests.errors:
        status = "" if error.http_status is None else str(error.http_status)
        rows.append((error.outcome, status, error.error or "", f"{error.count:,}"))
    return [_table(("outcome", "status", "commonest messages", "failures"), rows)]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        made = []
        for place, text in enumerate(cells):
            kind = ' class="word long"' if len(text) > 40 else ' class="word"' if place < _WORDS else ""
            made.append(f"<{tag}{kind}>{escape(text)}</{tag}>")
        return "<tr>" + "".join(made) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table>\n{line(names, "th")}\n{body}\n</table></div>'


def _figure(plot: str, picture: bytes) -> str:
    # Each SVG is a separate image, so that ids in one cannot clash with ids in another.
    source = "data:image/svg+xml;base64," + b64encode(picture).decode()
    caption = escape(CAPTIONS[plot])
    return (
        f'<figure id="{plot}">\n<img src="{source}" alt="{escape(_heading(plot))}">\n'
        f"<figcaption>{caption}</figcaption>\n</figure>"
    )


def _heading(plot: str) -> str:
    words = plot.replace("_", " ").replace("ttft", "TTFT").replace("itl", "ITL").replace("cdf", "CDF")
    return words[0].upper() + words[1:]
