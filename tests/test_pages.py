"""The documentation's examples: what is marked ``runnable`` is run, and every command's options exist.

A fenced block of the language ``console`` has one mark after the language:

    runnable       its commands are run, in the order of the page
    server         its command serves until it is interrupted: it is started, waited for, and interrupted
    real-server    it needs something that tests do not have: a real server, a package index, a recorded trace

Blocks of ``python`` and ``sql`` are run where they are marked ``runnable``. Commands run in a folder of their page, in
which a few files lie already (`prepared`), and a simulated server answers at the addresses that pages use.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import duckdb
import pytest
import tokentape
from completed_runs import assert_completed
from tokentape.engine.cli.main import cli
from tokentape.engine.simulate.simulator import Simulator, SimulatorConfig

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
MARKS = {"runnable", "server", "real-server"}
SERVERS = re.compile(r"http://127\.0\.0\.1:(?:8000|9000)")
"""Addresses at which pages find a server."""

PATIENCE_S = 120


class Block(NamedTuple):
    """A fenced block of Markdown."""

    language: str
    marks: frozenset[str]
    body: str

    def commands(self) -> list[str]:
        """Return the lines after a ``$``, with those that a backslash continues."""
        lines = self.body.replace("\\\n", " ").splitlines()
        return [line[2:] for line in lines if line.startswith("$ ")]


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", page.read_text(), re.M | re.S)
    return [Block(language, frozenset(rest.split()), body) for language, rest, body in found]


def name_of(page: Path) -> str:
    """Return a page's path from the root of the repository."""
    return str(page.relative_to(ROOT))


RUNNABLE = [page for page in PAGES if any(block.marks & {"runnable", "server"} for block in blocks_of(page))]
COMMANDS = [
    (name_of(page), command)
    for page in PAGES
    for block in blocks_of(page)
    if block.language == "console"
    for command in block.commands()
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that pages name without making them: traces, and the tapes of two short runs."""
    folder = tmp_path_factory.mktemp("prepared")
    sample = tokentape.sample_trace()
    shutil.copy(sample, folder / "conversation_trace.jsonl")
    rows = [f"2023-11-16 18:17:{second:02}.9799600,{480 + second},{10 + second % 7}" for second in range(60)]
    (folder / "AzureLLMInferenceTrace_code.csv").write_text(
        "\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows, ""])
    )
    (folder / "prompts.jsonl").write_text('{"text": "What is a tape?"}\n{"text": "And a trace?"}\n')
    for name in ("old.tape", "new.tape", "run.tape", "prod.tape"):
        tokentape.replay(sample, folder / name, speed=50, limit=40)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose ``tokentape`` and ``python`` are those under test."""
    programs = tmp_path_factory.mktemp("bin")
    for name, arguments in (("tokentape", "-m tokentape.engine.cli.main "), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments}"$@"\n')
        program.chmod(0o755)
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    return os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "COLUMNS": "80"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a simulated server."""
    simulator = Simulator(SimulatorConfig(ttft="5ms", itl="1ms"))
    simulator.start()
    yield simulator.url
    simulator.stop()


def run_steps(steps: list[list[str]], folder: Path, environment: dict[str, str]) -> str:
    """Run commands one after the other; each must complete its run. Return all that they printed."""
    printed = ""
    for step in steps:
        done = subprocess.run(
            step, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert_completed(done.returncode, folder, f"{step[-1]}\n{done.stdout}{done.stderr}")
        assert "Traceback" not in done.stderr, done.stderr
        printed += done.stdout
    return printed


def serve_and_interrupt(command: str, folder: Path, environment: dict[str, str]) -> None:
    """Start a command that serves, wait until it says that it listens, and interrupt it; it must end with 0."""
    command = re.sub(r"--port \d+", "--port 0", re.sub(r"--listen (\S+):\d+", r"--listen \1:0", command))
    process = subprocess.Popen(
        ["sh", "-c", f"exec {command}"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )
    watchdog = threading.Timer(PATIENCE_S, process.kill)
    watchdog.start()
    try:
        assert process.stderr is not None
        said = ""
        while not re.search(r"listening on|127\.0\.0\.1:\d+", said):
            line = process.stderr.readline()
            assert line, f"{command} ended: {said}"
            said += line
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate()
        assert process.returncode == 0, f"{command}\n{said}{rest}"
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()


def run_block(block: Block, folder: Path, environment: dict[str, str], server: str) -> str:
    """Run a block as it stands, with the pages' addresses of servers replaced. Return what it printed."""
    body = SERVERS.sub(server, block.body)
    if block.language == "python":
        return run_steps([[sys.executable, "-W", "error", "-c", body]], folder, environment)
    if block.language == "sql":
        with duckdb.connect() as connection:
            connection.execute(f"SET file_search_path = '{folder}'")
            return str(connection.sql(body))
    commands = [SERVERS.sub(server, command) for command in block.commands()]
    assert commands, "a console block without a command"
    if "server" in block.marks:
        for command in commands:
            serve_and_interrupt(command, folder, environment)
        return ""
    return run_steps([["sh", "-c", command] for command in commands], folder, environment)


VERDICT = re.compile(r"^(?:VALID|DEGRADED|INVALID)$(?:\n.+)*", re.M)


def first_words(text: str) -> set[str]:
    """Return what the lines before the verdict begin with; the verdict differs from machine to machine."""
    return {line.split()[0] for line in VERDICT.sub("", text).splitlines() if line[:1].isalpha()}


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_the_examples_of_a_page_run(
    page: Path, prepared: Path, environment: dict[str, str], server: str, tmp_path: Path
) -> None:
    """A text block right after a command shows its output: the figures differ from run to run, the lines do not."""
    folder = tmp_path / "page"
    shutil.copytree(prepared, folder)
    made = set(re.findall(r"(?:-o|--out) (\S+)", page.read_text()))
    for name in made & {path.name for path in folder.iterdir()}:
        shutil.rmtree(folder / name)
    blocks = blocks_of(page)
    for number, block in enumerate(blocks):
        if not block.marks & {"runnable", "server"}:
            continue
        printed = run_block(block, folder, environment, server)
        shown = blocks[number + 1] if number + 1 < len(blocks) else None
        if shown is not None and shown.language == "text" and "output" in shown.marks:
            assert first_words(shown.body) <= first_words(printed)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_of_a_page_is_run_or_says_what_it_needs(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "console":
            assert len(block.marks & MARKS) == 1, (
                f"mark this block with one of {', '.join(sorted(MARKS))}:\n{block.body}"
            )
        elif block.language in ("text", "bash", "sh", "shell"):
            assert not re.search(r"^\$? ?tokentape ", block.body, re.M) or block.language == "text", block.body
    if page.parent.name != "formats":  # their commands are run by the tests of the formats
        assert not re.search(r"^ {4,}\$? ?tokentape ", page.read_text(), re.M), "write commands in a console block"


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that words call, and the words that are left."""
    command: click.Command = cli
    while isinstance(command, click.Group):
        below = command.get_command(click.Context(command), words[0])
        assert below is not None, f"no command {words[0]!r}"
        command, words = below, words[1:]
    return command, words


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_the_options_of_a_command_exist(page: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] != "tokentape" or words[1].startswith("-"):
        return
    found, words = command_of(words[1:])
    options = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in options | {"--help"}, f"{page}: {word}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
