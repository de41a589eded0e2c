"""Tokentape replays recorded LLM traffic against a server and stamps every token as it arrives.

    import tokentape

    tape = tokentape.replay("conversation_trace.jsonl", "run.tape", url="http://127.0.0.1:8000", speed=4)
    tape.requests, tape.events  # pyarrow tables: one row per request, one per streamed event
    tape.to_pandas()            # or to_polars(), or sql("select …")
    tape.summary()              # latencies and rates, and a verdict on the measurement itself
    tokentape.open("run.tape")  # the same tape, later
    tokentape.profile("load.tape", url="http://127.0.0.1:8000", concurrency=8, duration="30s")

Durations are texts as in "50ms", "2s" or "1m", or `datetime.timedelta` objects. A number without a unit is
refused. Values that cannot be used raise `UserError`; traces that cannot be read raise `TraceError`.

Importing this package loads nothing heavy: each function imports what it needs. The classes are in
``tokentape.tape`` and ``tokentape.trace``. Reference: docs/python.md.
"""

from tokentape._profile import profile
from tokentape._record import Recording, record
from tokentape._replay import replay
from tokentape._serve import SimulatedServer, serve
from tokentape._tapes import export, open, plot, read_trace, sample_trace, summarize
from tokentape.engine.errors import UserError
from tokentape.traces.errors import TraceError

__all__ = [
    "Recording",
    "SimulatedServer",
    "TraceError",
    "UserError",
    "__version__",
    "export",
    "open",
    "plot",
    "profile",
    "read_trace",
    "record",
    "replay",
    "sample_trace",
    "serve",
    "summarize",
]

__version__ = "0.1.0"
