"""Fields of a body from the content of a row, in forms that several APIs share."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from ...traces.content import Content
from ..errors import UserError

Say = Callable[[Content], dict[str, Any]]
"""Makes the fields of a body that say what a row says."""


def with_payload(say: Say) -> Say:
    """Return a function that merges a row's own payload into the fields of an API; the payload takes precedence.

    Args:
        say: Returns the fields of an API; not called for a row that has only a payload.
    """

    @wraps(say)
    def content(row: Content) -> dict[str, Any]:
        only = row.payload is not None and row.text is None and row.texts is None and row.messages is None
        return ({} if only else say(row)) | (row.payload or {})

    return content


def one_text(content: Content, endpoint: str) -> str:
    """Return the prompt of a row.

    Raises:
        UserError: The row has no prompt, or several.
    """
    if content.text is not None:
        return content.text
    if content.messages is not None:
        raise UserError(f"a row has chat messages, and the endpoint {endpoint!r} takes a prompt; use a chat endpoint")
    if not content.texts:
        raise UserError(f"a row has no text, and the endpoint {endpoint!r} needs one")
    if len(content.texts) > 1:
        raise UserError(
            f"a row has {len(content.texts)} texts, and the endpoint {endpoint!r} takes one prompt per request; "
            "batches are for embeddings and rankings"
        )
    return content.texts[0]


def texts(content: Content, endpoint: str) -> list[str]:
    """Return the texts of a batch, or the text of a row.

    Raises:
        UserError: The host has no address.
    """
    found = list(content.texts or ()) or ([] if content.text is None else [content.text])
    if not found:
        raise UserError(f"a row has no text, and the endpoint {endpoint!r} needs one")
    return found


def chat_messages(content: Content, endpoint: str) -> list[dict[str, Any]]:
    """Return a row as OpenAI's chat messages: its own messages, or its text and images as a user message."""
    system = [] if content.system is None else [{"role": "system", "content": content.system}]
    if content.messages is not None:
        return [*system, *content.messages]
    text = one_text(content, endpoint)
    if not content.images:
        return [*system, {"role": "user", "content": text}]
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    parts += [{"type": "image_url", "image_url": {"url": image}} for image in content.images]
    return [*system, {"role": "user", "content": parts}]


def split_system(messages: Sequence[Mapping[str, Any]]) -> tuple[str | None, list[Mapping[str, Any]]]:
    """Return the system text and the other messages, for an API with a separate field for the system text."""
    words = [text_of(message) for message in messages if message.get("role") in ("system", "developer")]
    rest = [message for message in messages if message.get("role") not in ("system", "developer")]
    return "\n\n".join(words) or None, rest


def text_of(message: Mapping[str, Any]) -> str:
    """Return a message's text, from a string or from its text parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in content or () if isinstance(part, Mapping))


def parts_of(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a message's parts as ("text", text) and ("image", URL)."""
    content = message.get("content")
    if isinstance(content, str):
        return [("text", content)]
    parts = []
    for part in content or ():
        if "image_url" in part:
            url = part["image_url"]
            parts.append(("image", url["url"] if isinstance(url, Mapping) else url))
        elif isinstance(part.get("text"), str):
            parts.append(("text", part["text"]))
    return parts


def inline_image(url: str, endpoint: str) -> tuple[str, str]:
    """Return media type and base64 bytes of a ``data:`` URL, for APIs that do not fetch URLs.

    Raises:
        UserError: The URL has another scheme.
    """
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not comma:
        raise UserError(f"an image is {url[:60]!r}, and the endpoint {endpoint!r} takes images only as data:…;base64,…")
    return head.removeprefix("data:").removesuffix(";base64"), data
