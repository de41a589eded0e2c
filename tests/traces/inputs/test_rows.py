"""What rows of files and datasets say, key by key."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces.content import Content
from tokentape.traces.inputs.images import data_url, synthetic_images
from tokentape.traces.inputs.lengths import Normal
from tokentape.traces.inputs.prompt_rows import KEYS, NoPrompt, content_of
from tokentape.traces.reading.field_checks import BadField

MESSAGES = [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "t"}]}]
TALK = [
    {"from": "gpt", "value": "an answer to nothing"},
    {"from": "system", "value": "be kind"},
    {"from": "human", "value": "why?"},
    {"from": "gpt", "value": "12345"},
]


@pytest.mark.parametrize(
    ("row", "content"),
    [
        ({"text": "What was the first car ever driven?"}, Content(text="What was the first car ever driven?")),
        ({"text_input": "a"}, Content(text="a")),
        ({"prompt": " kept as it is\n"}, Content(text=" kept as it is\n")),
        ({"prompt": ["a", "b"]}, Content(texts=("a", "b"))),
        ({"prompt": MESSAGES}, Content(messages=tuple(MESSAGES))),
        ({"messages": MESSAGES, "model": "m"}, Content(messages=tuple(MESSAGES), model="m")),
        ({"text": "a", "output_length": 7, "id": 3, "max_tokens": None}, Content(text="a", output_tokens=7)),
        ({"text": "a", "max_tokens": 7}, Content(text="a", output_tokens=7)),
        ({"texts": ["a", "b"]}, Content(texts=("a", "b"))),
        ({"texts": [{"name": "t", "contents": ["a", "b"]}, {"contents": ["c"]}]}, Content(texts=("a", "b", "c"))),
        ({"texts": [{"name": "query", "contents": ["q"]}, {"name": "passages", "contents": ["a", "b"]}]},
         Content(query="q", texts=("a", "b"))),
        ({"query": "q", "passages": ["a", {"text": "b"}]}, Content(query="q", texts=("a", "b"))),
        ({"query": {"text": "q"}, "texts": ["a"]}, Content(query="q", texts=("a",))),
        ({"payload": {"input": "x", "n": 0.1}}, Content(payload={"input": "x", "n": 0.1})),
        ({"payload": [{"input": "x"}]}, Content(payload={"input": "x"})),
        ({"text": "a", "payload": {"temperature": 0}}, Content(text="a", payload={"temperature": 0})),
        ({"session_id": "s", "payloads": [{"input": "x"}]}, Content(payload={"input": "x"})),
        ({"session_id": "s", "turns": [{"text": "a"}]}, Content(text="a")),
        ({"text": "a", "image": "https://example.com/a.png"}, Content(text="a", images=("https://example.com/a.png",))),
        ({"images": ["data:image/png;base64,AA=="]}, Content(images=("data:image/png;base64,AA==",))),
        ({"images": [{"url": "http://a/b"}]}, Content(images=("http://a/b",))),
        ({"images": [{"name": "i", "contents": ["http://a/b", "http://c"]}]},
         Content(images=("http://a/b", "http://c"))),
        # datasets
        ({"id": "n", "system_prompt": "be brief", "question": "q", "response": "r"},
         Content(text="q", system="be brief")),
        ({"system_prompt": "", "question": "q"}, Content(text="q")),
        ({"article": "long", "highlights": "short", "id": "x"}, Content(text="long")),
        ({"id": "x", "conversations": TALK}, Content(text="why?", system="be kind", output_tokens=2)),
        ({"conversations": TALK[2:3]}, Content(text="why?")),
    ],
)  # fmt: skip
def test_a_row_says_this(row: dict[str, Any], content: Content) -> None:
    assert content_of(row) == content


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        ({}, None, "has none of text, prompt, messages, payload; it has 'no keys'"),
        ({"txt": "a", "b": 1}, None, "has none of text, prompt, messages, payload; it has 'txt, b'"),
        ({"text": None}, None, "has none of text"),
        ({"text": " "}, "text", "is empty; a prompt belongs there"),
        ({"text": 5}, "text", "is 5 where a text belongs"),
        ({"text": "a", "text_input": "b"}, "text", "and 'text_input' are both given; one of them is what to send"),
        ({"text": "a", "texts": ["b"]}, "text", "and 'texts' are both given; one of them is what to send"),
        ({"texts": []}, "texts", "is empty; a list of texts belongs there"),
        ({"texts": ["a", 3]}, "texts[1][0]", "is 3 where a text belongs"),
        ({"texts": "a"}, "texts", "is 'a' where a list of texts belongs"),
        ({"query": "q"}, "query", "has no passages beside it; a list of texts belongs under 'passages'"),
        ({"query": 3, "passages": ["a"]}, "query", "is 3 where a text belongs"),
        ({"messages": []}, "messages", "is empty; a list of messages belongs there"),
        ({"messages": "hi"}, "messages", "is 'hi' where a list of messages belongs"),
        ({"messages": [{"content": "a"}]}, "messages[0].role",
         "is missing where user, assistant, system or tool belongs"),
        ({"payload": 3}, "payload", "is 3 where a request's body belongs"),
        ({"payload": {}}, "payload", "is empty; a request's body belongs there"),
        ({"conversations": [{"from": "gpt", "value": "a"}]}, "conversations", "holds no question"),
        ({"conversations": [{"from": "cat", "value": "a"}]}, "conversations[0].from", "'cat' is not one of human"),
        ({"text": "a", "max_tokens": 0}, "max_tokens", "is 0; at least one token must be asked for"),
        ({"text": "a", "max_tokens": "many"}, "max_tokens", "'many' is not a number"),
        ({"text": "a", "max_tokens": 1, "output_length": 2}, "output_length", "and 'max_tokens' are both given"),
        ({"text": "a", "model": ["m"]}, "model", "['m'] is not a name"),
        ({"text": "a", "image": "none.png"}, "image",
         "there is no image 'none.png', from here or from where the file is"),
        ({"text": "a", "image": 3}, "image", "is 3 where a path or a URL belongs"),
        ({"text": "a", "images": ["ftp://x/y.png"]}, "images[0]", "'ftp://x/y.png' is no image's URL"),
        ({"turns": [{"text": "a"}, {"text": "b"}]}, "turns", "are 2 requests, and a row is one; tokentape"),
        ({"timestamp": 0, "input_length": 50}, "input_length", "is a length and no text; tokentape replay sends"),
        ({"audio": "a.wav"}, "audio", "cannot be sent: requests have texts and images"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_row_that_says_nothing(row: dict[str, Any], field: str | None, said: str) -> None:
    with pytest.raises(BadField) as caught:
        content_of(row)
    assert caught.value.field == field
    assert said in caught.value.problem


def test_a_column_of_the_users_own() -> None:
    row = {"body": "b", "text": "t", "talk": [{"from": "human", "value": "q"}], "n": 3}
    assert content_of(row, column="body") == Content(text="b")
    assert content_of(row, column="talk") == Content(text="q")
    with pytest.raises(NoPrompt, match="is missing; the row has 'body, text, talk, n'"):
        content_of(row, column="none")
    with pytest.raises(BadField, match="is 3 where a text belongs"):
        content_of(row, column="n")


def test_images_of_files_become_data_urls(tmp_path: Path) -> None:
    (url,) = synthetic_images(1, Normal(3), Normal(2))
    data = base64.b64decode(url.partition(",")[2])
    (tmp_path / "a.png").write_bytes(data)
    (tmp_path / "b.png").write_bytes(b"no image")
    assert content_of({"image": "a.png"}, folder=tmp_path).images == (url,) == (data_url(data),)
    assert content_of({"image": str(tmp_path / "a.png")}).images == (url,)
    with pytest.raises(BadField, match=r"'b\.png' is no PNG, JPEG, WebP or GIF image"):
        content_of({"image": "b.png"}, folder=tmp_path)


INNER_KEYS = st.sampled_from(["role", "from", "value", "text", "name", "contents", "url"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(INNER_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*KEYS, "audio", "other"]), JSON, max_size=4))
@settings(max_examples=500, deadline=None)
def test_any_row_is_a_content_or_a_bad_field(row: dict[str, Any]) -> None:
    try:
        content = content_of(row)
    except BadField:
        return
    assert content.text or content.texts or content.messages or content.payload or content.images
