"""``tokentape trace``: what is done with traces without sending anything. One file per verb."""

from importlib import import_module

import click

from ..trace_verbs import VERBS


class TraceVerbs(click.Group):
    """The verbs of the group, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of a user's work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command object of a verb, or None for a name that is none."""
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(VERBS[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=TraceVerbs, short_help="Look at traces, convert, scale and generate them.")
def trace() -> None:
    """Look at traces, convert, scale and generate them; nothing is sent."""
