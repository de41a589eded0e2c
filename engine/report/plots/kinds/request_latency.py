"""Request latency: from the schedule and from the send to the last token, as boxes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from ..boxes import draw_boxes, two_boxes
from ..plotted_tape import Run

TITLE: Final = "Request latency, ms"


def missing(run: Run) -> str | None:
    """Return why a run has nothing to draw, or None."""
    return None if np.isfinite(run.times.e2e("send")).any() else "no request succeeded"


def draw(figure: Figure, runs: Sequence[Run]) -> str:
    """Draw the plot; return a line on the samples."""
    made, colours = two_boxes(runs, lambda run, basis: run.times.e2e(basis))
    return draw_boxes(figure, made, colours, "time to the last token (or the last byte), ms")
