"""docs/inputs.md: its rows say what it says, its mixes are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tokentape.engine.cli.profile import profile
from tokentape.traces.inputs.datasets import KNOWN
from tokentape.traces.inputs.lengths import Lengths
from tokentape.traces.inputs.prompt_files import load_inputs

PAGE = (Path(__file__).parents[3] / "docs" / "inputs.md").read_text()
CELLS = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.splitlines() if line.startswith("| ")]
ROWS = [cell.strip("`") for cell in CELLS if cell.startswith("`{")]


@pytest.mark.parametrize("row", ROWS)
def test_each_row_is_read(row: str, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(f"{row}\n{row}\n")
    said: list[str] = []
    assert len(load_inputs(path, on_note=said.append)) == 2
    assert said == []


def test_there_is_a_row_of_each_kind() -> None:
    assert len(ROWS) == 10


def test_the_mixes_are_read() -> None:
    found = [
        match.replace("\\|", "|")
        for match in re.findall(r"^\| (?:pairs|with deviations|in brackets|JSON) \| `(.*)` \|$", PAGE, re.M)
    ]
    assert len(found) == 4
    assert len({Lengths.parse(text).draw(9, 0)[0].tobytes() for text in found}) == 2  # two have the same deviations


def test_the_options_exist() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) - {"--repo-type", "--local-dir"}  # those of hf download
    known = {option for parameter in profile.params for option in parameter.opts}
    assert len(named) > 15
    assert named <= known


def test_the_known_datasets_are_named() -> None:
    for name, known in KNOWN.items():
        assert re.search(rf"^\| `{name}` \| {known.hub}", PAGE, re.M)
