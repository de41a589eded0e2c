"""Options and output of summaries, shared by ``summarize``, ``replay`` and ``profile``."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ...measure.dialects import DIALECTS, OURS

if TYPE_CHECKING:
    from ...measure.dialects.dialect_summary import DialectSummary
    from ...measure.slo import Slo
    from ...measure.summary import Summary
    from ...tape.read import Tape

type_format = click.Choice(["table", "json", "csv"])


def summary_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--format``, ``--slo`` and ``--max-failures`` to a command."""
    for option in (
        click.option(
            "--max-failures",
            type=click.FloatRange(min=0),
            default=0.1,
            show_default=True,
            metavar="N",
            help="Exit with code 4 if more requests fail: a share below 1 (0.1), or a number of requests (5).",
        ),
        click.option(
            "--slo",
            "slos",
            multiple=True,
            metavar="METRIC[:STATISTIC]:LIMIT",
            help="Objective to check: ttft:p99:300ms for the run, or ttft:300ms for each request, which is used for "
            "the goodput. May be given several times.",
        ),
        click.option(
            "--format",
            "format_",
            type=type_format,
            default="table",
            show_default=True,
            help="Output format. json prints one object and nothing else.",
        ),
    ):
        command = option(command)
    return command


def print_summaries(summaries: Sequence["Summary"], format_: str) -> None:
    """Print summaries on standard output, as tables for people or as JSON or CSV for programs."""
    from ...report.summary_export import to_csv, to_json
    from ...report.summary_table import print_summary

    if format_ == "json":
        click.echo(to_json(summaries), nl=False)
    elif format_ == "csv":
        click.echo(to_csv(summaries), nl=False)
    else:
        for place, summary in enumerate(summaries):
            if place:
                click.echo()
            print_summary(summary, sys.stdout)


def print_legend(summary: "Summary") -> None:
    """Print what each row of a summary's table means, on standard output."""
    from rich.console import Console
    from rich.table import Table

    from ...report.legend import FAILED, FIDELITY, PAGE, ZERO_POINTS, legend

    console = Console(highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for label, sentence in (*legend(summary), ("fidelity", FIDELITY)):
        table.add_row(label, sentence)
    console.print()
    console.print(table)
    for line in ("", ZERO_POINTS, FAILED, f"All definitions: {PAGE}"):
        console.print(line)


dialect_option = click.option(
    "--dialect",
    type=click.Choice([OURS, *DIALECTS]),
    default=OURS,
    show_default=True,
    help="Compute and print the summary as another tool does, with its definitions and names.",
)


def print_in(
    dialect: str,
    runs: "Sequence[Sequence[Tape]]",
    summaries: Sequence["Summary"],
    format_: str,
    slos: "Sequence[Slo]" = (),
) -> None:
    """Print the summaries of tapes in a dialect.

    Other tools have no verdict, so the verdict goes to standard error if the dialect is not tokentape's.

    Args:
        dialect: Value of ``--dialect``.
        runs: Tapes of each run; the tapes of one run are summarized together.
        summaries: Tokentape's summary of each tape.
        format_: table, json or csv.
        slos: Objectives; those of each request are used for the goodput of the other tool.
    """
    if dialect == OURS:
        print_summaries(summaries, format_)
        return
    from ...measure.dialects import summary_in

    print_dialects([summary_in(dialect, tapes, slos) for tapes in runs], format_)
    for summary in summaries:
        reasons = "; ".join(reason.text for reason in summary.verdict.reasons)
        click.echo(f"{summary.tape}: {summary.verdict.state}{f': {reasons}' if reasons else ''}", err=True)


def print_dialects(summaries: Sequence["DialectSummary"], format_: str) -> None:
    """Print summaries of other tools in the tables of those tools, or as JSON or CSV in one form for all tools."""
    from ...report.dialect_export import dialects_csv, dialects_json
    from ...report.dialect_table import print_dialect

    if format_ == "json":
        click.echo(dialects_json(summaries), nl=False)
    elif format_ == "csv":
        click.echo(dialects_csv(summaries), nl=False)
    else:
        for place, summary in enumerate(summaries):
            if place:
                click.echo()
            print_dialect(summary, sys.stdout)
