"""A run with its progress shown, and its summary: what ``replay`` and ``profile`` do alike."""

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
    """Say something beside the results, on standard error."""
    click.echo(f"note: {text}", err=True)


def watched(out: Path, quiet: bool, run: Callable[[Callable[[Any], None]], T]) -> T | None:
    """Run with progress on standard error; None when the user ended it at once.

    Args:
        out: Where the tape will lie.
        quiet: No progress.
        run: Is given what to call with each Status.
    """
    try:
        with ProgressDisplay(quiet=quiet) as display:
            return run(display.show)
    except (Interrupted, KeyboardInterrupt):
        kept = f"; what was measured lies in {out}: tokentape recover {out}" if (out / JOURNAL).is_dir() else ""
        click.echo(f"stopped at once{kept}", err=True)
        return None


def summed_up(tape: "Tape", slos: Sequence["Slo"], max_failures: float) -> Summary:
    """The summary, written into the tape as well."""
    summary = summarize(tape, slos, max_failures=max_failures)
    try:
        write_summary_files(tape, summary)
    except OSError as error:
        # The tape is whole and what follows is printed all the same.
        note(f"the summary could not be written into {tape.path}: {error.strerror}")
    return summary
