"""Plots, one module each, named like the file that it writes."""
