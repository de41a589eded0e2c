"""``tokentape trace``: commands that work on traces and send nothing. One file per verb."""

import click

from ..common.grouped_command import Verbs
from ..trace_verbs import VERBS


@click.group(cls=Verbs, modules=VERBS, short_help="Look at traces, convert, scale and generate them.")
def trace() -> None:
    """Look at traces, convert, scale and generate them. These commands send nothing.

    TRACE is a file of any known format (see `tokentape trace formats`), plain or compressed with gzip or zstd; a folder
    of such files; or a pattern in quotes, such as 'day-*.jsonl'.
    """
