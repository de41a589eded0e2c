"""Commands with many options: options in groups, several values after one option, and defaults from a file."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import click


class GroupedOption(click.Option):
    """An option that is listed under a heading of the help.

    Args:
        group: The heading.
        several: Whether the option takes all arguments up to the next option, as in ``-m one other``.
    """

    def __init__(self, *args: Any, group: str, several: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group, self.several = group, several


class GroupedCommand(click.Command):
    """A command with options under headings and examples in its help, and with suggestions in its errors.

    Args:
        groups: Headings in order, each with the parameter names of its options. They come before the headings of
            `GroupedOption` options.
        examples: Pairs of a description and a command line.
    """

    def __init__(
        self,
        *args: Any,
        groups: Mapping[str, Sequence[str]] | None = None,
        examples: Sequence[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = list(examples)
        by_name = {param.name: param for param in self.params}
        first: list[click.Parameter] = []
        for heading, names in (groups or {}).items():
            for name in names:
                by_name[name].group = heading  # type: ignore[attr-defined]
                first.append(by_name[name])
        arguments = [param for param in self.params if isinstance(param, click.Argument)]
        self.params = [*arguments, *first, *(p for p in self.params if p not in first and p not in arguments)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments as click does, accept several values after one option, and add suggestions to errors."""
        try:
            return super().parse_args(ctx, repeated(args, self._several()))
        except click.NoSuchOption as error:
            name = error.option_name
            shown = [opt for param in self.params if not getattr(param, "hidden", False) for opt in param.opts]
            others = commands_with(name)
            hint = f" It is an option of {' and '.join(others)}." if others else did_you_mean(name, shown)
            raise click.UsageError(f"No such option {name!r}.{hint}", ctx) from None
        except click.BadParameter as error:
            if error.param is None or not isinstance(error.param.type, click.Choice):
                raise
            quoted = re.match(r"'([^']*)'", error.message)
            hint = did_you_mean(quoted[1] if quoted else "", map(str, error.param.type.choices))
            raise click.BadParameter(error.message + hint, ctx, error.param) from None

    def _several(self) -> set[str]:
        options = [param for param in self.params if isinstance(param, GroupedOption) and param.several]
        return {name for option in options for name in option.opts}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each heading, in the order of their first options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = None if isinstance(param, click.Argument) else param.get_help_record(ctx)
            if record is not None:
                heading = getattr(param, "group", next(reversed(groups), "Options"))  # --help: the last group
                groups.setdefault(heading, []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        if self.examples:
            with formatter.section("Examples"):
                for place, (what, line) in enumerate(self.examples):
                    if place:
                        formatter.write("\n")
                    formatter.write_text(what)
                    formatter.write(f"{'':{formatter.current_indent + 2}}$ {line}\n")
        super().format_epilog(ctx, formatter)


class Verbs(click.Group):
    """A group that imports a verb only when it is used, and suggests the nearest verb for an unknown one.

    Args:
        modules: Module of each verb, in the order of the help. The module has the command under the verb's name.
    """

    def __init__(self, *args: Any, modules: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all verbs, in the order of the help."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command object of a verb, or None for an unknown one."""
        if cmd_name not in self.modules:
            return None
        command = getattr(import_module(self.modules[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first argument. The error for an unknown verb suggests the nearest verb."""
        if args and args[0] not in self.modules and not args[0].startswith("-"):
            hint = did_you_mean(args[0], self.modules) or f" The commands are {', '.join(self.modules)}."
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean …?" with the nearest known word, or "" if no known word is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def commands_with(option: str) -> list[str]:
    """Return the commands that have an option, as a user would type them."""
    from ..main import cli

    found: list[str] = []
    groups: list[tuple[str, click.Command]] = [("tokentape", cli)]
    while groups:
        words, command = groups.pop(0)
        if isinstance(command, click.Group):
            context = click.Context(command)
            names = command.list_commands(context)
            groups += [(f"{words} {name}", below) for name in names if (below := command.get_command(context, name))]
        elif any(option in param.opts and not getattr(param, "hidden", False) for param in command.params):
            found.append(f"'{words}'")
    return found


def repeated(args: Sequence[str], several: Iterable[str]) -> list[str]:
    """Rewrite ``-m one other`` as ``-m one -m other``, for commands that take no positional arguments."""
    names, result, name = set(several), [], None
    waits = False
    for word in args:
        if word.startswith("-") and len(word) > 1 and not waits:
            name = word if word in names else None
            waits = name is not None
            result.append(word)
        elif name is not None and not waits:
            result += [name, word]
        else:
            result.append(word)
            waits = False
    return result


def options(group: str, *rows: tuple[Sequence[str], dict[str, Any]]) -> Callable[[Any], Any]:
    """Return a decorator that adds options under one heading, in the given order.

    Args:
        group: The heading.
        rows: Names and settings of each option, in the form of ``click.option``.
    """

    def add(command: Any) -> Any:
        for names, settings in reversed(rows):
            command = click.option(*names, cls=GroupedOption, group=group, **settings)(command)
        return command

    return add


def read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Make the values of the ``--config`` file the defaults of the command. A click callback.

    Raises:
        UserError: The file cannot be read, or contains an unknown option.
    """
    if path is None:
        return None
    from ...errors import UserError

    values = _load(path)
    known = {name.lstrip("-"): other for other in ctx.command.params for name in other.opts if name.startswith("--")}
    defaults: dict[str, Any] = {}
    for key, value in values.items():
        option = known.get(str(key).replace("_", "-"))
        if option is None or option.name in ("config", "dump_config", "help"):
            near = get_close_matches(str(key).replace("_", "-"), known, n=1)
            raise UserError(f"{path}: no such option {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        assert option.name is not None
        if isinstance(value, dict) or (isinstance(value, list) and not getattr(option, "multiple", False)):
            raise UserError(f"{path}: {key}: {value!r} is not a single value")
        if getattr(option, "multiple", False):
            defaults[option.name] = [str(one) for one in (value if isinstance(value, list) else [value])]
        elif value is not None:
            defaults[option.name] = value if isinstance(value, bool) else str(value)
    ctx.default_map = {**(ctx.default_map or {}), **defaults}
    return path


def _load(path: Path) -> dict[Any, Any]:
    import yaml

    from ...errors import UserError

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: contains no options; write lines such as request-rate: 20")
    return values


def config_text(ctx: click.Context, given: dict[str, Any]) -> str:
    """Return all options that are set, as YAML for ``--config``."""
    import yaml

    values: dict[str, Any] = {}
    for param in ctx.command.params:
        if param.name in ("config", "dump_config", "help") or getattr(param, "hidden", False):
            continue
        value = given.get(param.name or "")
        if value is None or value == ():
            continue
        name = max((name for name in param.opts if name.startswith("--")), key=len, default="")
        if name:
            values[name.lstrip("-")] = _plain(value)
    text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, bool | int | float) else str(value)
