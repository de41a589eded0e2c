"""tokentape summarize: the metrics and the verdict of tapes."""

import sys
from pathlib import Path

import click


@click.command()
@click.argument("tapes", nargs=-1, required=True, metavar="TAPE...", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to print; json prints one object and nothing else.",
)
@click.option(
    "--slo",
    "slos",
    multiple=True,
    metavar="METRIC[:STATISTIC]:LIMIT",
    help="An objective: ttft:p99:300ms of the run, or ttft:300ms of each request, for the goodput. "
    "May be given several times.",
)
@click.option(
    "--max-failures",
    type=click.FloatRange(min=0),
    default=0.1,
    show_default=True,
    metavar="N",
    help="Exit with 4 above this: a share below 1, else a number of requests.",
)
def summarize(tapes: tuple[Path, ...], format_: str, slos: tuple[str, ...], max_failures: float) -> None:
    """Compute the metrics of tapes from their raw stamps, and the verdict on each.

    Exits with 0 if all are VALID or DEGRADED, 3 if one is INVALID, 4 if one has too many failures.
    """
    from ..measure.slo import parse_slo
    from ..measure.summary import summarize as summarize_tape
    from ..report.export import to_csv, to_json
    from ..tape.read import open_tape

    objectives = [parse_slo(slo) for slo in slos]
    opened = [open_tape(tape) for tape in tapes]
    summaries = [summarize_tape(tape, objectives, max_failures=max_failures) for tape in opened]
    if format_ == "json":
        click.echo(to_json(summaries), nl=False)
    elif format_ == "csv":
        click.echo(to_csv(summaries), nl=False)
    else:
        from ..report.table import print_summary

        for place, summary in enumerate(summaries):
            if place:
                click.echo()
            print_summary(summary, sys.stdout)
    sys.exit(max(summary.verdict.exit_code for summary in summaries))
