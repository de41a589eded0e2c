"""``tokentape plot`` on the command line."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tokentape.engine.cli import plot as verb
from tokentape.engine.report.plots import PLOTS
from tokentape.engine.simulate.simulator import Simulator
from tokentape.engine.tape.read import Tape

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tape(simulator: Callable[..., Simulator], small_trace: Callable[..., Path], replayed: Callable[..., Tape]) -> Tape:
    """A run of 30 requests against the simulator."""
    return replayed(small_trace(30), simulator().url, out="run.tape")


def test_a_tape_is_drawn_into_its_folder_and_the_files_are_printed(tape: Tape, run_cli: Cli) -> None:
    done = run_cli("plot", tape.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(tape.path / "plots" / f"{name}.png") for name in PLOTS]
    assert all(Path(line).is_file() for line in done.stdout.split())


def test_several_tapes_options_and_what_is_left_out(tape: Tape, run_cli: Cli, tmp_path: Path) -> None:
    words = ["--format", "both", "--only", "latency_cdf", "--slo", "ttft:30ms", "-o", "pictures"]
    done = run_cli("plot", tape.path, tape.path, *words)
    assert done.returncode == 0
    assert done.stdout.split() == ["pictures/latency_cdf.png", "pictures/latency_cdf.svg"]
    assert (tmp_path / "pictures" / "latency_cdf.svg").is_file()


def test_mistakes_are_told(tape: Tape, run_cli: Cli) -> None:
    unknown = run_cli("plot", tape.path, "--only", "nothing")
    assert unknown.returncode == 2
    assert "'nothing' is not a plot; the plots are input_output_lengths" in unknown.stderr
    assert run_cli("plot", "nowhere").returncode == 2
    whole = run_cli("plot", tape.path, "--slo", "ttft:p99:300ms")
    assert whole.returncode == 2
    assert "a plot shows only objectives for each request; write ttft:300ms" in whole.stderr


def test_the_help_names_every_plot() -> None:
    text = " ".join((verb.plot.help or "").split())
    assert ", ".join(PLOTS) in text


def test_a_report_lies_in_the_tape_and_has_the_summarys_exit_code(tape: Tape, run_cli: Cli) -> None:
    done = run_cli("report", tape.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(tape.path / "report.html")
    assert (tape.path / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert run_cli("summarize", tape.path).returncode == 0  # the tape is as good as before
