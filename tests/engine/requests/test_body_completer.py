"""Recorded bodies: untouched when whole, completed when they name no model."""

import json
from typing import Any

import pytest
from tokentape.engine.requests.endpoints import ENDPOINTS, BodyCompleter, BodyOptions, missing_prompt


def completion(endpoint: str = "chat", **options: Any) -> BodyCompleter:
    return BodyCompleter(ENDPOINTS[endpoint].body(BodyOptions("ours", **options)))


def test_a_body_that_names_its_model_stays_byte_for_byte() -> None:
    recorded = b'{ "messages":[] ,\n "model" :"theirs", "temperature":1.0e-1}'
    assert completion().whole(recorded, 7) is recorded


def test_messages_alone_get_what_the_run_asks_for() -> None:
    sent = completion().whole(b' {"messages":[{"role":"user","content":"\\u00e9"}]}', 7)
    assert sent.endswith(b'"messages":[{"role":"user","content":"\\u00e9"}]}')
    assert json.loads(sent) == {
        "model": "ours",
        "max_tokens": 7,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "é"}],
    }


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_of_its_own_is_kept(limit: str) -> None:
    sent = json.loads(completion(extra={"temperature": 0}).whole(b'{"%b":50,"messages":[]}' % limit.encode(), 7))
    assert sent[limit] == 50
    assert set(sent) == {"model", "stream", "stream_options", "messages", "temperature", limit}


def test_what_it_says_itself_wins() -> None:
    sent = completion().whole(b'{"stream":false,"messages":[]}', 7)
    assert sent.count(b'"stream":') == 1
    assert json.loads(sent)["stream"] is False


@pytest.mark.parametrize(("endpoint", "prompt"), [("completions", "prompt"), ("embeddings", "input")])
def test_other_apis(endpoint: str, prompt: str) -> None:
    sent = json.loads(completion(endpoint).whole(b'{"%b":"x"}' % prompt.encode(), 7))
    assert (sent["model"], sent[prompt]) == ("ours", "x")
    assert ("max_tokens" in sent) == (endpoint == "completions")


@pytest.mark.parametrize(
    ("endpoint", "prompt"), [("chat", "messages"), ("completions", "prompt"), ("embeddings", "input")]
)
def test_a_body_for_another_api_is_told(endpoint: str, prompt: str) -> None:
    body = ENDPOINTS[endpoint].body(BodyOptions("ours"))
    assert missing_prompt(body, b'{"%b": []}' % prompt.encode()) is None
    assert missing_prompt(body, b'{"other": []}') == prompt
