"""``tokentape trace convert``: any format to Tokentape's own."""

from pathlib import Path

import click

from .trace_options import Reading, reading_options, say_notes, write_trace


@click.command(short_help="Write a trace as Tokentape's own Parquet.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.parquet")
@reading_options
def convert(trace: Path, out: Path, reading: Reading) -> None:
    """Write TRACE, of any known format, as Tokentape's own: Parquet, times in ns, block ids as deltas."""
    made = reading.read(trace)
    say_notes(made)
    write_trace(made, out)
    click.echo(f"{len(made):,} requests of {trace} ({made.format}), {out.stat().st_size:,} bytes")
