"""``tokentape trace validate``: check that a trace can be replayed."""

import sys
from pathlib import Path

import click

from ..common.grouped_command import GroupedCommand
from .trace_options import map_option, trace_format_option


@click.command(
    cls=GroupedCommand,
    short_help="Check that every row of a trace can be replayed.",
    examples=[
        ("List the problems of a trace:", "tokentape trace validate trace.jsonl"),
        ("Check a file as a given format:", "tokentape trace validate trace.jsonl --trace-format mooncake"),
    ],
)
@click.argument("trace", type=click.Path(path_type=Path))
@trace_format_option
@map_option
def validate(trace: Path, trace_format: str | None, trace_map: str | None) -> None:
    """Check TRACE and list its problems (rows that cannot be replayed) and notes (limits of what was recorded).

    Exits with 0 if there are no problems, otherwise with 2. Notes do not change the exit code.
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
