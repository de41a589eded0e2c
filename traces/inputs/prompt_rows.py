"""Reading one row of a file or a dataset as the content of a request, by its keys.

The keys are GenAI-Perf's and AIPerf's (text, text_input, texts, image, images, output_length, model), OpenAI's
(messages, prompt, max_tokens), those of rankings (query, passages) and those of known datasets (system_prompt and
question of OpenOrca, article of CNN/DailyMail, conversations of ShareGPT).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..content import Content
from ..readers.sharegpt import spoken
from ..reading.field_checks import BadField, shown, token_count
from ..reading.json_documents import mapping, name, sequence, text
from ..recorded.bodies import BYTES_PER_TOKEN
from .images import image_url

TEXTS = ("text", "prompt", "text_input", "question", "article")
PASSAGES = ("passages", "documents", "texts")
OUTPUTS = ("output_length", "output_tokens", "max_tokens", "max_completion_tokens")
SYSTEMS = ("system", "system_prompt")
KEYS = (
    *TEXTS,
    *PASSAGES,
    *OUTPUTS,
    *SYSTEMS,
    "messages",
    "conversations",
    "payload",
    "query",
    "image",
    "images",
    "model",
    "turns",
    "payloads",
)
PROMPTS = (*TEXTS, "texts", "messages", "conversations", "payload", "query", "image", "images")
_UNSENT = ("audio", "audios", "video", "videos")


class NoPrompt(BadField):
    """A row without any content to send."""


def content_of(row: dict[str, Any], *, column: str | None = None, folder: Path | None = None) -> Content:
    """Return the content of a row.

    Args:
        row: Values by key; null counts as absent. Unknown keys are ignored.
        column: Key of the prompt, which is a text or messages; None: the known keys.
        folder: Folder of the row's file, for paths of images.

    Raises:
        NoPrompt: The row has no content.
        BadField: The row has two alternative contents, or a value has the wrong type.
    """
    row = _single({key: value for key, value in row.items() if value is not None})
    said = _prompt(row, column)
    if "payload" in row:
        said["payload"] = _payload(row["payload"])
    output_tokens = _one(row, OUTPUTS)
    if output_tokens is not None:
        asked = token_count(output_tokens, row[output_tokens])
        if not asked:
            raise BadField(output_tokens, "is 0; at least one token must be asked for")
        said["output_tokens"] = asked
    if row.get("model") not in (None, ""):
        said["model"] = name("model", row["model"])
    images = _images(row, folder)
    if images:
        said["images"] = images
    system = _one(row, SYSTEMS)
    if system is not None and row[system] != "" and "messages" not in said:
        said["system"] = text(system, row[system], "a text")
    content = Content(**said)
    if not (content.text or content.texts or content.messages or content.payload or content.images):
        unsent = next((key for key in _UNSENT if key in row), None)
        if unsent:
            raise BadField(unsent, "cannot be sent: requests have texts and images")
        if "input_length" in row:
            raise NoPrompt(
                "input_length", "is a length and no text; tokentape replay sends such rows, as a trace with their times"
            )
        has = ", ".join(map(str, row)) or "no keys"
        raise NoPrompt(None, f"has none of text, prompt, messages, payload; it has {shown(has)}")
    return content


def _single(row: dict[str, Any]) -> dict[str, Any]:
    """Return the only turn of an AIPerf session: ``turns`` of multi_turn files, ``payloads`` of inputs.json."""
    for key in ("turns", "payloads"):
        if key in row:
            turns = sequence(key, row[key], "a list of requests")
            if len(turns) != 1:
                raise BadField(key, f"are {len(turns)} requests, and a row is one; tokentape replay sends sessions")
            turn = mapping(f"{key}[0]", turns[0], "a request")
            return turn if key == "turns" else {"payload": turn}
    return row


def _prompt(row: dict[str, Any], column: str | None) -> dict[str, Any]:
    """Return the content's fields for the prompt."""
    if column is not None:
        if column not in row:
            raise NoPrompt(column, f"is missing; the row has {shown(', '.join(map(str, row)) or 'no keys')}")
        return _told(column, row[column])
    for key, read in _WHOLE.items():
        if key in row:
            return read(row)
    found = _one(row, TEXTS)
    if found is None:
        return _batch(row["texts"]) if "texts" in row else {}
    if "texts" in row:
        raise BadField(found, "and 'texts' are both given; one of them is what to send")
    return _told(found, row[found])


def _one(row: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    """Return the only one of several keys that the row has."""
    found = [key for key in keys if key in row]
    if len(found) > 1:
        raise BadField(found[0], f"and {found[1]!r} are both given; one of them is what to send")
    return found[0] if found else None


def _told(field: str, value: Any) -> dict[str, Any]:
    """Return a prompt: a text, a batch of texts, or messages."""
    if isinstance(value, list) and value:
        if isinstance(value[0], dict):
            if "from" in value[0]:
                return _conversation(value)
            return {"messages": _messages(field, value)}
        return {"texts": _texts(field, value)}
    said = text(field, value, "a text")
    if not said.strip():
        raise NoPrompt(field, "is empty; a prompt belongs there")
    return {"text": said}


def _texts(field: str, value: Any) -> tuple[str, ...]:
    """Return a list of texts, each given as a string or as {text: ...}."""
    texts = []
    for place, item in enumerate(sequence(field, value, "a list of texts")):
        here = f"{field}[{place}]"
        texts.append(text(here, item.get("text") if isinstance(item, dict) else item, "a text"))
    if not texts:
        raise BadField(field, "is empty; a list of texts belongs there")
    return tuple(texts)


def _batch(value: Any) -> dict[str, Any]:
    """Return texts, or a ranking if AIPerf's names say so."""
    named = _named(value)
    query = named.pop("query", None)
    texts = [said for group in named.values() for said in group]
    return {"texts": tuple(texts)} if query is None else _ranking({"query": query, "passages": texts})


def _named(value: Any) -> dict[str, list[str]]:
    """Return AIPerf's named texts, ``[{"name": "query", "contents": [...]}]``; plain texts have the name ""."""
    named: dict[str, list[str]] = {}
    for place, item in enumerate(sequence("texts", value, "a list of texts")):
        here = f"texts[{place}]"
        if isinstance(item, dict) and "contents" in item:
            key = "query" if item.get("name") in ("query", "queries") else str(item.get("name") or "")
            named.setdefault(key, []).extend(_texts(f"{here}.contents", item["contents"]))
        else:
            named.setdefault("", []).extend(_texts(here, [item]))
    if not named:
        raise BadField("texts", "is empty; a list of texts belongs there")
    return named


def _ranking(row: dict[str, Any]) -> dict[str, Any]:
    query: Any = row["query"]
    if isinstance(query, list) and len(query) == 1:
        query = query[0]
    if isinstance(query, dict):
        query = query.get("text")
    passages = _one(row, PASSAGES)
    if passages is None:
        raise BadField("query", "has no passages beside it; a list of texts belongs under 'passages'")
    return {"query": text("query", query, "a text"), "texts": _texts(passages, row[passages])}


def _chat(row: dict[str, Any]) -> dict[str, Any]:
    return {"messages": _messages("messages", row["messages"])}


def _messages(field: str, value: Any) -> tuple[dict[str, Any], ...]:
    messages = []
    for place, message in enumerate(sequence(field, value, "a list of messages")):
        message = mapping(f"{field}[{place}]", message, "a message with role and content")
        text(f"{field}[{place}].role", message.get("role", msgspec.UNSET), "user, assistant, system or tool")
        messages.append(message)
    if not messages:
        raise BadField(field, "is empty; a list of messages belongs there")
    return tuple(messages)


def _talk(row: dict[str, Any]) -> dict[str, Any]:
    return _conversation(row["conversations"])


def _conversation(value: Any) -> dict[str, Any]:
    """Return a conversation's first question, the system text before it, and the estimated length of its answer."""
    messages = spoken("conversations", value)
    begun = next((place for place, message in enumerate(messages) if message["role"] == "user"), None)
    if begun is None:
        raise NoPrompt("conversations", "holds no question")
    said: dict[str, Any] = _told(f"conversations[{begun}].value", messages[begun]["content"])
    system = next((message["content"] for message in messages[:begun] if message["role"] == "system"), "")
    if system:
        said["system"] = system
    if begun + 1 < len(messages) and messages[begun + 1]["role"] == "assistant":
        size = len(messages[begun + 1]["content"].encode(errors="replace"))
        said["output_tokens"] = max(1, -(-size // BYTES_PER_TOKEN))
    return said


def _payload(value: Any) -> dict[str, Any]:
    """Return a body or some fields of it, single or as the only element of a list as in GenAI-Perf's inputs.json."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    body = mapping("payload", value, "a request's body")
    if not body:
        raise BadField("payload", "is empty; a request's body belongs there")
    return body


def _images(row: dict[str, Any], folder: Path | None) -> tuple[str, ...]:
    key = _one(row, ("image", "images"))
    if key is None:
        return ()
    given = row[key] if isinstance(row[key], list) else [row[key]]
    urls = []
    for place, item in enumerate(given):
        here = f"{key}[{place}]" if isinstance(row[key], list) else key
        if isinstance(item, dict) and "contents" in item:
            contents = sequence(f"{here}.contents", item["contents"], "a list of paths or URLs")
            urls += [image_url(here, text(here, one, "a path or a URL"), folder) for one in contents]
            continue
        if isinstance(item, dict):
            item = item.get("url", item.get("image_url", item.get("bytes")))
        urls.append(image_url(here, text(here, item, "a path or a URL"), folder))
    return tuple(urls)


_WHOLE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "query": _ranking,
    "messages": _chat,
    "conversations": _talk,
}
"""Keys that say all of a prompt, the first of them that a row has."""
