"""TraceLab's replay files (CC-BY-4.0): CSV of closed-loop sessions.

``session_id,round_idx,prefix_len,input_len,output_len,tool_wait_after_ms``, and ``arrival_time`` (ms) of the
session: a round's prompt is ``prefix_len`` tokens of the session so far and ``input_len`` new ones, and the next
round follows ``tool_wait_after_ms`` after its end. There are no other times: arrivals are the earliest possible
ones, those of a server that answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ..assembly.block_ids import BlockLists
from ..assembly.trace_builder import build_trace
from ..errors import TraceError
from ..graph.sessions import moved_parents, number_turns
from ..reading.csv_rows import records, require_columns, split_header
from ..reading.field_checks import BadField, BadRows, csv_number, csv_tokens, duration_ns, token_count
from ..reading.files import read_whole
from ..table import Trace

NAME = "tracelab"
ABOUT = "TraceLab's closed-loop sessions"
LOOKS = "CSV with session_id, round_idx, prefix_len, input_len, output_len, tool_wait_after_ms"
BLOCK_TOKENS = 16

_NEEDED = ("session_id", "round_idx", "prefix_len", "input_len", "output_len", "tool_wait_after_ms")
_ARRIVAL = "arrival_time"
_MS = 10**6
_NOTE = (
    "rounds follow each other in a closed loop: their arrivals are those of a server that answers at once; "
    "replay them with --sessions closed"
)


class _Round(NamedTuple):
    row: int
    number: int
    prefix: int
    tokens: int
    output: int
    wait_ns: int
    begin_ns: int


def matches(head: bytes, path: Path) -> bool:
    """Return whether the header is this format's."""
    del path
    names, _ = split_header(head)
    return set(_NEEDED[1:]) <= set(names)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out; the rounds of a session that come after one too.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    source = str(path)
    data, digest = read_whole(path)
    names, body = split_header(data)
    require_columns(source, names, _NEEDED)
    bad = BadRows(source, skip=skip_bad_rows, kind="column")
    sessions: dict[str, list[_Round]] = {}
    for number, fields in records(names, body):
        try:
            if isinstance(fields, BadField):
                raise fields
            session = fields["session_id"].strip()
            rounds = sessions.setdefault(session, [])
            one = _round(number, fields)
            if one.number != len(rounds):
                raise BadField(
                    "round_idx", f"is {one.number}, where session {session!r} has come to round {len(rounds)}"
                )
            rounds.append(one)
        except BadField as error:
            bad.add(number, error)
    sessions = {session: rounds for session, rounds in sessions.items() if rounds}
    notes = bad.notes(len(sessions))
    if not sessions:
        raise TraceError(source, "has a header and no records; a trace has one line per round")
    return _trace(source, digest, sessions, bad, (*notes, _NOTE))


def _round(number: int, fields: dict[str, str]) -> _Round:
    prefix, new, out = (csv_tokens(name, fields[name]) for name in _NEEDED[2:5])
    begin = fields.get(_ARRIVAL, "").strip()
    return _Round(
        row=number,
        number=csv_tokens("round_idx", fields["round_idx"]),
        prefix=prefix,
        tokens=token_count("input_len", prefix + new),
        output=out,
        wait_ns=duration_ns(_NEEDED[5], csv_number(_NEEDED[5], fields[_NEEDED[5]]), _MS),
        begin_ns=duration_ns(_ARRIVAL, csv_number(_ARRIVAL, begin), _MS) if begin else 0,
    )


def _trace(source: str, digest: str, sessions: dict[str, list[_Round]], bad: BadRows, notes: tuple[str, ...]) -> Trace:
    arrival: list[int] = []
    think: list[int | None] = []
    blocks = BlockLists()
    taken = 0
    for rounds in sessions.values():
        at, pause = rounds[0].begin_ns, None
        context: list[int] = []
        ids = []
        for one in rounds:
            arrival.append(at)
            think.append(pause)
            at, pause = at + one.wait_ns, one.wait_ns
            kept = context[: one.prefix // BLOCK_TOKENS]
            fresh = one.tokens // BLOCK_TOKENS - len(kept)
            context = [*kept, *range(taken, taken + fresh)]
            taken += fresh
            ids.append(context)
        blocks.add(ids)
    names = pa.array([session or None for session, rounds in sessions.items() for _ in rounds], pa.string())
    all_rounds = [one for rounds in sessions.values() for one in rounds]
    columns = np.array([(one.tokens, one.output, one.row) for one in all_rounds], np.int64)
    _, parent = number_turns(names, len(all_rounds))
    order = np.argsort(np.array(arrival, np.int64), kind="stable")
    taken_rows: Any = pa.array(order)
    optional = {"session_id": names, "think_ns": pa.array(think, pa.int64()), "block_ids": blocks.array(source)}
    return build_trace(
        source=source,
        format=NAME,
        digest=digest,
        arrival_ns=np.array(arrival, np.int64)[order],
        input_tokens=columns[order, 0],
        output_tokens=columns[order, 1],
        source_row=columns[order, 2],
        optional={name: column.take(taken_rows) for name, column in optional.items()},
        parent=moved_parents(parent, order),
        block_tokens=BLOCK_TOKENS,
        block_rounding="floor",
        notes=notes,
        bad=bad,
    )
