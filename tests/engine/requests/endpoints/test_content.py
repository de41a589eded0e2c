"""What a row says, in the fields of every API."""

import json
from typing import Any

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.requests.endpoints import ENDPOINTS, BodyCompleter, BodyOptions
from tokentape.traces.content import Content

IMAGE = "data:image/png;base64,iVBORw0KGgo="
CHAT = Content(
    system="be brief",
    messages=(
        {
            "role": "user",
            "content": [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": IMAGE}}],
        },
        {"role": "assistant", "content": "a dot"},
        {"role": "user", "content": "why?"},
    ),
)


def said(name: str, content: Content) -> dict[str, Any]:
    return ENDPOINTS[name].content(content)


def sent(name: str, content: Content, output_tokens: int = 7, **options: Any) -> dict[str, Any]:
    endpoint = ENDPOINTS[name]
    completion = BodyCompleter(endpoint.body(BodyOptions("ours", **options)))
    body: dict[str, Any] = json.loads(completion.compose(endpoint.content(content), output_tokens))
    return body


def test_a_prompt() -> None:
    content = Content(text="hi")
    assert said("chat", content) == {"messages": [{"role": "user", "content": "hi"}]}
    assert said("completions", content) == {"prompt": "hi"}
    assert said("responses", content) == {"input": "hi"}
    assert said("messages", content) == {"messages": [{"role": "user", "content": "hi"}]}
    assert said("embeddings", content) == {"input": "hi"}
    assert said("ollama_chat", content) == {"messages": [{"role": "user", "content": "hi"}]}
    assert said("ollama_generate", content) == {"prompt": "hi"}
    assert said("tgi", content) == {"inputs": "hi"}
    assert said("triton", content) == {"text_input": "hi"}
    assert said("sglang", content) == {"text": "hi"}


def test_a_prompt_with_the_systems_words() -> None:
    content = Content(text="hi", system="be brief")
    assert said("chat", content)["messages"][0] == {"role": "system", "content": "be brief"}
    assert said("responses", content) == {"input": "hi", "instructions": "be brief"}
    assert said("messages", content) == {"messages": [{"role": "user", "content": "hi"}], "system": "be brief"}
    assert said("ollama_generate", content) == {"prompt": "hi", "system": "be brief"}


def test_messages_with_an_image() -> None:
    assert CHAT.messages is not None
    assert said("chat", CHAT)["messages"] == [{"role": "system", "content": "be brief"}, *CHAT.messages]
    claude = said("messages", CHAT)
    assert claude["system"] == "be brief"
    assert claude["messages"][0]["content"] == [
        {"type": "text", "text": "what?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    ]
    assert claude["messages"][1:] == [{"role": "assistant", "content": "a dot"}, {"role": "user", "content": "why?"}]
    items = said("responses", CHAT)["input"]
    assert items[1] == {
        "role": "user",
        "content": [{"type": "input_text", "text": "what?"}, {"type": "input_image", "image_url": IMAGE}],
    }
    ollama = said("ollama_chat", CHAT)["messages"]
    assert ollama[1] == {"role": "user", "content": "what?", "images": ["iVBORw0KGgo="]}


def test_images_beside_a_text() -> None:
    content = Content(text="what?", images=(IMAGE, "https://example.com/a.png"))
    parts = said("chat", content)["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "image_url"]
    assert said("messages", content)["messages"][0]["content"][2]["source"] == {
        "type": "url",
        "url": "https://example.com/a.png",
    }
    assert said("sglang", content)["image_data"] == [IMAGE, "https://example.com/a.png"]
    with pytest.raises(UserError, match=r"example\.com/a\.png.*takes images only as data:"):
        said("ollama_generate", content)


def test_batches_and_rankings() -> None:
    content = Content(texts=("a", "b"), query="which?")
    assert said("embeddings", content) == {"input": ["a", "b"]}
    assert said("rankings", content) == {"query": {"text": "which?"}, "passages": [{"text": "a"}, {"text": "b"}]}
    assert said("cohere_rankings", content) == {"query": "which?", "documents": ["a", "b"]}
    assert said("tei_rankings", content) == {"query": "which?", "texts": ["a", "b"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("completions", CHAT, "has chat messages"),
        ("tgi", Content(), "has no text"),
        ("chat", Content(texts=("a", "b")), "has 2 texts.*one prompt per request"),
        ("embeddings", Content(query="?"), "has no text"),
        ("tei_rankings", Content(texts=("a",)), "has no query"),
    ],
)
def test_what_an_api_cannot_say(name: str, content: Content, message: str) -> None:
    with pytest.raises(UserError, match=message):
        said(name, content)


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_a_payload_wins(name: str) -> None:
    assert said(name, Content(payload={"model": "theirs", "x": 1})) == {"model": "theirs", "x": 1}


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_a_row_is_completed_to_what_a_generated_prompt_gets(name: str) -> None:
    endpoint = ENDPOINTS[name]
    query = "Which passage is about this?"
    content = Content(texts=("hi",), query=query) if "rankings" in name else Content(text="hi")
    assert sent(name, content) == json.loads(endpoint.body(BodyOptions("ours")).render(b"hi", 7))


def test_a_limit_of_its_own_within_the_parameters() -> None:
    content = Content(text="hi", payload={"parameters": {"max_new_tokens": 3, "temperature": 0.5}})
    assert sent("tgi", content)["parameters"] == {"max_new_tokens": 3, "temperature": 0.5, "details": True}
    content = Content(text="hi", payload={"sampling_params": {"temperature": 0}})
    assert sent("sglang", content)["sampling_params"] == {"max_new_tokens": 7, "ignore_eos": True, "temperature": 0}
    content = Content(text="hi", payload={"sampling_params": {"max_new_tokens": 2}})
    assert sent("sglang", content)["sampling_params"] == {"max_new_tokens": 2}


def test_a_payload_that_names_a_model_is_completed_all_the_same() -> None:
    body = sent("chat", Content(payload={"model": "theirs", "messages": []}))
    assert (body["model"], body["stream"], body["max_tokens"]) == ("theirs", True, 7)
