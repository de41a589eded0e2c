"""Pictures of tapes: what is drawn, and the one function that draws it. Importing this loads nothing heavy."""

from .draw import FORMATS, MOST_TAPES, PLOTS, draw_plots

__all__ = ["FORMATS", "MOST_TAPES", "PLOTS", "draw_plots"]
