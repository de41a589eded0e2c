"""The pages about formats: their examples are read, and every page is in the table."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from tokentape.engine.cli.replay import replay
from tokentape.engine.plan import make_plan
from tokentape.traces import TraceError, read
from tokentape.traces.model import generate, read_model

Write = Callable[[bytes | str], Path]

FOLDER = Path(__file__).parents[2] / "docs" / "formats"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
COMMAND = re.compile(r"^    tokentape replay (.*)$", re.MULTILINE)
EXAMPLE = re.compile(r"^```(?:jsonl?|csv)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if EXAMPLE.search(page.read_text())], ids=lambda page: page.stem
)
def test_the_example_of_a_page_is_of_its_format(write: Write, page: Path) -> None:
    example = EXAMPLE.search(page.read_text())
    assert example is not None
    assert read(write(example[1])).format == page.stem


@pytest.mark.parametrize(
    "page", [page for page in PAGES if EXAMPLE.search(page.read_text())], ids=lambda page: page.stem
)
def test_the_commands_of_a_page_can_be_run_on_its_example(write: Write, page: Path) -> None:
    example = EXAMPLE.search(page.read_text())
    assert example is not None
    path = write(example[1])
    commands = [shlex.split(line) for line in COMMAND.findall(page.read_text())]
    assert commands
    for words in commands:
        given = replay.make_context("replay", [str(path), *words[1:]]).params
        plan = make_plan(read(path), sessions=given["sessions"], speed_factor=given["speed"], limit_rows=given["limit"])
        assert (plan.parent is None) == (given["sessions"] == "open")


def test_the_example_of_servegen_s_page_is_a_model(tmp_path: Path) -> None:
    page = (FOLDER / "servegen.md").read_text()
    windows, lengths = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "chunk-0-trace.csv").write_text(windows)
    (tmp_path / "chunk-0-dataset.json").write_text(lengths)
    trace = generate(read_model(tmp_path), duration_ns=1_200 * 10**9, rate_rps=2, seed=1)
    assert 2_000 < len(trace) < 2_800
    early = trace.table["arrival_ns"].to_numpy() < 600 * 10**9
    assert set(trace.table["input_tokens"].to_numpy()[early]) == {45, 46}
    assert set(trace.table["output_tokens"].to_numpy()[~early]) == {120}
    with pytest.raises(TraceError, match="tokentape trace generate"):
        read(tmp_path)


def test_pages_name_a_command_and_are_in_the_table() -> None:
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (FOLDER / "README.md").read_text())
    assert sorted(listed) == [page.stem for page in PAGES]
    for page in PAGES:
        assert "\n    tokentape replay " in page.read_text()
