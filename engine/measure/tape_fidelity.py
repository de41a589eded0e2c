"""The fidelity of a tape: its schedule, or the plan made again from its trace, against what it recorded."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .fidelity import Fidelity, Lengths, Reuse, lengths, replay_fidelity

FIDELITY_COLUMNS: Final = (
    *("request_id", "phase", "outcome", "scheduled_ns", "sent_ns", "planned_input_tokens", "planned_output_tokens"),
    *("server_input_tokens", "server_output_tokens", "server_cached_tokens"),
)


def tape_fidelity(main: pa.Table, manifest: dict[str, Any], planned_ns: NDArray[np.int64] | None = None) -> Fidelity:
    """What the requests of a tape's main phase say.

    Args:
        main: FIDELITY_COLUMNS of the requests, by request_id.
        manifest: Lends the plan's zero (`start_ns`) and the planned reuse (`plan.planned_reuse_tokens`).
        planned_ns: When each request was due, since the plan's zero; None: as scheduled on the tape.
    """
    scheduled = main["scheduled_ns"].to_numpy()
    zero = manifest.get("start_ns")
    if not isinstance(zero, int):
        zero = int(scheduled.min()) if len(scheduled) else 0
    ok = main.filter(pc.equal(main["outcome"], "ok"))
    return replay_fidelity(
        scheduled - zero if planned_ns is None else planned_ns,
        pc.fill_null(main["sent_ns"], zero).to_numpy() - zero,
        pc.is_valid(main["sent_ns"]).to_numpy(),
        isl=_lengths(ok, "input_tokens"),
        osl=_lengths(ok, "output_tokens"),
        planned_reuse=_planned_reuse(manifest),
        got_reuse=_got_reuse(main),
    )


def _lengths(ok: pa.Table, name: str) -> Lengths | None:
    planned, got = ok[f"planned_{name}"], ok[f"server_{name}"]
    known = pc.and_(pc.is_valid(planned), pc.is_valid(got))
    return lengths(planned.filter(known).to_numpy(), got.filter(known).to_numpy(), paired=True)


def _planned_reuse(manifest: dict[str, Any]) -> Reuse | None:
    plan = manifest.get("plan")
    tokens = plan.get("planned_reuse_tokens") if isinstance(plan, dict) else None
    return None if tokens is None else Reuse(int(manifest["plan"]["input_tokens"]), int(tokens))


def _got_reuse(main: pa.Table) -> Reuse | None:
    told = main.filter(pc.and_(pc.is_valid(main["server_cached_tokens"]), pc.is_valid(main["server_input_tokens"])))
    if not len(told):
        return None
    return Reuse(pc.sum(told["server_input_tokens"]).as_py(), pc.sum(told["server_cached_tokens"]).as_py())
