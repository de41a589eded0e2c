"""``tokentape trace stats``: print the statistics of a trace."""

import sys
from pathlib import Path

import click

from ..common.grouped_command import GroupedCommand
from .trace_options import Reading, format_option, reading_options


@click.command(
    cls=GroupedCommand,
    short_help="Print arrivals, lengths, prefix reuse and sessions of a trace.",
    examples=[
        ("Look at a trace:", "tokentape trace stats trace.jsonl"),
        ("Read all files of a pattern as one trace:", "tokentape trace stats 'day-*.jsonl'"),
        (
            "Read a CSV file of no known format:",
            "tokentape trace stats log.csv --map timestamp=ts:ms,input_tokens=in,output_tokens=out",
        ),
    ],
)
@click.argument("trace", type=click.Path(path_type=Path))
@format_option
@reading_options
def stats(trace: Path, format_: str, reading: Reading) -> None:
    """Print the statistics of TRACE: arrivals, lengths, reuse of prefix blocks, sessions, and notes on its limits.

    The peak and the Fano factor (variance over mean) count arrivals in bins of 1 s. LRU hit rates are those of a cache
    of prefix blocks that looks up all blocks of a request before it stores them.
    """
    from ....traces.stats import stats as stats_of
    from .trace_table import print_stats, stats_json

    found = stats_of(reading.read(trace))
    if format_ == "json":
        click.echo(stats_json(found), nl=False)
    else:
        print_stats(found, sys.stdout)
