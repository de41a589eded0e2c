"""Conversations without times as sessions of requests: each answer is a request with the messages before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ..assembly.trace_builder import rows_text
from ..errors import TraceError
from ..reading.field_checks import BadRows
from ..reading.files import read_whole
from ..reading.json_documents import each_line
from ..table import Trace
from .bodies import BYTES_PER_TOKEN
from .request_table import RecordedRequest, Requests, follow_sessions, recorded_trace, untimed


@dataclass(frozen=True)
class Conversation:
    """One conversation of a file.

    Attributes:
        messages: OpenAI's chat messages, each with a role.
        name: The session's name, or None.
        fields: Further fields of each request's body, such as ``tools``.
    """

    messages: list[dict[str, Any]]
    name: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


def read_conversations(
    path: Path, parse: Callable[[bytes], Conversation], *, format: str, skip_bad_rows: bool = False
) -> Trace:
    """Read a file of conversations, a JSON array or one conversation per line; a row is a conversation.

    A conversation that begins with an answer begins at its first question instead.

    Args:
        path: The file.
        parse: Returns the conversation of a record's JSON text; raises BadField for a bad record.
        format: The format's name.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read, or no conversation has an answer.
    """
    data, digest = read_whole(path)
    bad = BadRows(str(path), skip=skip_bad_rows)
    notes: list[str] = []
    requests = Requests()
    headless = silent = 0
    names: set[str] = set()

    def take(number: int, line: bytes) -> None:
        nonlocal headless, silent
        conversation = parse(line)
        messages = conversation.messages
        session = conversation.name or f"conversation {number}"
        begun = next((place for place, message in enumerate(messages) if message["role"] == "user"), len(messages))
        opening = [message for message in messages[:begun] if message["role"] in ("system", "developer")]
        turns = _turns(number, _unique(names, session), opening + messages[begun:], conversation.fields)
        headless += bool(turns) and begun > len(opening)
        silent += not turns
        requests.extend(turns)

    each_line(data, bad, take, notes)
    del data
    if silent and not requests and not bad.count:
        raise TraceError(
            str(path),
            f"none of its {silent:,} conversations has an answer, and each answer makes a request; "
            "to send prompts without answers, use tokentape profile --input-file",
        )
    follow_sessions(requests)
    for request in requests:
        request.think_ns = None if request.follows is None else 0
    notes.append(untimed(len(requests), any(request.follows is not None for request in requests)))
    if headless:
        notes.append(f"{_conversations_text(headless)} with an answer; begun at the first question instead")
    if silent:
        notes.append(f"{rows_text(silent)} dropped: no question in {'it' if silent == 1 else 'them'} is answered")
    return recorded_trace(requests, bad, format=format, digest=digest, notes=notes)


def _unique(names: set[str], wanted: str) -> str:
    """Return a session's name that no other session has: public files hold parts of one conversation under one id."""
    unused, again = wanted, 1
    while unused in names:
        again += 1
        unused = f"{wanted} ({again})"
    names.add(unused)
    return unused


def _turns(
    number: int, session: str, messages: list[dict[str, Any]], fields: Mapping[str, Any]
) -> list[RecordedRequest]:
    """Return a request for each answer that follows something else."""
    requests: list[RecordedRequest] = []
    pieces: list[bytes] = []
    size = 0
    encode = msgspec.json.encode
    more = b"".join(b",%b:%b" % (encode(name), encode(value)) for name, value in fields.items())
    for place, message in enumerate(messages):
        length = _length(message)
        if message["role"] == "assistant" and place and messages[place - 1]["role"] != "assistant":
            requests.append(
                RecordedRequest(
                    source_row=number,
                    arrival_ns=0,
                    input_tokens=-(-size // BYTES_PER_TOKEN),
                    output_tokens=-(-length // BYTES_PER_TOKEN),
                    session=session,
                    body=b'{"messages":[%b]%b}' % (b",".join(pieces), more),
                    estimated=True,
                )
            )
        pieces.append(encode(message))
        size += length
    return requests


def _length(message: Mapping[str, Any]) -> int:
    """Return the length of a message's content in bytes of UTF-8; tool calls count as their JSON."""
    content = message.get("content")
    if isinstance(content, str):
        return len(content.encode())
    if isinstance(content, list):
        return sum(len(str(part.get("text") or "").encode()) for part in content if isinstance(part, dict))
    return len(msgspec.json.encode(message.get("tool_calls"))) if message.get("tool_calls") else 0


def _conversations_text(n: int) -> str:
    return "1 conversation begins" if n == 1 else f"{n:,} conversations begin"
