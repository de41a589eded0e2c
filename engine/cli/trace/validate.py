"""``tokentape trace validate``: whether a trace can be replayed as it stands."""

import sys
from pathlib import Path

import click


@click.command(short_help="Check a trace and list what is wrong with it.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--trace-format", metavar="NAME", help="The trace's format.  [default: found by its content]")
@click.option("--map", "trace_map", metavar="COLUMNS", help="The columns of a file of no known format.")
def validate(trace: Path, trace_format: str | None, trace_map: str | None) -> None:
    """Check TRACE and list what is wrong with it, and what to beware of.

    Exits with 0 if nothing is wrong, with 2 otherwise. What to beware of is nothing wrong.
    """
    from ....traces.validate import validate as findings_of

    found = findings_of(trace, format=trace_format, mapping=trace_map)
    for problem in found.problems:
        click.echo(f"problem: {problem}")
    for note in found.notes:
        click.echo(f"note: {note}")
    if found.problems:
        sys.exit(2)
    click.echo(f"{trace} is a valid trace: {found.rows:,} requests ({found.format})")
