"""The simulated server through other clients' eyes: openai-python's responses, and the pages that servers have."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import openai
import pytest
from tokentape.cext.server import words
from tokentape.engine.simulate.simulator import Simulator, SimulatorConfig


@pytest.fixture
def server() -> Iterator[Simulator]:
    with Simulator(SimulatorConfig(ttft="1ms", itl="0ms", default_tokens=5, model="served", reasoning_tokens=2)) as it:
        yield it


def asked(server: Simulator, path: str, body: dict[str, Any] | None = None) -> tuple[int, str, Any]:
    """Status, content type and JSON of an answer."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    text = response.read()
    connection.close()
    lines = response.headers["content-type"] == "application/x-ndjson"
    return response.status, response.headers["content-type"], text.splitlines() if lines else json.loads(text)


def test_openai_responses(server: Simulator) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", timeout=20)
    answer = client.responses.create(model="m", input="one two three", max_output_tokens=6)
    assert answer.output_text == "".join(words(6)[2:])
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 6)
    assert answer.usage.output_tokens_details.reasoning_tokens == 2


def test_openai_responses_stream(server: Simulator) -> None:
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", timeout=20)
    said, thought, types = "", "", []
    with client.responses.create(model="m", input="hi", max_output_tokens=6, stream=True) as stream:
        for event in stream:
            types.append(event.type)
            if event.type == "response.output_text.delta":
                said += event.delta
            elif event.type == "response.reasoning_text.delta":
                thought += event.delta
            elif event.type == "response.output_text.done":
                assert event.text == said
    assert (thought, said) == ("".join(words(2)), "".join(words(6)[2:]))
    assert types == [
        *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
        *["response.reasoning_text.delta"] * 2,
        *("response.reasoning_text.done", "response.output_item.done"),
        *("response.output_item.added", "response.content_part.added"),
        *["response.output_text.delta"] * 4,
        *(
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.incomplete",
        ),
    ]


@pytest.mark.parametrize(
    "path", ["/health", "/v2/health/live", "/v2/health/ready", "/v2/models/any/ready", "/v1/models", "/api/tags"]
)
def test_pages(server: Simulator, path: str) -> None:
    status, _, page = asked(server, path)
    assert status == 200
    if path == "/api/tags":
        assert page == {"models": [{"name": "served", "model": "served"}]}


def test_the_model_of_a_path_is_echoed(server: Simulator) -> None:
    body = {"text_input": "a b", "max_tokens": 3}
    assert asked(server, "/v2/models/some-model/generate", body)[2]["model_name"] == "some-model"
    assert asked(server, "/v2/models//generate", body)[0] == 404
    assert asked(server, "/v2/models/a/b/generate", body)[0] == 404
    assert asked(server, f"/v2/models/{'m' * 300}/generate", body)[0] == 404


def test_two_servers_share_a_path(server: Simulator) -> None:
    """SGLang and TGI both answer at /generate, and their bodies differ."""
    sglang = asked(server, "/generate", {"text": "a b", "sampling_params": {"max_new_tokens": 3}})[2]
    assert (sglang["text"], sglang["meta_info"]["completion_tokens"]) == ("".join(words(3)), 3)
    tgi = asked(server, "/generate", {"inputs": "a b", "parameters": {"max_new_tokens": 4, "details": True}})[2]
    assert (tgi["generated_text"], tgi["details"]["generated_tokens"]) == ("".join(words(4)), 4)
    status, _, error = asked(server, "/generate", {"prompt": "a"})
    assert (status, error) == (400, {"error": {"message": "text is required"}})


def test_ollama_streams_unless_told_not_to(server: Simulator) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "options": {"num_predict": 4}}
    _, kind, lines = asked(server, "/api/chat", body)
    assert (kind, len(lines)) == ("application/x-ndjson", 5)
    pieces = [json.loads(line)["message"] for line in lines]
    assert [piece.get("thinking") for piece in pieces[:2]] == words(2)
    assert "".join(piece["content"] for piece in pieces) == "".join(words(4)[2:])
    _, kind, whole = asked(server, "/api/chat", body | {"stream": False})
    assert kind == "application/json"
    assert (whole["done"], whole["eval_count"], whole["message"]["content"]) == (True, 4, "".join(words(4)[2:]))


def test_long_repeated_texts(server: Simulator) -> None:
    """Events that repeat all of the text grow beyond what an event may have elsewhere."""
    body = {"inputs": "a", "parameters": {"max_new_tokens": 5000, "details": True}}
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/generate_stream", json.dumps(body))
    events = connection.getresponse().read().split(b"\n\n")
    connection.close()
    last = json.loads(events[-2].removeprefix(b"data:"))
    assert (len(events), last["generated_text"]) == (5001, "".join(words(5000)))


def test_scores(server: Simulator) -> None:
    texts = ["a b", "c", "d e f"]
    nim = asked(server, "/v1/ranking", {"query": {"text": "q"}, "passages": [{"text": text} for text in texts]})[2]
    assert [row["index"] for row in nim["rankings"]] == [0, 1, 2]
    assert nim["usage"]["prompt_tokens"] == 7
    cohere = asked(server, "/v2/rerank", {"model": "m", "query": "q", "documents": texts})[2]
    assert len(cohere["results"]) == 3
    assert len(asked(server, "/rerank", {"query": "q", "texts": texts})[2]) == 3
    assert asked(server, "/rerank", {"query": "q", "texts": []})[0] == 400
