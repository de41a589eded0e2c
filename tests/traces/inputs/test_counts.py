"""How long contents are, by kind, with what a server adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tokentape.traces.content import Content
from tokentape.traces.inputs.counts import Form, count_tokens

PART = {"type": "text", "text": "two words"}
PICTURE = {"type": "image_url", "image_url": {"url": "http://a/b"}}


class Words:
    """Counts words: 1 special token for a prompt, 10 for each message of a chat and 100 for the chat."""

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def count_prompts(self, texts: Sequence[str]) -> list[int]:
        return [count + 1 for count in self.count(texts)]

    def count_chats(self, chats: Sequence[Sequence[dict[str, Any]]]) -> list[int]:
        return [100 + sum(10 + len(str(message["content"]).split()) for message in chat) for chat in chats]


@pytest.mark.parametrize(
    ("content", "text", "prompt", "chat"),
    [
        (Content(text="a b c"), 3, 4, 113),
        (Content(text="a b c", system="d e"), 5, 7, 125),
        (Content(texts=("a b", "c")), 3, 5, 5),
        (Content(query="q", texts=("a b", "c")), 4, 7, 7),
        (Content(messages=({"role": "user", "content": "a b"},)), 2, 112, 112),
        (Content(payload={"messages": [{"role": "user", "content": "a b"}]}, text="not sent"), 2, 112, 112),
        (Content(payload={"prompt": "a b"}), 2, 3, 3),
        (Content(payload={"input": ["a b", "c"]}), 3, 5, 5),
        (Content(payload={"prompt": [5, 6, 7, 8]}), 4, 4, 4),
        (Content(payload={"other": "a"}), 0, 0, 0),
        (Content(images=("http://a/b",)), 0, 0, 0),
    ],
)
def test_counts(content: Content, text: int, prompt: int, chat: int) -> None:
    forms: dict[Form, int] = {"text": text, "prompt": prompt, "chat": chat}
    for form, want in forms.items():
        counted = count_tokens([Content(text="x"), content], Words(), form=form)
        assert counted.dtype == np.int32
        assert counted[1] == want


def test_text_in_parts_counts_and_pictures_do_not() -> None:
    messages = ({"role": "user", "content": [PART, PICTURE]}, {"role": "assistant", "content": "b"})
    assert count_tokens([Content(messages=messages)], Words(), form="text").tolist() == [3]


def test_nothing_is_counted() -> None:
    assert count_tokens([], Words()).tolist() == []
