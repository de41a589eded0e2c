"""The pages about formats: their examples are read, and every page is in the table."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tokentape.traces import read

Write = Callable[[bytes | str], Path]

FOLDER = Path(__file__).parents[2] / "docs" / "formats"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
EXAMPLE = re.compile(r"^```(?:jsonl?|csv)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if EXAMPLE.search(page.read_text())], ids=lambda page: page.stem
)
def test_the_example_of_a_page_is_of_its_format(write: Write, page: Path) -> None:
    example = EXAMPLE.search(page.read_text())
    assert example is not None
    assert read(write(example[1])).format == page.stem


def test_pages_name_a_command_and_are_in_the_table() -> None:
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (FOLDER / "README.md").read_text())
    assert sorted(listed) == [page.stem for page in PAGES]
    for page in PAGES:
        assert "\n    tokentape replay " in page.read_text()
