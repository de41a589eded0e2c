"""The bodies of every API: valid JSON with the right fields."""

import json
from typing import Any

import pytest
from tokentape.cext.parsers import Dialect
from tokentape.engine.errors import UserError
from tokentape.engine.requests.body_template import make_body
from tokentape.engine.requests.endpoints import ALIASES, ENDPOINTS, BodyOptions, find_endpoint
from tokentape.engine.requests.endpoints.rankings import QUERY

NAMELESS = {"tgi", "triton", "kserve", "sglang", "tei_rankings"}
"""Servers of one model, or with its name in the path."""

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
    assert body.get("model", 'a"b\\c%dü') == 'a"b\\c%dü'
    assert ("model" in body) == (name not in NAMELESS)


def test_a_model_named_like_a_gap_stays_a_name() -> None:
    body = make_body({"model": "[prompt]", "prompt": "\x00prompt"})
    assert json.loads(body.render(b"p", 1)) == {"model": "[prompt]", "prompt": "p"}


def test_every_endpoint_has_its_own_name_and_path() -> None:
    assert all(endpoint.name == name for name, endpoint in ENDPOINTS.items())
    assert len({endpoint.path for endpoint in ENDPOINTS.values()}) == len(ENDPOINTS)
    assert set(ALIASES.values()) <= set(ENDPOINTS)
    assert not set(ALIASES) & set(ENDPOINTS)
    assert find_endpoint("huggingface_generate") is ENDPOINTS["tgi"]
    with pytest.raises(
        UserError, match="--endpoint-type 'chart' is unknown; write one of chat, completions, responses, "
    ):
        find_endpoint("chart")


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_the_length_stands_where_the_endpoint_says(name: str) -> None:
    endpoint = ENDPOINTS[name]
    body = endpoint.body(BodyOptions("m"))
    assert body.length_path == endpoint.length_path
    assert body.takes_length == (endpoint.length_path is not None)
    value: Any = json.loads(body.render(b"x", 77))
    for key in endpoint.length_path or ():
        value = value[int(key)] if isinstance(value, list) else value[key]
    assert endpoint.length_path is None or value == 77


def test_no_two_endpoints_give_one_path_two_parts() -> None:
    """A tape with requests to several APIs is replayed with the meaning of all of them."""
    parts: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for endpoint in ENDPOINTS.values():
        for path, role in endpoint.fields.items():
            assert parts.setdefault(path, role) == role, (endpoint.name, path)
        for word, kind in endpoint.types.items():
            assert kinds.setdefault(word, kind) == kind, (endpoint.name, word)
    Dialect(parts, kinds)


def test_paths_with_a_model() -> None:
    triton = ENDPOINTS["triton"]
    assert triton.path_for("a/b c") == "/v2/models/a%2Fb%20c/generate_stream"
    assert triton.path_for("m", stream=False) == "/v2/models/m/generate"
    assert ENDPOINTS["tgi"].path_for("m", stream=False) == "/generate"
    assert ENDPOINTS["chat"].path_for("m", stream=False) == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("responses", {"model": "the/model", "input": "hi", "max_output_tokens": 7, "ignore_eos": True,
                       "stream": True}),
        ("messages", {"model": "the/model", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 7,
                      "stream": True}),
        ("ollama_chat", {"model": "the/model", "messages": [{"role": "user", "content": "hi"}], "stream": True,
                         "options": {"num_predict": 7}}),
        ("ollama_generate", {"model": "the/model", "prompt": "hi", "stream": True, "options": {"num_predict": 7}}),
        ("tgi", {"inputs": "hi", "parameters": {"max_new_tokens": 7, "details": True}}),
        ("triton", {"text_input": "hi", "max_tokens": 7, "stream": True, "ignore_eos": True}),
        ("kserve", {"inputs": [{"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": ["hi"]},
                               {"name": "max_tokens", "shape": [1, 1], "datatype": "INT32", "data": [7]}]}),
        ("sglang", {"text": "hi", "sampling_params": {"max_new_tokens": 7, "ignore_eos": True}, "stream": True}),
        ("cohere_rankings", {"model": "the/model", "query": QUERY, "documents": ["hi"]}),
        ("tei_rankings", {"query": QUERY, "texts": ["hi"]}),
        ("rankings", {"model": "the/model", "query": {"text": QUERY}, "passages": [{"text": "hi"}]}),
    ],
)  # fmt: skip
def test_other_bodies(name: str, expected: dict[str, Any]) -> None:
    assert _body(name, b"hi") == expected


def test_an_extra_field_in_the_prompts_place() -> None:
    assert _body("completions", b"hi", extra={"prompt": "always this"})["prompt"] == "always this"
    assert _body("completions", b"hi", extra={"prompt": "always this"})["max_tokens"] == 7


def test_extra_fields_join_the_parameters() -> None:
    body = _body("tgi", b"hi", extra={"parameters": {"temperature": 0.5}})
    assert body["parameters"] == {"max_new_tokens": 7, "details": True, "temperature": 0.5}


def test_ollama_is_told_not_to_stream() -> None:
    assert _body("ollama_chat", b"hi", stream=False)["stream"] is False
