"""Tokentape replays recorded LLM traffic against a server and stamps every token as it arrives.

    import tokentape

    tape = tokentape.replay("conversation_trace.jsonl", "run.tape", url="http://127.0.0.1:8000", speed=4)
    tape.requests, tape.events   # pyarrow tables: one row per request, one per streamed event
    tape.summary()               # latencies and rates, and a verdict on the measurement itself
    tokentape.open("run.tape")   # the same tape, later

Importing this package loads nothing heavy: each function imports what it needs.
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokentape.engine.measure.measured import MeasuredTape

__all__ = ["__version__", "open", "replay", "sample_trace"]

__version__ = "0.1.0"


def open(path: str | PathLike[str]) -> "MeasuredTape":
    """A sealed tape, with ``.requests`` and ``.events`` (pyarrow tables), ``.manifest`` and ``.summary()``.

    Raises:
        tokentape.engine.errors.UserError: It is no tape, not sealed, damaged, or of a newer version.
    """
    from tokentape.engine.measure.measured import open_measured

    return open_measured(Path(path))


def replay(trace: str | PathLike[str], out: str | PathLike[str], **options: Any) -> "MeasuredTape":
    """Replay a trace file against a server, or against the simulator, and write the tape.

    Args:
        trace: Any recorded trace of a known format.
        out: The tape's folder; it must not exist.
        **options: The fields of ``tokentape.engine.run.options.ReplayOptions``, as in ``url``, ``speed``, ``model``,
            ``endpoint``. Without a ``url`` the simulator is started for the run.

    Returns:
        The sealed tape: a row for every request of the plan, whatever became of it.

    Raises:
        TypeError: An unknown option.
        tokentape.engine.errors.UserError: An option, the server or the output folder will not do.
        tokentape.traces.errors.TraceError: The trace cannot be read.
    """
    from tokentape.engine.run.options import ReplayOptions
    from tokentape.engine.run.replay import replay as replay_trace

    return open(replay_trace(Path(trace), Path(out), ReplayOptions(**options)).path)


def sample_trace() -> Path:
    """The trace that comes with the package: synthetic, in Mooncake's format, with shared prefixes."""
    from tokentape.traces import sample_path

    return sample_path()
