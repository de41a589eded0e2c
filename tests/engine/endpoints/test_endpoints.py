"""The bodies of every API: valid JSON with the right fields."""

import json
from typing import Any

import pytest
from tokentape.engine.endpoints import ENDPOINTS, BodyOptions
from tokentape.engine.endpoints.endpoint import make_body

TEXT = r"say \"100%\" and %d \u00e9 \n"


def _body(name: str, prompt: bytes, tokens: int = 7, **options: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(ENDPOINTS[name].body(BodyOptions("the/model", **options)).render(prompt, tokens))
    return body


def test_chat() -> None:
    assert _body("chat", TEXT.encode()) == {
        "model": "the/model",
        "messages": [{"role": "user", "content": 'say "100%" and %d é \n'}],
        "max_tokens": 7,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_completions_of_text_and_of_token_ids() -> None:
    assert _body("completions", b"hello")["prompt"] == "hello"
    assert _body("completions", b"1,2,3", prompt_form="token_ids")["prompt"] == [1, 2, 3]
    assert _body("completions", b"", prompt_form="token_ids")["prompt"] == []
    assert _body("completions", b"1", 5, prompt_form="token_ids")["max_tokens"] == 5


def test_embeddings_ask_for_no_tokens_and_no_stream() -> None:
    assert _body("embeddings", b"hello") == {"model": "the/model", "input": "hello"}
    assert _body("embeddings", b"4,5", prompt_form="token_ids")["input"] == [4, 5]


@pytest.mark.parametrize("name", ["chat", "completions"])
def test_what_can_be_switched_off_is_left_out(name: str) -> None:
    body = _body(name, b"x", stream=False, ignore_eos=False)
    assert not {"stream", "stream_options", "ignore_eos"} & set(body)
    assert "stream_options" not in _body(name, b"x", usage=False)
    assert _body(name, b"x", usage=False)["stream"] is True


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_extra_fields_win(name: str) -> None:
    body = _body(name, b"x", extra={"temperature": 0, "model": "other", "note": "50% of %d", "max_tokens": 3})
    assert (body["temperature"], body["model"], body["note"], body["max_tokens"]) == (0, "other", "50% of %d", 3)


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_a_model_of_any_name(name: str) -> None:
    body = json.loads(ENDPOINTS[name].body(BodyOptions('a"b\\c%dü')).render(b"x", 1))
    assert body["model"] == 'a"b\\c%dü'


def test_a_model_named_like_a_gap_stays_a_name() -> None:
    body = make_body({"model": "[prompt]", "prompt": "\x00prompt"})
    assert json.loads(body.render(b"p", 1)) == {"model": "[prompt]", "prompt": "p"}


def test_every_endpoint_has_its_own_name_and_path() -> None:
    assert set(ENDPOINTS) == {"chat", "completions", "embeddings"}
    assert all(endpoint.name == name for name, endpoint in ENDPOINTS.items())
    assert len({endpoint.path for endpoint in ENDPOINTS.values()}) == len(ENDPOINTS)
