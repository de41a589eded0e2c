"""Write the API reference of docs/python.md from signatures and docstrings.

    PYTHONPATH=build/names python tests/support/python_reference.py

writes it into the page, between the two marks; a test compares it with the page.
"""

import inspect
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import tokentape
from tokentape.tape import Dialect, PlotFormat, Plots, TableName, Tape
from tokentape.trace import Trace

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BEGIN = "<!-- The reference below is generated: tests/support/python_reference.py -->\n"
FUNCTIONS = (
    "replay",
    "profile",
    "record",
    "serve",
    "open",
    "summarize",
    "plot",
    "export",
    "read_trace",
    "sample_trace",
)
CLASSES = {Tape: "tape", Plots: "plots", Trace: "trace", tokentape.Recording: "recording",
           tokentape.SimulatedServer: "server"}  # fmt: skip
"""Each class, with the name of a variable that holds one."""
TYPES = {
    "TapeOrPath": "str | PathLike | Tape",
    "Dialect | str": "str",
    "Dialect": f"Literal{list(get_args(Dialect))}",
    "PlotFormat": f"Literal{list(get_args(PlotFormat))}",
    "TableName": f"Literal{list(get_args(TableName))}",
    "PathLike[str]": "PathLike",
}
"""Full forms of abbreviations in signatures."""
SECTIONS = ("Example", "Args", "Attributes", "Returns", "Raises")


def sections(text: str) -> dict[str, str]:
    """Return the sections of a docstring by heading; the text before the first heading has the key ""."""
    parts: dict[str, list[str]] = {"": []}
    current = parts[""]
    for line in text.splitlines():
        heading = line.removesuffix(":")
        if line.endswith(":") and heading in SECTIONS:
            current = parts.setdefault(heading, [])
        else:
            current.append(line)
    return {name: inspect.cleandoc("\n" + "\n".join(lines)).strip() for name, lines in parts.items()}


def items(text: str) -> dict[str, str]:
    """``name: meaning`` entries, each in one line."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in text.splitlines():
        entry = re.match(r"([\w.]+(?:, \w+)*): (.*)", line)
        if entry is not None and not line.startswith(" "):
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def cell(text: str) -> str:
    """Return a text escaped for a table cell."""
    return text.replace("|", "\\|")


def parameters(function: Callable[..., Any]) -> list[str]:
    """Return the table of a function's parameters."""
    meanings = items(sections(inspect.getdoc(function) or "").get("Args", ""))
    rows: list[str] = []
    if not meanings:
        return rows
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        default = "" if parameter.default is inspect.Parameter.empty else f"`{parameter.default!r}`"
        kind = str(parameter.annotation)
        for short, full in TYPES.items():
            kind = kind.replace(short, full)
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            rows.append(f"| older names | | | {cell(meanings[parameter.name])} |")
        else:
            rows.append(f"| `{parameter.name}` | `{cell(kind)}` | {cell(default)} | {cell(meanings[parameter.name])} |")
    return ["| parameter | type | default | |", "|---|---|---|---|", *rows, ""] if rows else []


def shape(name: str, function: Callable[..., Any]) -> str:
    """Return a short form of a call: parameters that may be given by position, and a star for those by name."""
    signature = inspect.signature(function)
    words = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    if any(p.kind is p.KEYWORD_ONLY for p in signature.parameters.values()):
        words += ["*", "…"]
    return f"{name}({', '.join(words)}) -> {signature.return_annotation}"


def function_text(name: str, function: Callable[..., Any], level: str) -> list[str]:
    """A function or a method."""
    parts = sections(inspect.getdoc(function) or "")
    lines = [f"{level} `{shape(name, function)}`", "", parts[""], ""]
    if "Example" in parts:
        lines += ["```python", parts["Example"], "```", ""]
    lines += parameters(function)
    if "Returns" in parts:
        lines += [f"Returns: {' '.join(parts['Returns'].split())}", ""]
    if "Raises" in parts:
        lines += ["Raises:", "", *(f"- `{error}`: {why}" for error, why in items(parts["Raises"]).items()), ""]
    return lines


def class_text(kind: type) -> list[str]:
    """A class: its attributes and properties in a table, then its methods."""
    name = kind.__name__
    module = "tokentape" if name in tokentape.__all__ else kind.__module__
    parts = sections(inspect.getdoc(kind) or "")
    lines = [f"### `{module}.{name}`", "", parts[""], ""]
    rows: list[str] = []
    for base in ours(kind):
        attributes = sections(inspect.cleandoc(base.__doc__ or "")).get("Attributes", "")
        rows += [f"| `{entry}` | {cell(meaning)} |" for entry, meaning in items(attributes).items()]
    methods: list[str] = []
    for entry in members(kind):
        value = inspect.getattr_static(kind, entry)
        if isinstance(value, property | cached_property):
            function: Any = value.fget if isinstance(value, property) else value.func
            text = sections(inspect.getdoc(function) or "")
            rows.append(f"| `{entry}` | {cell(' '.join(text[''].split()))} |")
        else:
            methods += function_text(f"{CLASSES[kind]}.{entry}", value, "####")
    if rows:
        lines += ["| attribute | |", "|---|---|", *rows, ""]
    return lines + methods


def ours(kind: type) -> list[type]:
    """The class and its bases, without those of the engine and of other packages."""
    inner = ("tokentape.engine", "tokentape.traces")
    return [b for b in kind.__mro__ if b.__module__.startswith("tokentape") and not b.__module__.startswith(inner)]


def members(kind: type) -> list[str]:
    """Public properties and methods of a class that come from this package, in the order of their definition."""
    return [
        name
        for base in ours(kind)
        for name, value in vars(base).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, property | cached_property))
        and inspect.getattr_static(kind, name) is value
    ]


def reference() -> str:
    """The reference as Markdown."""
    lines = [BEGIN.rstrip(), "", "## Functions", ""]
    for name in FUNCTIONS:
        lines += function_text(f"tokentape.{name}", getattr(tokentape, name), "###")
    lines += ["## Classes", ""]
    for kind in CLASSES:
        lines += class_text(kind)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().partition(BEGIN)[0] + reference())
