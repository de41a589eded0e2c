"""ShareGPT's conversations: JSON, no times, no lengths, real text.

``[{"id": "...", "conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}, ...]}]``, or
one such object per line. Each answer becomes a request whose messages are what had been said until then. Over a
third of the public conversations begin with an answer, to a question that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..assembly.assemble import rows_text
from ..reading.field_checks import BadField, BadRows, shown
from ..reading.files import read_whole
from ..reading.json_documents import document, each_line, mapping, name, sequence, struct, text
from ..recorded.bodies import BYTES_PER_TOKEN
from ..recorded.request_table import Recorded, Requests, follow_sessions, recorded_trace, untimed
from ..table import Trace

NAME = "sharegpt"
LOOKS = "JSON with conversations[{from, value}]"

_KEYS = tuple(re.compile(rb'"%b"\s*:' % key) for key in (b"conversations", b"from", b"value"))
_ROLES = {
    "human": "user",
    "user": "user",
    "system": "system",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "bing": "assistant",
    "bard": "assistant",
}


class _Conversation(msgspec.Struct, gc=False):
    id: Any = None
    conversations: Any = msgspec.UNSET


_ONE = msgspec.json.Decoder(_Conversation)
_ALL = msgspec.json.Decoder(list[msgspec.Raw])  # one after the other: their objects are larger than their text


def matches(head: bytes, path: Path) -> bool:
    """Whether the file begins like this format."""
    del path
    return head.lstrip()[:1] in (b"[", b"{") and all(key.search(head) for key in _KEYS)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format; a row is a conversation.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    source = str(path)
    data, digest = read_whole(path)
    bad = BadRows(source, skip=skip_bad_rows)
    notes: list[str] = []
    requests = Requests()
    headless = silent = 0
    names: set[str] = set()

    def take(number: int, conversation: _Conversation) -> None:
        nonlocal headless, silent
        messages = spoken("conversations", conversation.conversations)
        session = name("id", conversation.id) or f"conversation {number}"
        begun = next((place for place, message in enumerate(messages) if message["role"] == "user"), len(messages))
        opening = [message for message in messages[:begun] if message["role"] == "system"]
        turns = _turns(number, _unique(names, session), opening + messages[begun:])
        headless += bool(turns) and begun > len(opening)
        silent += not turns
        requests.extend(turns)

    if data.lstrip()[:1] == b"[":
        _each(source, data, bad, take)
    else:
        each_line(data, bad, lambda number, line: take(number, struct(_ONE, line)), notes)
    del data
    follow_sessions(requests)
    for request in requests:
        request.think_ns = None if request.follows is None else 0
    notes.append(untimed(len(requests), any(request.follows is not None for request in requests)))
    if headless:
        notes.append(f"{_conversations_text(headless)} with an answer; begun at the first question instead")
    if silent:
        notes.append(f"{rows_text(silent)} dropped: no question in {'it' if silent == 1 else 'them'} is answered")
    return recorded_trace(requests, bad, format=NAME, digest=digest, notes=notes)


def _each(source: str, data: bytes, bad: BadRows, take: Callable[[int, _Conversation], None]) -> None:
    """Take in the conversations of an array."""
    for number, raw in enumerate(document(source, _ALL, data, "a JSON array of conversations"), 1):
        try:
            take(number, struct(_ONE, raw))
        except BadField as error:
            bad.add(number, error)


def spoken(field: str, conversation: Any) -> list[dict[str, str]]:
    """A conversation as OpenAI's messages.

    Args:
        field: Where it stands in its record.
        conversation: ``[{"from": ..., "value": ...}, ...]``.

    Raises:
        BadField: It is none.
    """
    messages = []
    said = sequence(field, conversation, "a list of {from, value}")
    for place, entry in enumerate(said):
        here = f"{field}[{place}]"
        entry = mapping(here, entry, "an object with from and value")
        speaker = text(f"{here}.from", entry.get("from"), "human, gpt or system")
        if speaker not in _ROLES:
            raise BadField(f"{here}.from", f"{shown(speaker)} is none of {', '.join(_ROLES)}")
        messages.append({"role": _ROLES[speaker], "content": text(f"{here}.value", entry.get("value"), "text")})
    return messages


def _unique(names: set[str], wanted: str) -> str:
    """A session's name that no other has: the public file holds parts of one conversation under one id."""
    unused, again = wanted, 1
    while unused in names:
        again += 1
        unused = f"{wanted} ({again})"
    names.add(unused)
    return unused


def _turns(number: int, session: str, messages: list[dict[str, str]]) -> list[Recorded]:
    """A request per answer that follows a question."""
    requests: list[Recorded] = []
    pieces: list[bytes] = []
    size = 0
    for place, message in enumerate(messages):
        length = len(message["content"].encode())
        if message["role"] == "assistant" and messages[place - 1]["role"] != "assistant":
            requests.append(
                Recorded(
                    source_row=number,
                    arrival_ns=0,
                    input_tokens=-(-size // BYTES_PER_TOKEN),
                    output_tokens=-(-length // BYTES_PER_TOKEN),
                    session=session,
                    body=b'{"messages":[%b]}' % b",".join(pieces),
                    estimated=True,
                )
            )
        pieces.append(msgspec.json.encode(message))
        size += length
    return requests


def _conversations_text(n: int) -> str:
    return "1 conversation begins" if n == 1 else f"{n:,} conversations begin"
