"""``tokentape trace formats``: the formats of traces that are read."""

import json

import click

from .trace_options import format_option


@click.command(short_help="List the trace formats that are read.")
@format_option
def formats(format_: str) -> None:
    """List the trace formats that are read, and what each is recognised by.

    The format of a file is found by its content. --trace-format names one of these where that fails, and --map reads
    any other CSV, JSON Lines or Parquet file by the names of its columns.
    """
    from rich.console import Console
    from rich.table import Table

    from ....traces.detect import READERS

    if format_ == "json":
        rows = [{"name": reader.NAME, "recognised_by": reader.LOOKS} for reader in READERS]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("format", no_wrap=True)
    table.add_column("recognised by")
    for reader in sorted(READERS, key=lambda reader: str(reader.NAME)):
        table.add_row(reader.NAME, reader.LOOKS)
    Console(highlight=False, markup=False).print(table)
