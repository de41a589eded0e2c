"""Running with a progress display, and summarizing: code that ``replay`` and ``profile`` share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...measure.summary import Summary, summarize
from ...report.summary_export import write_summary_files
from ...run.controller import Interrupted
from ...tape.journal import JOURNAL
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from ...measure.slo import Slo
    from ...tape.read import Tape

EXIT_INTERRUPTED = 130
T = TypeVar("T")


def note(text: str) -> None:
    """Print a note on standard error."""
    click.echo(f"note: {text}", err=True)


def watched(out: Path, quiet: bool, run: Callable[[Callable[[Any], None]], T]) -> T | None:
    """Run with progress on standard error. Return None if the user stopped the run at once.

    Args:
        out: Path of the new tape.
        quiet: Show no progress.
        run: Function that runs; its argument is a function to call with each Status.
    """
    try:
        with ProgressDisplay(quiet=quiet) as display:
            return run(display.show)
    except (Interrupted, KeyboardInterrupt):
        kept = f"; to keep what was measured, run: tokentape recover {out}" if (out / JOURNAL).is_dir() else ""
        click.echo(f"stopped at once{kept}", err=True)
        return None


def summed_up(tape: "Tape", slos: Sequence["Slo"], max_failures: float) -> Summary:
    """Summarize a tape, write the summary into the tape, and return it."""
    summary = summarize(tape, slos, max_failures=max_failures)
    try:
        write_summary_files(tape, summary)
    except OSError as error:
        # The tape is complete, so the summary is still printed.
        note(f"the summary could not be written into {tape.path}: {error.strerror}")
    return summary
