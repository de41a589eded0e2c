"""The load of a trace as a model: clients, each with its arrivals and lengths; fitted, read, and generated from.

After ServeGen (Xiang et al., 2025): the traffic of a service is a sum of clients, and what makes it bursty is how
each of them is, window by window.
"""

from .fit import fit
from .generate import generate
from .load_model import Client, Histogram, Lengths, LoadModel, Window, read_model, write_model

__all__ = [
    "Client",
    "Histogram",
    "Lengths",
    "LoadModel",
    "Window",
    "fit",
    "generate",
    "read_model",
    "write_model",
]
