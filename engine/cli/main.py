"""The command ``tokentape``: imports and runs the module of a verb, and prints errors as messages.

The module of a verb imports only click and the shared options at its top, so that ``tokentape --help`` is quick. The
function that does the work imports the rest.
"""

import sys

import click

from ... import __version__
from ...traces.errors import TraceError
from ..errors import UserError
from .common.grouped_command import Verbs

VERBS = ("replay", "profile", "summarize", "plot", "report", "export", "recover", "record", "serve", "trace")
"""Verbs in the order of the help. Each is a module or a package in this folder with the same name."""

START = """\
Tokentape replays recorded LLM traffic against a server and stamps every token as it arrives.

Begin with one of these:

  tokentape replay --sample --simulate                  replay a sample trace against the simulated server
  tokentape replay TRACE --url http://HOST:PORT         replay a recorded trace against your server
  tokentape profile -m MODEL --url http://HOST:PORT --streaming --concurrency 8
                                                        put a load of synthetic requests on your server

tokentape --help lists all commands, and tokentape COMMAND --help explains one."""

COMPLETION = """\
Shell completion, for bash (zsh and fish: docs/completion.md):

\b
  eval "$(_TOKENTAPE_COMPLETE=bash_source tokentape)"
"""


@click.group(
    cls=Verbs,
    modules={verb: f"tokentape.engine.cli.{verb}" for verb in VERBS},
    invoke_without_command=True,
    epilog=COMPLETION,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="tokentape")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Replay recorded LLM traffic against a server and stamp every token as it arrives."""
    if ctx.invoked_subcommand is None:
        click.echo(START)


def main() -> None:
    """Run the command line.

    Exit codes: 0 VALID or DEGRADED, 2 wrong usage, 3 INVALID, 4 too many failures, 130 interrupted.
    """
    try:
        cli.main(prog_name="tokentape", standalone_mode=True)
    except (UserError, TraceError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
