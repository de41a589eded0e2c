"""Counting the tokens of contents as a server would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..content import Content

Form = Literal["text", "prompt", "chat"]
"""Server additions that count as input. "text": none, as in GenAI-Perf. "prompt": the special tokens at the ends of a
text (BOS). "chat": the chat template around the messages, up to the start of the response."""


class TokenCounts(Protocol):
    """Token counter of a model; engine.tokenizer.TokenCounter is one."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text alone."""
        ...

    def count_prompts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text with the special tokens at its beginning and end."""
        ...

    def count_chats(self, chats: Sequence[Sequence[dict[str, Any]]]) -> list[int]:
        """Return the tokens of each list of messages, rendered by the chat template with a generation prompt."""
        ...


def count_tokens(contents: Sequence[Content], counter: TokenCounts, *, form: Form = "prompt") -> NDArray[np.int32]:
    """Return the input tokens of each content. Images are not counted, because their tokens depend on the model.

    Args:
        contents: Contents of any kind. Messages use the chat template unless the form is "text". A batch counts as the
            sum of its texts, a ranking as the query and its passages, a payload as its messages, prompt or input.
        counter: Counter of the model's tokens.
        form: Form in which a text, with its system prompt, is sent.
    """
    texts: list[tuple[int, str]] = []
    chats: list[tuple[int, Sequence[dict[str, Any]]]] = []
    tokens = np.zeros(len(contents), np.int64)
    for row, content in enumerate(contents):
        messages = _messages(content, form)
        if messages is not None:
            chats.append((row, messages))
            continue
        said, ids = _texts(content)
        texts += [(row, text) for text in said]
        tokens[row] += ids
    count_texts = counter.count if form == "text" else counter.count_prompts
    counted = count_texts([text for _, text in texts]) if texts else []
    np.add.at(tokens, [row for row, _ in texts], np.asarray(counted, np.int64))
    counted = counter.count_chats([messages for _, messages in chats]) if chats else []
    np.add.at(tokens, [row for row, _ in chats], np.asarray(counted, np.int64))
    return tokens.astype(np.int32)


def _messages(content: Content, form: Form) -> Sequence[dict[str, Any]] | None:
    """Return the chat messages of a content; None if it uses no chat template."""
    if form == "text":
        return None
    if content.payload is not None:
        messages = content.payload.get("messages")
        if isinstance(messages, list):
            return messages
    if content.messages is not None:
        return content.messages
    if form != "chat" or content.text is None:
        return None
    system = [] if content.system is None else [{"role": "system", "content": content.system}]
    return [*system, {"role": "user", "content": content.text}]


def _texts(content: Content) -> tuple[list[str], int]:
    """Return the texts of a content, and the number of its token ids."""
    if content.payload is not None:
        for key in ("messages", "prompt", "input", "text_input", "inputs", "text"):
            if key in content.payload:
                return _strings(content.payload[key])
    texts, ids = _strings(list(content.messages or ()))
    alone = (content.system, content.query, content.text)
    return [text for text in alone if text is not None] + list(content.texts or ()) + texts, ids


def _strings(value: Any) -> tuple[list[str], int]:
    """Return the texts in a prompt, a list of prompts, messages or content parts; and the number of token ids."""
    if isinstance(value, str):
        return [value], 0
    if isinstance(value, dict):
        return _strings(value.get("content", value.get("text")))
    if not isinstance(value, list):
        return [], 0
    texts, ids = [], 0
    for item in value:
        if isinstance(item, int):
            ids += 1
            continue
        more, further = _strings(item)
        texts += more
        ids += further
    return texts, ids
