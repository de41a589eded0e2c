"""Draws the plots of tapes into a folder; each plot is a file of ``kinds``, named like it.

Such a file holds TITLE; `missing`, which says why a run has nothing to show there; functions that make
the arrays to be drawn; and `draw`, which puts them into a figure and says what the samples are.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...errors import UserError

if TYPE_CHECKING:
    from ...measure.slo import Slo
    from ...tape.read import Tape

PLOTS: Final = (
    "input_output_lengths",
    "request_latency",
    "time_to_first_token",
    "token_latency_by_position",
    "ttft_by_input_length",
    "timeline",
    "throughput",
    "latency_cdf",
    "lateness",
    "itl_by_position",
    "goodput",
)
"""The plots in their order: the five of GenAI-Perf, then ours."""

FORMATS: Final = ("png", "svg")

MOST_TAPES: Final = 6
"""In one plot: as many colours as can be told apart by everyone."""


def draw_plots(
    tapes: Sequence["Tape"],
    directory: Path,
    *,
    formats: Sequence[str] = FORMATS,
    only: Sequence[str] | None = None,
    slos: Sequence["Slo"] = (),
    on_note: Callable[[str], None] = lambda note: None,
) -> list[Path]:
    """Draws tapes; several of them are overlaid or stand below each other in each plot.

    The same tapes give the same bytes (with one version of matplotlib). Events are read in batches, never as a
    whole.

    Args:
        tapes: One to MOST_TAPES sealed tapes.
        directory: Made if need be; files of the same names are replaced.
        formats: Of FORMATS.
        only: Names of PLOTS; None draws all that have something to show.
        slos: Objectives; those of each request (ttft:300ms) make the goodput over time.
        on_note: Called with each plot that is left out, and why.

    Returns:
        The files, NAME.FORMAT, in the order of PLOTS.

    Raises:
        UserError: matplotlib is missing, a name or format is unknown, there are too many tapes, or the folder
            cannot be written.
    """
    wanted = PLOTS if only is None else tuple(only)
    for name in wanted:
        if name not in PLOTS:
            raise UserError(f"there is no plot {name!r}; the plots are {', '.join(PLOTS)}")
    for format_ in formats:
        if format_ not in FORMATS:
            raise UserError(f"{format_!r} is not a format of plots; they are {', '.join(FORMATS)}")
    if not 1 <= len(tapes) <= MOST_TAPES:
        raise UserError(f"{len(tapes)} tapes; one plot holds 1 to {MOST_TAPES}")
    from .page import save
    from .plotted_tape import runs_of

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: cannot be made ({error.strerror}); choose another folder") from None
    runs = runs_of(tapes, slos)
    files = []
    for name in (plot for plot in PLOTS if plot in wanted):
        plot = import_module(f".kinds.{name}", __package__)
        shown = []
        for run in runs:
            if reason := plot.missing(run):
                on_note(f"{name}: {run.name} is left out: {reason}" if len(runs) > 1 else f"{name}: {reason}")
            else:
                shown.append(run)
        if shown:
            files += save(plot.TITLE, plot.draw, shown, directory / name, formats)
    return files
