"""AIPerf's ``inputs.json``: the requests of one of its runs, by session, without times.

``{"data": [{"session_id": "...", "payloads": [{"model": ..., "messages": [...]}, ...]}]}``: one payload per turn.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from ..reading.field_checks import BadField, BadRows, shown
from ..reading.files import read_whole
from ..reading.json_documents import document, name, text
from ..recorded.bodies import compact, payload
from ..recorded.request_table import RecordedRequest, Requests, follow_sessions, recorded_trace, untimed
from ..table import Trace

NAME = "aiperf"
ABOUT = "Requests of an AIPerf run, by session"
LOOKS = "JSON with data[{session_id, payloads}], AIPerf's inputs.json"

_DATA = re.compile(rb'\s*\{\s*"data"\s*:\s*\[')
_PAYLOADS = re.compile(rb'"payloads"\s*:')


class _Session(msgspec.Struct, gc=False):
    payloads: list[msgspec.Raw]
    session_id: Any = None


class _File(msgspec.Struct, gc=False):
    data: list[_Session]


_FILE = msgspec.json.Decoder(_File)


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format."""
    del path
    return bool(_DATA.match(head) and _PAYLOADS.search(head))


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format; a row is a session.

    Args:
        path: The file.
        skip_bad_rows: Count bad sessions and leave them out.

    Raises:
        TraceError: The file, or a session that is not to be skipped, cannot be read.
    """
    source = str(path)
    data, digest = read_whole(path)
    bad = BadRows(source, skip=skip_bad_rows)
    requests = _requests(source, data, bad)
    del data
    follow_sessions(requests)
    for request in requests:
        request.think_ns = None if request.follows is None else 0
    notes = [untimed(len(requests), any(r.follows is not None for r in requests))] if requests else []
    return recorded_trace(requests, bad, format=NAME, digest=digest, notes=notes)


def _requests(source: str, data: bytes, bad: BadRows) -> Requests:
    requests = Requests()
    seen: dict[str, int] = {}
    sessions = document(source, _FILE, data, "AIPerf's inputs.json").data
    for number, session in enumerate(sessions, 1):
        try:
            turns = _turns(number, session)
            session_id = turns[0].session if turns else None
            if session_id is not None and seen.setdefault(session_id, number) != number:
                problem = f"{shown(session_id)} stands in row {seen[session_id]} too; each session has its own"
                raise BadField("session_id", problem)
        except BadField as error:
            bad.add(number, error)
            continue
        requests.extend(turns)
    return requests


def _turns(number: int, session: _Session) -> list[RecordedRequest]:
    session_id = name("session_id", session.session_id)
    if session_id is None:
        session_id = text("session_id", session.session_id, "a name of the session")
    requests = []
    for place, raw in enumerate(session.payloads):
        body = compact(bytes(raw))
        facts = payload(f"payloads[{place}]", body)
        requests.append(
            RecordedRequest(
                source_row=number,
                arrival_ns=0,
                input_tokens=facts.input_tokens,
                output_tokens=facts.output_tokens or 0,
                session=session_id,
                model=facts.model,
                body=body,
                estimated=facts.estimated,
            )
        )
    return requests
