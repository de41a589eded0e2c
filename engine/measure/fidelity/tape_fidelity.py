"""Fidelity of a tape: its recorded requests against its schedule, or against the plan computed anew from its trace."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .compare import Fidelity, Lengths, Reuse, lengths, order_violations, replay_fidelity

FIDELITY_COLUMNS: Final = (
    *("request_id", "phase", "outcome", "scheduled_ns", "sent_ns", "planned_input_tokens", "planned_output_tokens"),
    *("server_input_tokens", "server_output_tokens", "server_cached_tokens", "worker"),
)


def tape_fidelity(main: pa.Table, manifest: dict[str, Any]) -> Fidelity:
    """Compare the requests of a tape's main phase with the tape's own schedule.

    A turn is due when the turn before it has ended, so the order is that of due times; equal due times keep the plan's
    order. In a closed loop a request is due when a slot becomes free. Comparing send times with such due times would
    only repeat the lateness, so arrivals are not compared, and the order is that of each worker's rows.

    Args:
        main: FIDELITY_COLUMNS of the requests, by request_id.
        manifest: The tape's manifest; gives the plan's zero (`start_ns`) and the planned reuse
            (`plan.planned_reuse_tokens`).
    """
    order = np.argsort(main["scheduled_ns"].to_numpy(), kind="stable")
    found = _against(main, since_zero(main, manifest, "scheduled_ns"), order, manifest, _told_reuse(manifest))
    if not (manifest.get("load") or {}).get("concurrency"):
        return found
    # A worker may learn that a slot is free after it learns of a slot that became free later.
    sent = main.filter(pc.is_valid(main["sent_ns"]))
    left, workers = sent["sent_ns"].to_numpy(), sent["worker"].to_numpy()
    disorder = sum(order_violations(left[workers == one]) for one in np.unique(workers))
    return replace(found, planned=None, gaps=None, rates=(), order_violations=disorder)


def replanned_fidelity(
    main: pa.Table, manifest: dict[str, Any], due_ns: NDArray[np.int64], planned_reuse: Reuse | None
) -> Fidelity:
    """Compare a tape's requests with the plan computed anew from the trace: row i of the plan is request i of the tape.

    Args:
        main: As for `tape_fidelity`. Requests that a killed run lost may be missing and count as not sent.
        manifest: The tape's manifest; gives the plan's zero.
        due_ns: Due time of each request of the plan, since the plan's zero.
        planned_reuse: Prefix reuse of the plan.
    """
    missing = np.setdiff1d(np.arange(len(due_ns)), main["request_id"].to_numpy())
    lost = pa.table({"request_id": pa.array(missing, pa.int64()), "outcome": pa.array(["cancelled"] * len(missing))})
    whole = pa.concat_tables([main, lost], promote_options="default").sort_by("request_id")
    return _against(whole, due_ns, np.arange(len(due_ns)), manifest, planned_reuse)


def _against(
    main: pa.Table,
    planned_ns: NDArray[np.int64],
    order: NDArray[np.int64],
    manifest: dict[str, Any],
    planned_reuse: Reuse | None,
) -> Fidelity:
    ok = main.filter(pc.equal(main["outcome"], "ok"))
    return replay_fidelity(
        planned_ns[order],
        since_zero(main, manifest, "sent_ns")[order],
        pc.is_valid(main["sent_ns"]).to_numpy()[order],
        isl=_lengths(ok, "input_tokens"),
        osl=_lengths(ok, "output_tokens"),
        planned_reuse=planned_reuse,
        got_reuse=got_reuse(main),
    )


def since_zero(main: pa.Table, manifest: dict[str, Any], name: str) -> NDArray[np.int64]:
    """Return a column of times since the plan's zero, or since the first due time if the tape has no zero."""
    zero = manifest.get("start_ns")
    if not isinstance(zero, int):
        zero = pc.min(main["scheduled_ns"]).as_py() or 0
    times: NDArray[np.int64] = pc.fill_null(main[name], zero).to_numpy() - zero
    return times


def _lengths(ok: pa.Table, name: str) -> Lengths | None:
    planned, got = ok[f"planned_{name}"], ok[f"server_{name}"]
    known = pc.and_(pc.is_valid(planned), pc.is_valid(got))
    return lengths(planned.filter(known).to_numpy(), got.filter(known).to_numpy(), paired=True)


def _told_reuse(manifest: dict[str, Any]) -> Reuse | None:
    plan = manifest.get("plan")
    tokens = plan.get("planned_reuse_tokens") if isinstance(plan, dict) else None
    return None if tokens is None else Reuse(int(manifest["plan"]["input_tokens"]), int(tokens))


def got_reuse(main: pa.Table) -> Reuse | None:
    """Return the cached tokens that the server reported, over the requests with a report; None if there are none."""
    told = main.filter(pc.and_(pc.is_valid(main["server_cached_tokens"]), pc.is_valid(main["server_input_tokens"])))
    if not len(told):
        return None
    return Reuse(pc.sum(told["server_input_tokens"]).as_py(), pc.sum(told["server_cached_tokens"]).as_py())
