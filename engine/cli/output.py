"""What ``summarize`` and ``replay`` share: their options, and how summaries are printed."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..measure.dialects.summary import DialectSummary
    from ..measure.summary import Summary

type_format = click.Choice(["table", "json", "csv"])


def summary_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--format``, ``--slo`` and ``--max-failures`` to a command."""
    for option in (
        click.option(
            "--max-failures",
            type=click.FloatRange(min=0),
            default=0.1,
            show_default=True,
            metavar="N",
            help="Exit with 4 above this: a share below 1, else a number of requests.",
        ),
        click.option(
            "--slo",
            "slos",
            multiple=True,
            metavar="METRIC[:STATISTIC]:LIMIT",
            help="An objective: ttft:p99:300ms of the run, or ttft:300ms of each request, for the goodput. "
            "May be given several times.",
        ),
        click.option(
            "--format",
            "format_",
            type=type_format,
            default="table",
            show_default=True,
            help="How to print; json prints one object and nothing else.",
        ),
    ):
        command = option(command)
    return command


def print_summaries(summaries: Sequence["Summary"], format_: str) -> None:
    """Prints on standard output: tables for people, JSON or CSV for programs."""
    from ..report.export import to_csv, to_json
    from ..report.table import print_summary

    if format_ == "json":
        click.echo(to_json(summaries), nl=False)
    elif format_ == "csv":
        click.echo(to_csv(summaries), nl=False)
    else:
        for place, summary in enumerate(summaries):
            if place:
                click.echo()
            print_summary(summary, sys.stdout)


def print_dialects(summaries: Sequence["DialectSummary"], format_: str) -> None:
    """Prints what other tools would say on standard output, in their tables, or as JSON or CSV of one form for all."""
    from ..report.dialect_export import dialects_csv, dialects_json
    from ..report.dialect_table import print_dialect

    if format_ == "json":
        click.echo(dialects_json(summaries), nl=False)
    elif format_ == "csv":
        click.echo(dialects_csv(summaries), nl=False)
    else:
        for place, summary in enumerate(summaries):
            if place:
                click.echo()
            print_dialect(summary, sys.stdout)
