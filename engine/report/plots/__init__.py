"""Plots of tapes. Importing this package does not load matplotlib."""

from .draw import FORMATS, MOST_TAPES, PLOTS, draw_plots

__all__ = ["FORMATS", "MOST_TAPES", "PLOTS", "draw_plots"]
