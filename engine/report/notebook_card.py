"""A tape as a card in a notebook: verdict, counts, headline latencies."""

from html import escape
from pathlib import Path
from typing import Final

from ..measure.summary import Summary
from .summary_table import LABELS, cell, number

_SHOWN: Final = ("lateness", "ttft", "itl", "inter_chunk_latency", "tpot", "e2e")
_COLUMNS: Final = ("avg", "p50", "p90", "p99", "max")
_COLORS: Final = {"VALID": "#1a7f37", "DEGRADED": "#9a6700", "INVALID": "#cf222e"}
"""Background colours with enough contrast to white text. The rest of the card uses the notebook's colours."""
_LINE: Final = "1px solid rgba(127,127,127,.4)"


def card(summary: Summary) -> str:
    """Return HTML for a notebook.

    All text that comes from files is escaped. There is no script, and colours are set only where they are readable
    on light and on dark pages.
    """
    requests, verdict = summary.requests, summary.verdict
    counts = [f"{requests.planned:,} requests", f"{requests.ok:,} ok"]
    counts += [
        f"{count:,} {what}" for what, count in (("failed", requests.failed), ("cancelled", requests.cancelled)) if count
    ]
    if summary.window.duration_s is not None:
        counts.append(f"{summary.window.duration_s:,.2f} s")
    counts += [f"{number(rate.value)} {rate.unit}" for rate in summary.rates
               if rate.metric == "output_token_throughput" and rate.value]  # fmt: skip
    badge = (
        f'<span style="background:{_COLORS[verdict.state]};color:#fff;border-radius:4px;padding:1px 8px;'
        f'font-weight:600">{escape(verdict.state)}</span>'
    )
    reasons = "".join(f"<li>{escape(reason.text)}: {escape(reason.advice)}</li>" for reason in verdict.reasons)
    return (
        f'<div class="tokentape" style="color:inherit;border:{_LINE};border-radius:6px;padding:10px 14px;'
        'display:inline-block;max-width:60em">'
        f'<div>{badge} <strong title="{escape(summary.tape)}">{escape(Path(summary.tape).name)}</strong></div>'
        f'<div style="margin:6px 0">{escape(", ".join(counts))}</div>'
        f"{_latencies(summary)}"
        + (f'<ul style="margin:6px 0 0;padding-left:1.2em">{reasons}</ul>' if reasons else "")
        + "</div>"
    )


def _latencies(summary: Summary) -> str:
    rows = [row for row in summary.statistics if row.metric in _SHOWN and row.count]
    if not rows:
        return ""
    style = f'style="text-align:right;padding:2px 8px;border-bottom:{_LINE}"'
    head = "".join(f"<th {style}>{name}</th>" for name in ("metric", "from", "unit", *_COLUMNS))
    body = ""
    for row in rows:
        words = (LABELS[row.metric], row.basis or "", row.unit, *(cell(row, name) for name in _COLUMNS))
        body += "<tr>" + "".join(f"<td {style}>{escape(word)}</td>" for word in words) + "</tr>"
    return (
        '<table style="border-collapse:collapse;color:inherit;background:transparent">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
