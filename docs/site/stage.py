"""Stage the documentation site: pages, the project's files at the root, a page for each command, and the navigation.

    python docs/site/stage.py build

The pages in docs/ are written for people who read them where they lie. Here, links to files at the root of the
repository become links to the site's pages, and the marks of tested examples are taken off the code blocks.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from tokentape.engine.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
AT_THE_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code_of_conduct.md",
    "examples/README.md": "examples.md",
}
"""Pages outside of docs/, and their names on the site."""


def staged(text: str, page: Path) -> str:
    """Return the text of a page as the site needs it.

    Args:
        text: Markdown.
        page: Where the page lies, relative to the root of the repository.
    """
    text = re.sub(r"^(\s*```\w+)[ \w=\"-]*$", r"\1", text, flags=re.M)
    return re.sub(r"(\]\()([^)#:\s]+)(#[^)\s]*)?(\))", lambda match: relinked(match, page), text)


def relinked(link: re.Match[str], page: Path) -> str:
    """Return a link with its target as it is called on the site."""
    start, target, anchor, end = link[1], link[2], link[3] or "", link[4]
    path = (ROOT / page.parent / target).resolve()
    if not path.exists() or not path.is_relative_to(ROOT):
        return link[0]  # mkdocs names it in its warning
    here = site_name(page)
    return f"{start}{relative(site_name(path.relative_to(ROOT)), here)}{anchor}{end}"


def site_name(path: Path) -> str:
    """Return the path of a file on the site."""
    if str(path) in AT_THE_ROOT:
        return AT_THE_ROOT[str(path)]
    return str(path.relative_to("docs")) if path.is_relative_to("docs") else str(path)


def relative(target: str, page: str) -> str:
    """Return a path as seen from a page."""
    return "../" * page.count("/") + target


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that does something, with the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))
    else:
        yield path, command


def command_page(words: tuple[str, ...], command: click.Command) -> str:
    """Return the page of a command: usage, what it does, its options by group, examples."""
    context = click.Context(command, info_name=" ".join(("tokentape", *words)))
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"# tokentape {' '.join(words)}", "", *paragraphs(command), "", "```text"]
    lines += [f"tokentape {' '.join(words)} {usage}", "```", ""]
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            heading = getattr(parameter, "group", next(reversed(groups), "Options"))  # --help: the last group
            groups.setdefault(heading, []).append(record)
    for heading, records in groups.items():
        lines += [f"## {heading}", "", "| option | meaning |", "|---|---|"]
        lines += [f"| `{cell(name, code=True)}` | {cell(text)} |" for name, text in records]
        lines.append("")
    if examples := getattr(command, "examples", None):
        lines += ["## Examples", ""]
        for what, line in examples:
            lines += [f"{what}", "", "```console", f"$ {line}", "```", ""]
    return "\n".join(lines)


def paragraphs(command: click.Command) -> list[str]:
    """Return a command's description as Markdown; blocks that click keeps as they are become code."""
    lines: list[str] = []
    for block in (command.help or "").partition("\f")[0].split("\n\n"):
        if block.startswith("\b\n"):
            lines += ["```text", *block.removeprefix("\b\n").splitlines(), "```", ""]
        else:
            lines += [" ".join(block.split()), ""]
    return lines


def cell(text: str, *, code: bool = False) -> str:
    """Return a text that can stand in a cell of a table."""
    text = " ".join(text.split()).replace("|", "\\|")
    return text if code else text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def navigation(entries: list[Any], pages: list[str]) -> list[Any]:
    """Return the entries of mkdocs.yml, with the pages of a folder in place of an entry that ends with a slash.

    Args:
        entries: Of the ``nav`` setting.
        pages: All pages of the site.
    """
    filled: list[Any] = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            filled.append({title: navigation(target, pages)})
        elif target.endswith("/"):
            filled.append({title: [page for page in pages if page.startswith(target)]})
        else:
            filled.append({title: target})
    return filled


def paths_of(entries: list[Any]) -> Iterator[str]:
    """Yield the pages that a navigation names."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for target in entry.values():
                yield from paths_of(target) if isinstance(target, list) else (target,)


def stage(build: Path) -> None:
    """Write all pages and the configuration below a folder, in place of what was there.

    Raises:
        SystemExit: The navigation leaves a page out, or names one that does not exist.
    """
    folder = build / "docs"
    shutil.rmtree(folder, ignore_errors=True)
    pages = [path.relative_to(ROOT) for path in sorted(DOCS.rglob("*.md"))]
    pages += [Path(name) for name in AT_THE_ROOT if (ROOT / name).exists()]
    texts = {site_name(page): staged((ROOT / page).read_text(), page) for page in pages}
    listed = ["# Commands", "", "| command | what it does |", "|---|---|"]
    for words, command in commands(cli, ()):
        name = "-".join(words)
        texts[f"verbs/{name}.md"] = command_page(words, command)
        listed.append(f"| [`tokentape {' '.join(words)}`]({name}.md) | {cell(command.get_short_help_str(200))} |")
    texts["verbs/index.md"] = "\n".join([*listed, ""])
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shutil.copytree(DOCS / "images", folder / "images")
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    first = sorted(texts, key=lambda name: (not name.endswith(("/index.md", "/README.md")), name))
    settings["nav"] = navigation(settings["nav"], first)
    named = set(paths_of(settings["nav"]))
    if wrong := named ^ texts.keys():
        sys.exit(f"mkdocs.yml: nav leaves out, or names without a page: {', '.join(sorted(wrong))}")
    (build / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False))


if __name__ == "__main__":
    stage(Path(sys.argv[1]))
