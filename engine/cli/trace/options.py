"""What the trace verbs share: reading what the user named, and writing what was made."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ....traces.table import Trace

type_format = click.Choice(["table", "json"])


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--trace-format`` and ``--skip-bad-rows`` to a command."""
    for option in (
        click.option("--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be read, and count them."),
        click.option("--trace-format", metavar="NAME", help="The trace's format.  [default: found by its content]"),
    ):
        command = option(command)
    return command


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


def read_trace(path: Path, trace_format: str | None, skip_bad_rows: bool) -> "Trace":
    """The trace of a file."""
    from .... import traces

    return traces.read(path, format=trace_format, skip_bad_rows=skip_bad_rows)


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
