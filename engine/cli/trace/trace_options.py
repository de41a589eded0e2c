"""The options common to the trace verbs, and how they read and write traces."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..common.grouped_command import GroupedOption

if TYPE_CHECKING:
    from ....traces.table import Trace

READING = "Reading the trace"

map_option = click.option(
    "--map",
    "trace_map",
    cls=GroupedOption,
    group=READING,
    metavar="COLUMNS",
    help="Name the columns and units of a CSV, JSON Lines or Parquet file of no known format, for example "
    "timestamp=ts:ms,input_tokens=in,output_tokens=out. Units: s, ms, us, ns, iso.",
)
trace_format_option = click.option(
    "--trace-format",
    cls=GroupedOption,
    group=READING,
    metavar="NAME",
    help="Read the file as this format; `tokentape trace formats` lists the names.  [default: found by the content]",
)


class Reading(NamedTuple):
    """Options that say how trace files are read."""

    format: str | None
    mapping: str | None
    skip_bad_rows: bool

    def read(self, path: Path) -> "Trace":
        """Return the trace of a file, a folder, a pattern or a tape."""
        from .... import traces

        return traces.read(path, format=self.format, mapping=self.mapping, skip_bad_rows=self.skip_bad_rows)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--trace-format``, ``--map`` and ``--skip-bad-rows`` to a command, which receives them as ``reading``."""

    @wraps(command)
    def with_reading(*, trace_format: str | None, trace_map: str | None, skip_bad_rows: bool, **given: Any) -> Any:
        return command(reading=Reading(trace_format, trace_map, skip_bad_rows), **given)

    for option in (
        click.option(
            "--skip-bad-rows",
            cls=GroupedOption,
            group=READING,
            is_flag=True,
            help="Leave out rows that cannot be read, and print how many.  [default: the first bad row is an error]",
        ),
        map_option,
        trace_format_option,
    ):
        with_reading = option(with_reading)
    return with_reading


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--format table|json`` to a command."""
    return click.option(
        "--format",
        "format_",
        cls=GroupedOption,
        group="Options",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="Print a table for people, or one JSON object for programs.",
    )(command)


def write_trace(trace: "Trace", path: Path) -> None:
    """Write a trace in Tokentape's format, and print its path on standard error."""
    from ....traces.readers.native import write_native

    write_native(trace, path)
    click.echo(f"the trace is {path}", err=True)


def option_ns(name: str, text: str) -> int:
    """Return the duration of an option in ns.

    Raises:
        UserError: The text is not a duration; the message names the option.
    """
    from ...errors import UserError
    from ...units import duration_ns

    try:
        return duration_ns(text)
    except UserError as error:
        raise UserError(f"--{name.replace('_', '-')}: {error}") from None


def print_notes(trace: "Trace") -> None:
    """Print the notes of a trace on standard error."""
    for note in trace.notes:
        click.echo(f"note: {note}", err=True)
