"""``tokentape trace``: commands that work on traces and send nothing. Each verb has a module."""

import click

from ..common.grouped_command import Verbs
from ..trace_verbs import VERBS


@click.group(cls=Verbs, modules=VERBS, short_help="Inspect, convert, scale and generate traces.")
def trace() -> None:
    """Inspect, convert, scale and generate traces. These commands send nothing.

    TRACE is a file of any known format (see `tokentape trace formats`), plain or compressed with gzip or zstd; a folder
    of such files; or a pattern in quotes, such as 'day-*.jsonl'.
    """
