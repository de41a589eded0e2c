"""Chat data: conversations as OpenAI's messages, without times, as fine-tuning files and logs of chats hold them.

``{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}, ...]}`` per line, or a JSON
array of these. ``conversations`` or ``conversation`` instead of ``messages`` is read as well, and so are other names of
roles (``human``, ``gpt``) and of the content (``value``). Each answer becomes a request with the messages before it.
``tools`` are sent with every request of their conversation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..reading.field_checks import BadField, shown
from ..reading.json_documents import decode, mapping, name, needed, sequence, text
from ..recorded.conversations import Conversation, read_conversations
from ..table import Trace

NAME = "chat"
ABOUT = "Chat messages, as in fine-tuning files"
LOOKS = "JSON or JSONL with messages[{role, content}]"

_LISTS = ("messages", "conversations", "conversation")
_NAMES = ("id", "conversation_id", "session_id", "prompt_id")
_SENT = ("tools", "functions", "tool_choice")
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_OTHER_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "ai": "assistant", "model": "assistant"}
_CONTENTS = ("content", "value", "text")
_CALLS = ("tool_calls", "function_call", "refusal", "audio")


def matches(head: bytes, path: Path) -> bool:
    """Return whether the first record holds a list of messages with roles."""
    del path
    line = head.lstrip().split(b"\n", 1)[0]
    if not line.startswith(b"{"):
        return False
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return any(b'"%b"' % key.encode() in line for key in _LISTS) and b'"role"' in line and b'"content"' in line
    return any(_is_chat(record.get(key)) for key in _LISTS)


def _is_chat(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "role" in one for one in value)


def read(path: Path, *, skip_bad_rows: bool = False) -> Trace:
    """Read a file of this format; a row is a conversation.

    Args:
        path: The file.
        skip_bad_rows: Count bad rows and leave them out.

    Raises:
        TraceError: The file, or a row that is not to be skipped, cannot be read.
    """
    return read_conversations(path, _parse, format=NAME, skip_bad_rows=skip_bad_rows)


def _parse(line: bytes) -> Conversation:
    record = mapping(None, decode(line), "an object with messages")
    key = next((key for key in _LISTS if key in record), _LISTS[0])
    messages = []
    for place, entry in enumerate(sequence(key, needed(record, key), "a list of messages")):
        here = f"{key}[{place}]"
        messages.append(_message(here, mapping(here, entry, "a message with role and content")))
    session = next((name(field, record[field]) for field in _NAMES if record.get(field) is not None), None)
    return Conversation(messages, session, {field: record[field] for field in _SENT if record.get(field) is not None})


def _message(here: str, message: dict[str, Any]) -> dict[str, Any]:
    """Return a message under OpenAI's names.

    Raises:
        BadField: Its role is unknown, or it has no content.
    """
    role = text(f"{here}.role", message.get("role"), "user, assistant or system")
    role = _OTHER_ROLES.get(role, role)
    if role not in _ROLES:
        raise BadField(f"{here}.role", f"{shown(role)} is not a role; write one of {', '.join(_ROLES)}")
    key = next((key for key in _CONTENTS if message.get(key) is not None), None)
    if key is None:
        if role != "assistant" or not any(message.get(call) for call in _CALLS):
            raise BadField(f"{here}.content", "is missing; the message's text belongs there")
    elif not isinstance(message[key], str | list):
        raise BadField(f"{here}.{key}", f"{shown(message[key])} is neither a text nor a list of parts")
    if role == message["role"] and key in (None, "content"):
        return message
    renamed = {name: value for name, value in message.items() if name not in ("role", *_CONTENTS)}
    return {"role": role, **({} if key is None else {"content": message[key]}), **renamed}
