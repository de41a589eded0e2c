"""``tokentape trace``: commands that work on traces and send nothing. One file per verb."""

from difflib import get_close_matches
from importlib import import_module

import click

from ..trace_verbs import VERBS


class TraceVerbs(click.Group):
    """The verbs of the group, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all verbs, the most used first."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a verb, or None for an unknown name."""
        if cmd_name not in VERBS:
            return None
        command = getattr(import_module(VERBS[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name.

        Raises:
            UsageError: No verb has this name; the message names the nearest verb.
        """
        if args[0] not in VERBS and not args[0].startswith("-"):
            near = get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" The commands are {', '.join(VERBS)}."
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=TraceVerbs, short_help="Look at traces, convert, scale and generate them.")
def trace() -> None:
    """Look at traces, convert, scale and generate them. These commands send nothing.

    TRACE is a file of any known format (see `tokentape trace formats`), plain or compressed with gzip or zstd; a folder
    of such files; or a pattern in quotes, such as 'day-*.jsonl'.
    """
