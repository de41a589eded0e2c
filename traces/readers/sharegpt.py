"""ShareGPT's conversations: JSON, no times, no lengths, real text.

``[{"id": "...", "conversations": [{"from": "human", "value": "..."}, {"from": "gpt", "value": "..."}, ...]}]``, or
one such object per line. Each answer becomes a request with the messages before it. Over a third of the
public conversations begin with an answer whose question is missing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from ..reading.field_checks import BadField, shown
from ..reading.json_documents import mapping, name, sequence, struct, text
from ..recorded.conversations import Conversation, read_conversations
from ..table import Trace

NAME = "sharegpt"
ABOUT = "ShareGPT's conversations"
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


def matches(head: bytes, path: Path) -> bool:
    """Return whether the file begins like this format."""
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

    def parse(line: bytes) -> Conversation:
        record = struct(_ONE, line)
        return Conversation(spoken("conversations", record.conversations), name("id", record.id))

    return read_conversations(path, parse, format=NAME, skip_bad_rows=skip_bad_rows)


def spoken(field: str, conversation: Any) -> list[dict[str, str]]:
    """A conversation as OpenAI's messages.

    Args:
        field: Where it stands in its record.
        conversation: ``[{"from": ..., "value": ...}, ...]``.

    Raises:
        BadField: It is not a conversation.
    """
    messages = []
    entries = sequence(field, conversation, "a list of {from, value}")
    for place, entry in enumerate(entries):
        here = f"{field}[{place}]"
        entry = mapping(here, entry, "an object with from and value")
        speaker = text(f"{here}.from", entry.get("from"), "human, gpt or system")
        if speaker not in _ROLES:
            raise BadField(f"{here}.from", f"{shown(speaker)} is not one of {', '.join(_ROLES)}")
        messages.append({"role": _ROLES[speaker], "content": text(f"{here}.value", entry.get("value"), "text")})
    return messages
