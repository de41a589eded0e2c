"""Drawing the plots of tapes into a folder. Each plot is a module in ``kinds`` with the plot's name.

A plot's module has TITLE; `missing`, which returns why a run has nothing to draw; functions that compute
the arrays; and `draw`, which puts them into a figure and returns a line on the samples.
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
"""Names of the plots in display order: the five of GenAI-Perf, then our own."""

FORMATS: Final = ("png", "svg")

MOST_TAPES: Final = 6
"""Maximum number of tapes in one plot: the number of colours that everyone can distinguish."""


def draw_plots(
    tapes: Sequence["Tape"],
    directory: Path,
    *,
    formats: Sequence[str] = FORMATS,
    only: Sequence[str] | None = None,
    slos: Sequence["Slo"] = (),
    on_note: Callable[[str], None] = lambda note: None,
) -> list[Path]:
    """Draw the plots of tapes; several tapes are overlaid, or below each other, in each plot.

    The same tapes and version of matplotlib give the same bytes. Events are read in batches, so memory does not grow
    with the tape.

    Args:
        tapes: Sealed tapes, 1 to MOST_TAPES.
        directory: Output folder, created if missing; files of the same names are replaced.
        formats: Formats from FORMATS.
        only: Names from PLOTS; None: all plots that have data.
        slos: Objectives; the per-request ones (ttft:300ms) give the goodput over time.
        on_note: Called for each omitted plot with the reason.

    Returns:
        The files, NAME.FORMAT, in the order of PLOTS.

    Raises:
        UserError: matplotlib is missing, a name or format is unknown, there are too many tapes, or the folder
            cannot be written.
    """
    wanted = PLOTS if only is None else tuple(only)
    for name in wanted:
        if name not in PLOTS:
            raise UserError(f"{name!r} is not a plot; the plots are {', '.join(PLOTS)}")
    for format_ in formats:
        if format_ not in FORMATS:
            raise UserError(f"{format_!r} is not a format of plots; the formats are {', '.join(FORMATS)}")
    if not 1 <= len(tapes) <= MOST_TAPES:
        raise UserError(f"{len(tapes)} tapes; one plot holds 1 to {MOST_TAPES}")
    from .page import save
    from .plotted_tape import runs_of

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: cannot be created ({error.strerror}); choose another folder") from None
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
