"""Statistics of a trace: arrivals, lengths, prefix reuse, sessions."""

from .arrival_stats import Arrivals, arrivals
from .quantisation import Quantisation, quantile, quantisation
from .reuse import Reuse, reuse
from .session_shape import SessionShape, session_shape, session_units
from .trace_stats import BlockReuse, Lengths, TraceStats, stats

__all__ = [
    "Arrivals",
    "BlockReuse",
    "Lengths",
    "Quantisation",
    "Reuse",
    "SessionShape",
    "TraceStats",
    "arrivals",
    "quantile",
    "quantisation",
    "reuse",
    "session_shape",
    "session_units",
    "stats",
]
