"""Tokentape replays recorded LLM traffic against a server and stamps every token as it arrives.

    import tokentape

    tape = tokentape.replay("conversation_trace.jsonl", "run.tape", url="http://127.0.0.1:8000", speed=4)
    tape.requests, tape.events   # pyarrow tables: one row per request, one per streamed event
    tape.summary()               # latencies and rates, and a verdict on the measurement itself
    tokentape.open("run.tape")   # the same tape, later
    tokentape.profile("load.tape", urls=["http://127.0.0.1:8000"], pace={"concurrency": 8, "count": 200})

Importing this package loads nothing heavy: each function imports what it needs.
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokentape.tape import MeasuredTape

__all__ = ["__version__", "open", "profile", "replay", "sample_trace"]

__version__ = "0.1.0"


def open(path: str | PathLike[str]) -> "MeasuredTape":
    """A sealed tape, with ``.requests`` and ``.events`` (pyarrow tables), ``.manifest`` and ``.summary()``.

    Raises:
        tokentape.engine.errors.UserError: It is no tape, not sealed, damaged, or of a newer version.
    """
    from tokentape.tape import open_measured

    return open_measured(Path(path))


def replay(trace: str | PathLike[str], out: str | PathLike[str], **options: Any) -> "MeasuredTape":
    """Replay a trace file against a server, or against the simulator, and write the tape.

    Args:
        trace: Any recorded trace of a known format.
        out: The tape's folder; it must not exist.
        **options: The fields of ``tokentape.engine.workloads.options.ReplayOptions``, as in ``url``, ``speed``,
            ``model``, ``endpoint``. Without a ``url`` the simulator is started for the run.

    Returns:
        The sealed tape: a row for every request of the plan, whatever became of it.

    Raises:
        TypeError: An unknown option.
        tokentape.engine.errors.UserError: An option, the server or the output folder will not do.
        tokentape.traces.errors.TraceError: The trace cannot be read.
    """
    from tokentape.engine.workloads.options import ReplayOptions
    from tokentape.engine.workloads.replay_run import replay as replay_trace

    return open(replay_trace(Path(trace), Path(out), ReplayOptions(**options)).path)


def profile(out: str | PathLike[str], **options: Any) -> "MeasuredTape":
    """Send prepared requests to a server, or to the simulator, at a rate or a concurrency, and write the tape.

    Args:
        out: The tape's folder; it must not exist.
        **options: The fields of ``tokentape.engine.workloads.options.ProfileOptions``, as in ``urls``, ``models``,
            ``endpoint``; ``pace`` is a ``tokentape.engine.plan.Pace``, or a dict of its fields, ``inputs`` likewise an
            ``InputOptions``. Without ``urls`` the simulator is started for the run.

    Returns:
        The sealed tape.

    Raises:
        TypeError: An unknown option.
        tokentape.engine.errors.UserError: An option, the server or the output folder will not do.
        tokentape.traces.errors.TraceError: Inputs cannot be read.
    """
    from tokentape.engine.plan import Pace
    from tokentape.engine.workloads.options import InputOptions, ProfileOptions
    from tokentape.engine.workloads.profile_run import profile as run_profile

    for name, kind in (("pace", Pace), ("inputs", InputOptions)):
        if isinstance(options.get(name), dict):
            options[name] = kind(**options[name])
    urls = options.get("urls") or ()
    options.setdefault("url", urls[0] if urls else None)
    return open(run_profile(Path(out), ProfileOptions(**options)).tape.path)


def sample_trace() -> Path:
    """The trace that comes with the package: synthetic, in Mooncake's format, with shared prefixes."""
    from tokentape.traces import sample_path

    return sample_path()
