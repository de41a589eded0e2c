"""Time to first token: from the schedule and from the send, as boxes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from ..boxes import draw_boxes, two_boxes
from ..plotted_tape import Run

TITLE: Final = "Time to first token, ms"


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if np.isfinite(run.times.ttft("send")).any() else "no request received a token"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    made, colours = two_boxes(runs, lambda run, basis: run.times.ttft(basis))
    return draw_boxes(figure, made, colours, "time to the first token, ms")
