"""The tree in docs/design.md is the tree on disk, and its folders and files are limited in size."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "design.md").read_text()
SOURCES = {".py", ".pyx", ".pxd", ".pyi", ".c", ".h"}
ROOMS = ("cext", "engine", "traces", "tests", "benchmarks", "examples")
MOST_FILES = 12
MOST_LINES = 400


def source_files() -> list[Path]:
    """Source files of the repository, relative to its root: those that git knows, or all where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        found = [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*")]
    else:
        found = [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]
    return [path for path in found if path.suffix in SOURCES and path.parts[0] in ROOMS]


FILES = source_files()


def drawn_tree() -> list[str]:
    """Folders of the page's tree, as paths with a slash between folders."""
    block = re.search(r"^## The tree$.*?^```text$\n(.*?)^```$", PAGE, re.M | re.S)
    assert block is not None
    folders: list[str] = []
    above: list[str] = []
    for line in block[1].splitlines():
        entry = re.fullmatch(r"((?:  )*)([\w.]+)/ +\S.*", line)
        assert entry is not None, f"a line of the tree has no folder or no description: {line!r}"
        above = [*above[: len(entry[1]) // 2], entry[2]]
        folders.append("/".join(above))
    return folders


def exceptions(heading: str) -> set[str]:
    """Paths in the first column of the table that follows a sentence of the page."""
    table = PAGE.partition(heading)[2].partition("\n\n|")[2].partition("\n\n")[0]
    rows = [line.split("|") for line in ("|" + table).splitlines()[2:]]
    assert all(row[2].strip() for row in rows), f"an exception under {heading!r} has no reason"
    return {row[1].strip().strip("`") for row in rows}


def mirrors_another(folder: Path) -> bool:
    """Whether the tree leaves a folder out because it has the name of the folder that it tests."""
    parts = folder.parts
    if parts[0] == "tests":
        return len(parts) > 1 and folder not in (Path("tests/e2e"), Path("tests/real"), Path("tests/support"))
    return parts[:2] == ("cext", "tests") and len(parts) > 2


def test_the_drawn_tree_is_the_tree_on_disk() -> None:
    folders = {parent for path in FILES for parent in path.parents if parent.parts}
    on_disk = {str(folder) for folder in folders if not mirrors_another(folder)}
    drawn = drawn_tree()
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) == on_disk


def test_tests_lie_in_folders_named_like_what_they_test() -> None:
    """tests/engine/plan tests engine/plan; cext/tests/net tests cext/net."""
    folders = {path.parent for path in FILES}
    for folder in folders:
        parts = folder.parts
        if parts[0] == "tests" and len(parts) > 1 and parts[1] in ("cext", "engine", "traces"):
            assert (ROOT / Path(*parts[1:])).is_dir(), f"{folder} has no counterpart"
        if parts[:2] == ("cext", "tests") and len(parts) > 2 and parts[2] not in ("support", "fuzz"):
            assert (ROOT / "cext" / Path(*parts[2:])).is_dir(), f"{folder} has no counterpart"


def test_no_folder_holds_more_than_a_dozen_source_files() -> None:
    counts: dict[str, int] = {}
    for path in FILES:
        counts[str(path.parent)] = counts.get(str(path.parent), 0) + 1
    large = {folder for folder, count in counts.items() if count > MOST_FILES}
    assert large == exceptions("More than a dozen source files in a folder:")


def test_no_source_file_is_longer_than_400_lines() -> None:
    long = {str(path) for path in FILES if len((ROOT / path).read_text().splitlines()) > MOST_LINES}
    assert long == exceptions("More than 400 lines in a file:")


ONE_PER_KIND = (
    "cext/server/apis",
    "engine/cli",
    "engine/requests/endpoints",
    "engine/measure/dialects",
    "engine/report/plots/kinds",
    "traces/readers",
    "examples",
)
"""Folders whose files are named for what they handle: the same API, format, tool or verb may have a file in several."""


@pytest.mark.parametrize("suffix", [".py", ".c"])
def test_no_two_files_share_a_name(suffix: str) -> None:
    """File names are unique, so that a name in a traceback or a search result identifies the file."""
    named: dict[str, list[str]] = {}
    for path in FILES:
        if path.suffix != suffix or path.name in ("__init__.py", "conftest.py", "errors.py"):
            continue
        if path.parts[0] in ("tests", "benchmarks") or path.parts[:2] == ("cext", "tests"):
            continue
        if any(path.is_relative_to(folder) for folder in ONE_PER_KIND):
            continue
        named.setdefault(path.name, []).append(str(path))
    assert {name: paths for name, paths in named.items() if len(paths) > 1} == {}
