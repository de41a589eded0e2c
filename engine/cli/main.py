"""The program: finds the file of a verb and runs it, and turns mistakes into messages.

A verb's file imports nothing but click at its top, so that ``tokentape --help`` is quick; the
function that does the work imports what it needs.
"""

import sys
from importlib import import_module

import click

from ... import __version__
from ...traces.errors import TraceError
from ..errors import UserError

VERBS = ("replay", "profile", "summarize", "plot", "report", "export", "recover", "record", "serve", "trace")


class Verbs(click.Group):
    """The verbs in the order of their use; each is a file beside this one, named like it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of a user's work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command object of a verb, or None for a name that is none."""
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(f"tokentape.engine.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tokentape")
def cli() -> None:
    """Replay recorded LLM traffic against a server and stamp every token as it arrives."""


def main() -> None:
    """The console script.

    Exit codes: 0 valid or degraded, 2 wrong usage, 3 INVALID, 4 too many failures, 130 interrupted.
    """
    try:
        cli.main(prog_name="tokentape", standalone_mode=True)
    except (UserError, TraceError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
