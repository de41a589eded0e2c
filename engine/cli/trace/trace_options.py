"""What the trace verbs share: reading what the user named, and writing what was made."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from ....traces.table import Trace

type_format = click.Choice(["table", "json"])


class Reading(NamedTuple):
    """How the user wants files to be read."""

    format: str | None
    mapping: str | None
    skip_bad_rows: bool

    def read(self, path: Path) -> "Trace":
        """The trace of a file, a folder, a pattern or a tape."""
        from .... import traces

        return traces.read(path, format=self.format, mapping=self.mapping, skip_bad_rows=self.skip_bad_rows)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--trace-format``, ``--map`` and ``--skip-bad-rows`` to a command, which gets them as ``reading``."""

    @wraps(command)
    def with_reading(*, trace_format: str | None, trace_map: str | None, skip_bad_rows: bool, **given: Any) -> Any:
        return command(reading=Reading(trace_format, trace_map, skip_bad_rows), **given)

    for option in (
        click.option("--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be read, and count them."),
        click.option(
            "--map",
            "trace_map",
            metavar="COLUMNS",
            help="The columns of any other CSV, JSONL or Parquet, as in timestamp=ts:ms,input_tokens=in,"
            "output_tokens=out.",
        ),
        click.option("--trace-format", metavar="NAME", help="The trace's format.  [default: found by its content]"),
    ):
        with_reading = option(with_reading)
    return with_reading


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--format table|json`` to a command."""
    return click.option(
        "--format",
        "format_",
        type=type_format,
        default="table",
        show_default=True,
        help="How to print; json prints one object and nothing else.",
    )(command)


def write_trace(trace: "Trace", path: Path) -> None:
    """Write a native trace and say so on standard error."""
    from ....traces.readers.native import write_native

    write_native(trace, path)
    click.echo(f"the trace is {path}", err=True)


def option_ns(name: str, text: str) -> int:
    """A duration that an option gives, in ns.

    Raises:
        UserError: It is none; the message names the option.
    """
    from ...errors import UserError
    from ...units import duration_ns

    try:
        return duration_ns(text)
    except UserError as error:
        raise UserError(f"--{name.replace('_', '-')}: {error}") from None


def say_notes(trace: "Trace") -> None:
    """A trace's notes, on standard error."""
    for note in trace.notes:
        click.echo(f"note: {note}", err=True)
