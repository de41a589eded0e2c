"""Weka's coding-agent sessions (kv-cache-tester, Apache-2.0): one JSON object per session, in a file or a line.

``{"id": "trace_0026", "block_size": 64, "hash_id_scope": "local", "requests": [{"t": 94.0, "type": "n",
"model": "...", "in": 17401, "out": 2905, "hash_ids": [1, 2, ...], "api_time": 48.05, "think_time": 48.0}]}``:
seconds from the session's start; one id per **whole** block of 64 input tokens, so the tail of a prompt has none.
Ids of scope "local" mean nothing outside their session. An entry of type "subagent" holds ``requests`` of its own;
their times count from the entry's ``t`` when the first of them lies before it, else from the session's start.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..assembly.block_ids import BlockLists, due_blocks, wrong_count
from ..assembly.reorder import reordered
from ..assembly.trace_builder import build_trace, rows_text
from ..errors import TraceError
from ..graph.sessions import follow_streams, moved_parents
from ..reading.field_checks import MAX_TOKENS, BadField, BadRows, duration_ns, shown, token_count
from ..reading.files import read_head, read_whole
from ..reading.json_lines import read_lines
from ..table import Trace

NAME = "weka"
ABOUT = "Weka's sessions of coding agents"
LOOKS = "JSON or JSONL of sessions with id, block_size, requests[{t (s), in, out, hash_ids}]"

_S = 10**9
_KEYS = re.compile(rb'"requests"\s*:\s*\['), re.compile(rb'"(block_size|hash_id_scope)"\s*:')


_Id = Annotated[int, msgspec.Meta(ge=0)]


class _Entry(msgspec.Struct, gc=False):
    type: str = "n"
    t: Decimal | None = None
    in_: int | None = msgspec.field(default=None, name="in")
    out: int | None = None
    model: str | None = None
    hash_ids: list[_Id] | None = None
    api_time: Decimal | None = None
    think_time: Decimal | None = None
    agent_id: str | None = None
    requests: list[_Entry] | None = None


class _Session(msgspec.Struct, gc=False):
    id: str
    block_size: int
    requests: list[_Entry]
    hash_id_scope: str = "local"


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like a session."""
    del path
    return head.lstrip().startswith(b"{") and all(key.search(head) for key in _KEYS)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read one session, or a file of one session per line.

    Args:
        path: The file.
        skip_bad_rows: Count sessions that cannot be read and leave them out.

    Raises:
        TraceError: The file, or a session that is not to be skipped, cannot be read.
    """
    source = str(path)
    bad = BadRows(source, skip=skip_bad_rows)
    sessions = _Sessions(source)
    decoder = msgspec.json.Decoder(_Session)

    def take(number: int, text: bytes) -> None:
        try:
            sessions.add(decoder.decode(text))
        except BadField as error:
            bad.add(number, error)
        except msgspec.ValidationError as error:
            bad.add(number, BadField(*_misfit(str(error))))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            bad.add(number, BadField(None, f"is not a session in JSON: {error}"))

    def plain(first: int, batch: bytes) -> int | None:
        lines = [line for line in batch.split(b"\n") if line.strip()]
        if lines and not lines[-1].rstrip().endswith(b"}"):
            return None
        for number, line in enumerate(lines, first):
            take(number, line)
        return len(lines)

    def careful(number: int, record: dict[str, Any]) -> None:
        take(number, json.dumps(record, default=str).encode())

    first_line, broken, _ = read_head(path).lstrip().partition(b"\n")
    if broken and not first_line.rstrip().endswith(b"}"):
        data, digest = read_whole(path)
        take(1, data)
        notes: list[str] = []
    else:
        digest, notes = read_lines(path, bad, plain=plain, careful=careful)
    return sessions.trace(digest, bad, notes)


def _misfit(message: str) -> tuple[str | None, str]:
    """Return the field and the problem of a message like "Expected `int`, got `str` - at `$.requests[0].in`"."""
    problem, _, place = message.partition(" - at `$")
    return place.strip("`.") or None, problem[:1].lower() + problem[1:]


class _Row(NamedTuple):
    start_ns: int
    input_tokens: int
    output_tokens: int
    end_ns: int
    think_ns: int
    stream: int
    launched_by: int


class _Sessions:
    """The sessions read so far."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._rows: list[_Row] = []
        self._names: list[str] = []
        self._models: list[str | None] = []
        self._blocks = BlockLists()
        self._block_size: int | None = None
        self._ids = 0  # block ids below this are taken by earlier sessions
        self._streams = 0
        self._sessions = 0

    def add(self, session: _Session) -> None:
        """Take a session in, whole or not at all.

        Raises:
            BadField: Something is wrong with it.
        """
        size = session.block_size
        if not 1 <= size <= MAX_TOKENS:
            raise BadField("block_size", f"{size} is not a number of tokens from 1 up")
        if self._block_size not in (None, size):
            raise BadField("block_size", f"{size} differs from the {self._block_size} of the sessions before it")
        if session.hash_id_scope not in ("local", "global"):
            raise BadField("hash_id_scope", f"{shown(session.hash_id_scope)} is neither 'local' nor 'global'")
        if not session.id.isprintable():
            raise BadField("id", f"{shown(session.id)} holds unprintable characters")
        flat: list[tuple[_Row, _Entry]] = []
        last = self._flatten(flat, session.requests, "requests", self._streams, -1, 0, size)
        if not flat:
            raise BadField("requests", "is empty; a session has at least one request")
        ids = [entry.hash_ids or [] for _, entry in flat]
        self._block_size = size
        local = session.hash_id_scope == "local"
        most = self._blocks.add(ids, self._ids if local else 0)
        self._ids += most + 1 if local else 0
        self._streams = last + 1
        self._rows.extend(row for row, _ in flat)
        self._models.extend(entry.model for _, entry in flat)
        self._names.extend([session.id] * len(flat))
        self._sessions += 1

    def _flatten(
        self,
        flat: list[tuple[_Row, _Entry]],
        entries: list[_Entry],
        place: str,
        stream: int,
        launched_by: int,
        start_ns: int,
        size: int,
    ) -> int:
        """Append the requests of one stream and of those that it launches; returns the last stream's number."""
        last = stream
        for index, entry in enumerate(entries):
            here = f"{place}[{index}]"
            given = None if entry.t is None else duration_ns(f"{here}.t", entry.t, _S)
            if entry.type == "subagent":
                inner = entry.requests or []
                first = next((_inner_start(one, f"{here}.requests") for one in inner), None)
                if first is None:
                    continue
                begin = self._launch_ns(flat, stream, start_ns) if given is None else start_ns + given
                offset = begin if given is None or first < given else start_ns
                last = self._flatten(flat, inner, f"{here}.requests", last + 1, stream, offset, size)
                continue
            if given is None:
                raise BadField(f"{here}.t", "is missing; seconds since the session's start belong there")
            tokens = token_count(f"{here}.in", entry.in_)
            ids = len(entry.hash_ids or ())
            if ids != due_blocks(tokens, size, "floor"):
                raise BadField(f"{here}.hash_ids", wrong_count(ids, tokens, size, "floor"))
            start = start_ns + given
            think = entry.think_time
            row = _Row(
                start_ns=start,
                input_tokens=tokens,
                output_tokens=token_count(f"{here}.out", entry.out),
                end_ns=-1 if entry.api_time is None else start + duration_ns(f"{here}.api_time", entry.api_time, _S),
                think_ns=-1 if think is None else duration_ns(f"{here}.think_time", think, _S),
                stream=stream,
                launched_by=launched_by,
            )
            flat.append((row, entry))
            launched_by = -1
        return last

    @staticmethod
    def _launch_ns(flat: list[tuple[_Row, _Entry]], stream: int, start_ns: int) -> int:
        """Return when an agent without a time of its own began: at the end of the request before it."""
        for row, _ in reversed(flat):
            if row.stream == stream:
                return max(row.start_ns, row.end_ns)
        return start_ns

    def trace(self, digest: str, bad: BadRows, notes: list[str]) -> Trace:
        """Return the trace of all sessions."""
        said = bad.notes(len(self._rows))
        if not self._rows:
            raise TraceError(self._source, "holds no sessions")
        columns = dict(zip(_Row._fields, np.array(self._rows, np.int64).T, strict=True))
        parent, think = follow_streams(
            columns["stream"], columns["launched_by"], columns["start_ns"], columns["end_ns"], columns["think_ns"], _S
        )
        said = (*said, *notes, *session_notes(self._sessions, columns["stream"], columns["launched_by"]))
        order = np.argsort(columns["start_ns"], kind="stable")
        taken: Any = pa.array(order)
        think = think[order]
        return build_trace(
            source=self._source,
            format=NAME,
            digest=digest,
            arrival_ns=columns["start_ns"][order],
            input_tokens=columns["input_tokens"][order],
            output_tokens=columns["output_tokens"][order],
            source_row=order + 1,
            optional={
                "session_id": pa.array(self._names, pa.string()).take(taken),
                "model": pa.array(self._models, pa.string()).take(taken),
                "think_ns": pa.array(think, pa.int64(), mask=think < 0),
                "block_ids": reordered(self._blocks.array(self._source), order),
            },
            parent=moved_parents(parent, order),
            block_tokens=self._block_size,
            block_rounding="floor",
            notes=said,
            bad=bad,
        )


def _inner_start(entry: _Entry, place: str) -> int:
    if entry.type == "subagent" and entry.t is None:
        return next((_inner_start(one, f"{place}[0].requests") for one in entry.requests or ()), 0)
    return duration_ns(f"{place}[0].t", entry.t, _S)


def session_notes(sessions: int, stream: NDArray[np.int64], launched_by: NDArray[np.int64]) -> list[str]:
    """Return a note about sessions that have clocks of their own, and of the agents within them."""
    said = []
    if sessions > 1:
        said.append(
            f"{sessions:,} sessions, each with times from its own start: replayed as they are, all begin at once"
        )
    agents = int(np.count_nonzero(launched_by >= 0))
    if agents:
        rows = int(np.count_nonzero(np.isin(stream, stream[launched_by >= 0])))
        said.append(f"{rows_text(rows)} of {agents:,} subagents run beside the requests that launched them")
    return said
