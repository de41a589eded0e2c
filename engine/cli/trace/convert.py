"""``tokentape trace convert``: write a trace of any known format in Tokentape's own format."""

from pathlib import Path

import click

from ..common.grouped_command import GroupedCommand
from .trace_options import Reading, print_notes, reading_options, write_trace


@click.command(
    cls=GroupedCommand,
    short_help="Write a trace as Parquet in Tokentape's own format.",
    examples=[
        ("Convert a trace once, to read it faster afterwards:", "tokentape trace convert trace.jsonl trace.parquet"),
        (
            "Convert a CSV file of no known format:",
            "tokentape trace convert log.csv log.parquet --map timestamp=ts:ms,input_tokens=in,output_tokens=out",
        ),
    ],
)
@click.argument("trace", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.parquet")
@reading_options
def convert(trace: Path, out: Path, reading: Reading) -> None:
    """Write TRACE as Parquet in Tokentape's own format.

    The file keeps everything that is read from the trace: times in ns, block ids, sessions, recorded requests and
    notes. It is smaller than JSON and faster to read.
    """
    made = reading.read(trace)
    print_notes(made)
    write_trace(made, out)
    click.echo(f"{len(made):,} requests of {trace} ({made.format}), {out.stat().st_size:,} bytes")
