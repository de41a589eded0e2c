"""``tokentape trace formats``: list the trace formats that Tokentape reads."""

import json

import click

from ..common.grouped_command import GroupedCommand
from .trace_options import format_option


@click.command(
    cls=GroupedCommand,
    short_help="List the trace formats that Tokentape reads.",
    examples=[
        ("List the formats:", "tokentape trace formats"),
        ("Read a file as one of them:", "tokentape trace stats trace.jsonl --trace-format mooncake"),
    ],
)
@format_option
def formats(format_: str) -> None:
    """List the trace formats that Tokentape reads: the name, what the file is, how it is recognised, and its page.

    The format of a file is found by its content. If that fails, --trace-format names the format, and --map names the
    columns of a CSV, JSON Lines or Parquet file of no known format.
    """
    from rich.console import Console
    from rich.table import Table

    from ....traces.detect import READERS

    rows = [
        {
            "name": str(reader.NAME),
            "about": str(reader.ABOUT),
            "recognised_by": str(reader.LOOKS),
            "page": f"docs/formats/{getattr(reader, 'PAGE', reader.NAME)}.md",
        }
        for reader in sorted(READERS, key=lambda reader: str(reader.NAME))
    ]
    if format_ == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("format", no_wrap=True)
    table.add_column("what it is")
    table.add_column("recognised by")
    table.add_column("page", no_wrap=True)
    for row in rows:
        table.add_row(row["name"], row["about"], row["recognised_by"], row["page"].removeprefix("docs/formats/"))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(
        "\nThe pages are in docs/formats. For a file of no known format, name its columns with --map (mapped.md)."
    )
