"""Help with groups and examples, suggestions in errors, output without arguments, shell completion."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tokentape.engine.cli.common.grouped_command import GroupedCommand
from tokentape.engine.cli.main import cli

Cli = Callable[..., subprocess.CompletedProcess[str]]


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that is not a group, with its full name."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*words, name))
    else:
        yield words, command


ALL = list(commands(cli))
IDS = [" ".join(words) for words, _ in ALL]


@pytest.mark.parametrize(("words", "command"), ALL, ids=IDS)
def test_every_command_has_examples_that_parse(words: tuple[str, ...], command: click.Command) -> None:
    assert isinstance(command, GroupedCommand)
    assert command.examples
    for what, line in command.examples:
        assert what.endswith(":")
        program, *typed = shlex.split(line)
        assert program == "tokentape"
        shown: click.Command = cli
        while isinstance(shown, click.Group):
            below = shown.get_command(click.Context(shown), typed.pop(0))
            assert below is not None
            shown = below
        shown.make_context(" ".join(words), typed)


@pytest.mark.parametrize(("words", "command"), ALL, ids=IDS)
@pytest.mark.parametrize("width", [80, 140])
def test_help_fits_the_terminal_and_says_what_each_option_does(
    words: tuple[str, ...], command: click.Command, width: int
) -> None:
    done = CliRunner().invoke(cli, [*words, "--help"], terminal_width=width)
    assert done.exit_code == 0
    examples = done.output.index("Examples:")
    assert max(map(len, done.output[:examples].splitlines())) <= width
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            assert param.help
            assert param.help[0].isupper() or param.help[0] in ".0123456789" or param.help.split(":")[0].islower()
            assert not [riddle for riddle in ("likewise", "So many", "so many", "Of the ") if riddle in param.help]


@pytest.mark.parametrize("verb", ["replay", "profile", "serve", "record"])
def test_the_five_most_used_options_come_first(verb: str) -> None:
    lines = CliRunner().invoke(cli, [verb, "--help"], terminal_width=140).output.splitlines()
    headings = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings[0] == "Most used:"
    start = lines.index("Most used:")
    section = lines[start + 1 : lines.index("", start)]
    assert len([line for line in section if line.lstrip().startswith("-")]) == 5
    assert "Options:" not in headings


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["replya", "x"], "No such command 'replya'. Did you mean 'replay'?"),
        (["trace", "stat", "x"], "No such command 'stat'. Did you mean 'stats'?"),
        (["zzz"], "No such command 'zzz'."),
        (["profile", "--concurency", "4"], "No such option '--concurency'. Did you mean '--concurrency'?"),
        (["replay", "t", "--anonymize"], "No such option '--anonymize'. It is an option of 'tokentape record'."),
        (["replay", "t", "--sessions", "close"], "Did you mean 'closed'?"),
        (["replay", "t", "--simulate", "--endpoint", "caht"], "Did you mean 'chat'?"),
    ],
)
def test_a_mistake_is_answered_with_the_nearest_word(run_cli: Cli, words: list[str], message: str) -> None:
    done = run_cli(*words)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_program_alone_shows_how_to_begin(run_cli: Cli) -> None:
    done = run_cli()
    assert done.returncode == 0
    assert "tokentape replay --sample --simulate" in done.stdout
    assert "tokentape --help" in done.stdout


COMPLETE = [
    ("tokentape re", {"replay", "report", "recover", "record"}),
    ("tokentape trace s", {"stats", "scale"}),
    ("tokentape replay --sess", {"--sessions"}),
    ("tokentape replay --sessions ", {"open", "closed", "hybrid"}),
]


@pytest.mark.parametrize(("line", "expected"), COMPLETE)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(run_cli: Cli, shell: str, line: str, expected: set[str]) -> None:
    words = line.split(" ")
    env = {"_TOKENTAPE_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    if shell == "fish":
        env["COMP_CWORD"] = words[-1]
    done = run_cli(env=env)
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in expected)


def test_bash_really_completes(tmp_path: Path, run_cli: Cli) -> None:
    """Run click's completion script in a separate bash; docs/completion.md has the line that loads it."""
    bash = shutil.which("bash")
    assert bash is not None
    script = run_cli(env={"_TOKENTAPE_COMPLETE": "bash_source"}).stdout
    program = tmp_path / "tokentape"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tokentape.engine.cli.main "$@"\n')
    program.chmod(0o755)
    (tmp_path / "load.sh").write_text(script)
    commands_ = """
    source load.sh
    COMP_WORDS=(tokentape trace s) COMP_CWORD=2 COMP_LINE="tokentape trace s"
    _tokentape_completion tokentape s trace
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    env = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    done = subprocess.run([bash, "-c", commands_], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"stats", "scale"}
