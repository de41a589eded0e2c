"""Samples that ``trace diff`` compares: recorded requests, or the plan of a replay recomputed from the trace."""

from typing import Any

from ....traces.stats.planned_reuse import planned_reuse
from ....traces.table import Trace
from ...errors import UserError
from ...measure.fidelity.compare import Fidelity, Reuse
from ...measure.fidelity.tape_fidelity import FIDELITY_COLUMNS, replanned_fidelity, tape_fidelity
from ...measure.fidelity.unpaired import TrafficSample
from ...plan import make_plan
from ...tape.read import Tape


def sample_of_trace(trace: Trace) -> TrafficSample:
    """Return the recorded requests as one side of a comparison."""
    table = trace.table
    return TrafficSample(
        table["arrival_ns"].to_numpy(),
        table["input_tokens"].to_numpy(),
        table["output_tokens"].to_numpy(),
        reuse_of(trace),
    )


def reuse_of(trace: Trace) -> Reuse | None:
    """Return the planned prefix reuse of a trace in tokens, or None if it has no block ids."""
    found = planned_reuse(trace)
    return None if found is None else Reuse(found.tokens, found.hit_tokens)


def replayed(trace: Trace, tape: Tape) -> Fidelity | None:
    """Compare a tape with the trace that it was replayed from, by the options in its manifest.

    With closed or hybrid sessions, later turns have no planned time, so the schedule on the tape is used.

    Returns:
        The comparison, or None if the tape was made from another trace, or from no trace.

    Raises:
        UserError: The options in the manifest give another number of requests than the tape has.
    """
    recorded: Any = tape.manifest.get("trace") or {}
    options: Any = tape.manifest.get("options") or {}
    if recorded.get("sha256") != trace.digest:
        return None
    requests = tape.read("requests", FIDELITY_COLUMNS).sort_by("request_id")
    if options.get("sessions", "open") != "open":
        return tape_fidelity(requests, tape.manifest)
    plan = make_plan(
        trace,
        start_ns=options.get("start_ns"),
        end_ns=options.get("end_ns"),
        limit_rows=options.get("limit"),
        speed_factor=options.get("speed", 1),
    )
    if len(plan) != tape.manifest["plan"]["rows"]:
        raise UserError(
            f"{tape.path}: its plan had {tape.manifest['plan']['rows']:,} requests, but {trace.source} with the same "
            f"options has {len(plan):,}. Was the trace read with --skip-bad-rows or another --trace-format?"
        )
    return replanned_fidelity(requests, tape.manifest, plan.due_ns, reuse_of(plan.trace))
