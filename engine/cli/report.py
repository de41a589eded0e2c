"""``tokentape report``: one HTML file that shows a tape."""

import sys
from pathlib import Path

import click

from .common.grouped_command import GroupedCommand

EXAMPLES = [
    ("Write run.tape/report.html:", "tokentape report run.tape"),
    ("Write another file, with an objective:", "tokentape report run.tape -o report.html --slo ttft:300ms"),
]


@click.command(cls=GroupedCommand, examples=EXAMPLES, short_help="Write tables, plots and verdict as one HTML file.")
@click.argument("tape", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "--out",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to write.  [default: TAPE/report.html]",
)
@click.option(
    "--slo",
    "slos",
    multiple=True,
    metavar="METRIC[:STATISTIC]:LIMIT",
    help="An objective: ttft:p99:300ms of the run, or ttft:300ms of each request, for the goodput. May be"
    " given several times.",
)
@click.option(
    "--max-failures",
    type=click.FloatRange(min=0),
    default=0.1,
    show_default=True,
    metavar="N",
    help="Exit with 4 above this: a share below 1, else a number of requests.",
)
def report(tape: Path, file: Path | None, slos: tuple[str, ...], max_failures: float) -> None:
    """Write the verdict, the tables and the plots of a tape as one HTML file that needs nothing else.

    Prints its name, and exits as `summarize` does: 0 VALID or DEGRADED, 3 INVALID, 4 too many failures.
    """
    from ..measure.slo import parse_slo
    from ..report.html import write_report
    from ..tape.read import open_tape

    target = file or tape / "report.html"
    summary = write_report(
        open_tape(tape),
        target,
        slos=[parse_slo(slo) for slo in slos],
        max_failures=max_failures,
        on_note=lambda note: click.echo(f"note: {note}", err=True),
    )
    click.echo(str(target))
    sys.exit(summary.verdict.exit_code)
