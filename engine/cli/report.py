"""``tokentape report``: write one HTML file about a tape."""

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
    help="Objective to check: ttft:p99:300ms for the run, or ttft:300ms for each request, which is used for the "
    "goodput."
    " May be given several times.",
)
@click.option(
    "--max-failures",
    type=click.FloatRange(min=0),
    default=0.1,
    show_default=True,
    metavar="N",
    help="Exit with code 4 if more requests fail: a share below 1 (0.1), or a number of requests (5).",
)
def report(tape: Path, file: Path | None, slos: tuple[str, ...], max_failures: float) -> None:
    """Write the verdict, the tables and the plots of a tape as one HTML file that needs no other files.

    Prints the name of the file. Exits with 0 if the verdict is VALID or DEGRADED, 3 if it is INVALID, 4 if too many
    requests failed.
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
