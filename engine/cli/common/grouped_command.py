"""A command with many options: shown in groups, several values after one name, and a file of defaults."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click


class GroupedOption(click.Option):
    """An option that stands under a heading of the help.

    Args:
        group: The heading.
        several: Takes all words up to the next option, as in ``-m one other``.
    """

    def __init__(self, *args: Any, group: str, several: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group, self.several = group, several


class GroupedCommand(click.Command):
    """Shows options under their headings, and lets ``several`` options take several words at once."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, once each word of a list has its option's name in front."""
        return super().parse_args(ctx, repeated(args, self._several()))

    def _several(self) -> set[str]:
        options = [param for param in self.params if isinstance(param, GroupedOption) and param.several]
        return {name for option in options for name in option.opts}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One section for each heading, in the order of their first options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(param, "group", "Other"), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def repeated(args: Sequence[str], several: Iterable[str]) -> list[str]:
    """``-m one other`` as ``-m one -m other``: for commands that take no arguments beside their options."""
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
    """Adds options under one heading, in this order.

    Args:
        group: The heading.
        rows: Names and settings of each, as ``click.option`` takes them.
    """

    def add(command: Any) -> Any:
        for names, settings in reversed(rows):
            command = click.option(*names, cls=GroupedOption, group=group, **settings)(command)
        return command

    return add


def read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """The callback of ``--config``: the file's values become the command's defaults.

    Raises:
        UserError: The file cannot be read, or names an option that there is none of.
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
            from difflib import get_close_matches

            near = get_close_matches(str(key).replace("_", "-"), known, n=1)
            raise UserError(f"{path}: there is no option {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
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
        raise UserError(f"{path}: holds no options; write lines as request-rate: 20")
    return values


def config_text(ctx: click.Context, given: dict[str, Any]) -> str:
    """All options that are set, as YAML that ``--config`` reads."""
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
