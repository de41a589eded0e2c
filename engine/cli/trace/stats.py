"""``tokentape trace stats``: what a trace is like."""

import sys
from pathlib import Path

import click

from .trace_options import Reading, format_option, reading_options


@click.command(short_help="Print arrivals, lengths, block reuse, sessions.")
@click.argument("trace", type=click.Path(path_type=Path))
@format_option
@reading_options
def stats(trace: Path, format_: str, reading: Reading) -> None:
    """Print the statistics of TRACE: arrivals, lengths, block reuse, sessions, and what to beware of.

    Peak and Fano are of bins of 1 s. LRU hit rates are exact: an LRU cache of prefix blocks that is asked for all
    blocks of a request before it takes them in.
    """
    from ....traces.stats import stats as stats_of
    from .trace_table import print_stats, stats_json

    found = stats_of(reading.read(trace))
    if format_ == "json":
        click.echo(stats_json(found), nl=False)
    else:
        print_stats(found, sys.stdout)
