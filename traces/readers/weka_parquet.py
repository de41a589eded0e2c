"""Weka's 710 coding-agent sessions as one Parquet file: a row per request, ``agent_path`` naming its subagent.

``trace_id, agent_path, t_s, type, model, input_length, output_length, api_time_s, think_time_s, ttft_s, stop,
hash_ids``. A subagent's ``t_s`` counts from its own start, which is not recorded; its rows stand after the request
that launched it, so it is taken to start when that one ends. Ids belong to their ``trace_id``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..assembly.block_ids import INT32_MAX, due_blocks, list_array, wrong_count
from ..assembly.trace_builder import build_trace
from ..errors import TraceError
from ..graph.sessions import follow_streams, moved_parents, session_codes
from ..reading.parquet_columns import ParquetTrace, parquet_names
from ..table import Trace
from .weka import session_notes

NAME = "weka-parquet"
ABOUT = "Weka's sessions of coding agents, as one table"
PAGE = "weka"
LOOKS = "Parquet with trace_id, agent_path, t_s, input_length, output_length, hash_ids"
BLOCK_TOKENS = 64

_NEEDED = ("trace_id", "t_s", "input_length", "output_length", "hash_ids")
_OPTIONAL = ("agent_path", "api_time_s", "think_time_s", "model")
_S = 10**9
_BATCH_ROWS = 512


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file is Parquet with these columns."""
    return set(_NEEDED) <= set(parquet_names(head, path))


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format.

    Args:
        path: The file.
        skip_bad_rows: Has no effect: a session with a missing row cannot be replayed.

    Raises:
        TraceError: The file cannot be read, or a row is bad.
    """
    del skip_bad_rows
    file = ParquetTrace(path, _NEEDED, _OPTIONAL, streamed=("hash_ids",))
    source = file.source
    tokens, out = file.tokens("input_length"), file.tokens("output_length")
    relative = file.times("t_s", _S)
    api = file.times("api_time_s", _S, nullable=True)
    think = file.times("think_time_s", _S, nullable=True)
    session = session_codes(file.texts("trace_id"))
    if (session < 0).any():
        raise TraceError(
            source, "is null; each row has a session", row=int(np.argmin(session)) + 1, field="trace_id", kind="column"
        )
    stream, launched_by, start = _streams(session, file.texts("agent_path"), relative, api)
    parent, think = follow_streams(stream, launched_by, start, np.where(api < 0, -1, start + api), think, _S)
    order = np.argsort(start, kind="stable")
    blocks = _blocks(source, file, session, tokens, order)
    taken: Any = pa.array(order)
    think = think[order]
    return build_trace(
        source=source,
        format=NAME,
        digest=file.digest,
        arrival_ns=start[order],
        input_tokens=tokens[order],
        output_tokens=out[order],
        source_row=order + 1,
        optional={
            "session_id": file.texts("trace_id").take(taken),
            "model": file.texts("model").take(taken),
            "think_ns": pa.array(think, pa.int64(), mask=think < 0),
            "block_ids": blocks,
        },
        parent=moved_parents(parent, order),
        block_tokens=BLOCK_TOKENS,
        block_rounding="floor",
        notes=session_notes(int(session.max()) + 1, stream, launched_by),
    )


def _streams(
    session: NDArray[np.int64], agent: Any, relative: NDArray[np.int64], api: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """A number for each agent of each session, who launched it, and all starts on the session's clock."""
    paths = agent.fill_null("").to_pylist()
    number: dict[tuple[int, str], int] = {}
    begin: list[int] = []
    last: list[int] = []  # the latest row of each stream
    stream = np.zeros(len(session), np.int64)
    launched_by = np.full(len(session), -1, np.int64)
    start = relative.copy()
    for row, key in enumerate(zip(session.tolist(), paths, strict=True)):
        code = number.get(key)
        if code is None:
            code = number[key] = len(number)
            outer = number.get((key[0], key[1].rpartition("/")[0])) if key[1] else None
            if outer is None:
                begin.append(0)
            else:
                launcher = last[outer]
                begin.append(int(start[launcher] + max(0, api[launcher])))
                launched_by[row] = outer
            last.append(row)
        stream[row] = code
        start[row] += begin[code]
        last[code] = row
    return stream, launched_by, start


def _blocks(
    source: str, file: ParquetTrace, session: NDArray[np.int64], tokens: NDArray[np.int64], order: NDArray[np.int64]
) -> Any:
    """The block ids in a new order of rows, those of each session moved to a range of their own.

    There are 94 million in the public file, so that each is written to its place at once and held no second time.
    """
    due = due_blocks(tokens, BLOCK_TOKENS, "floor")
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(due[order]) - due[order]
    if int(due.sum()) > INT32_MAX:
        raise TraceError(
            source, "has more than 2,147,483,647 block ids; split the file", field="hash_ids", kind="column"
        )
    moved = np.empty(int(due.sum()), np.int32)
    most = np.zeros(int(session.max()) + 1, np.int64)
    row = 0
    for lengths, ids in file.list_batches("hash_ids", _BATCH_ROWS):
        rows = slice(row, row + len(lengths))
        wrong = np.maximum(lengths, 0) != due[rows]
        if wrong.any():
            bad = row + int(np.argmax(wrong))
            problem = wrong_count(max(0, int(lengths[bad - row])), int(tokens[bad]), BLOCK_TOKENS, "floor")
            raise TraceError(source, problem, row=bad + 1, field="hash_ids", kind="column")
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) <= INT32_MAX:
            problem = f"has ids from {int(ids.min())} to {int(ids.max())}; 0 to {INT32_MAX:,} belong there"
            raise TraceError(source, problem, field="hash_ids", kind="column")
        ends = np.cumsum(due[rows])
        filled = due[rows] > 0
        if filled.any():
            highest = np.maximum.reduceat(ids, (ends - due[rows])[filled])
            np.maximum.at(most, session[rows][filled], highest.astype(np.int64) + 1)
        begin = 0
        for at, end in zip(place[rows].tolist(), ends.tolist(), strict=True):
            moved[at : at + end - begin] = ids[begin:end]
            begin = end
        row += len(lengths)
    base = np.cumsum(most) - most
    if int(base[-1] + most[-1]) > INT32_MAX:
        raise TraceError(
            source, "has ids beyond 2,147,483,647 in all its sessions; split the file", field="hash_ids", kind="column"
        )
    at = 0
    for length, offset in zip(due[order].tolist(), base[session[order]].tolist(), strict=True):
        moved[at : at + length] += np.int32(offset)
        at += length
    return list_array(source, moved, due[order])
