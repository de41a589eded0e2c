"""The README's examples: the blocks marked ``runnable`` are run, and every command's options exist."""

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from tokentape.engine.cli.main import VERBS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


class Block(NamedTuple):
    """A fenced block of Markdown."""

    language: str
    runnable: bool
    body: str

    def commands(self) -> list[str]:
        """Lines after a ``$``, with those that a backslash continues."""
        lines = self.body.replace("\\\n", " ").splitlines()
        return [line[2:] for line in lines if line.startswith("$ ")]


BLOCKS = [
    Block(language, "runnable" in rest.split(), body)
    for language, rest, body in re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", TEXT, re.M | re.S)
]
COMMANDS = [command for block in BLOCKS if block.language == "console" for command in block.commands()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples run, one after the other."""
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose ``tokentape`` and ``python`` are those under test."""
    programs = tmp_path_factory.mktemp("bin")
    for name, arguments in (("tokentape", "-m tokentape.engine.cli.main "), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments}"$@"\n')
        program.chmod(0o755)
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    return os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_there_are_examples_to_run() -> None:
    assert {block.language for block in BLOCKS if block.runnable} == {"console", "python"}


def run(block: Block, folder: Path, env: dict[str, str]) -> str:
    """Run a block as it stands; every step must end with 0 and print something. Gives all that it printed."""
    if block.language == "python":
        steps = [[sys.executable, "-W", "error", "-c", block.body]]
    else:
        steps = [["sh", "-c", command] for command in block.commands()]
    assert steps
    printed = ""
    for step in steps:
        done = subprocess.run(step, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{step[-1]}\n{done.stdout}{done.stderr}"
        assert done.stdout, f"{step[-1]} printed nothing"
        assert "Traceback" not in done.stderr
        printed += done.stdout
    return printed


VERDICT = re.compile(r"^(?:VALID|DEGRADED|INVALID)$(?:\n.+)*", re.M)


def first_words(text: str) -> set[str]:
    """What the lines before the verdict begin with; the verdict is the machine's own."""
    return {line.split()[0] for line in VERDICT.sub("", text).splitlines() if line[:1].isalpha()}


def test_the_console_examples_print_what_is_shown(folder: Path, env: dict[str, str]) -> None:
    """The figures differ from run to run; the lines do not."""
    block, *others = [block for block in BLOCKS if block.runnable and block.language == "console"]
    printed = run(block, folder, env)
    for other in others:
        run(other, folder, env)
    assert VERDICT.search(printed)
    shown = next(block.body for block in BLOCKS[BLOCKS.index(block) :] if block.language == "text")
    assert "TTFT" in shown
    assert first_words(shown) <= first_words(printed)


def test_the_python_example_runs(folder: Path, env: dict[str, str]) -> None:
    (block,) = [block for block in BLOCKS if block.runnable and block.language == "python"]
    assert run(block, folder, env).strip() in ("VALID", "DEGRADED")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_options_exist(command: str) -> None:
    program, verb, *words = shlex.split(command)
    assert program == "tokentape"
    assert verb in VERBS
    known = getattr(import_module(f"tokentape.engine.cli.{verb}"), verb)
    assert isinstance(known, click.Command)
    options = {name for parameter in known.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in options


def test_what_it_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
