"""Endpoints of the simulated server that do not stream, and requests that it refuses."""

import json

import pytest
from simulated_server import CHAT, fetch, parse, serving


def test_a_response_without_a_stream() -> None:
    response = parse(fetch(CHAT | {"stream": False}))
    answer = json.loads(response.body)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "love time list page"}
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert answer["model"] == "m"


def test_embeddings_as_floats_and_base64() -> None:
    floats = json.loads(parse(fetch({"input": ["a b", "c"]}, "/v1/embeddings")).body)
    assert floats["id"].startswith("embd-") and floats["usage"]["prompt_tokens"] == 3
    assert [row["index"] for row in floats["data"]] == [0, 1]
    packed = json.loads(
        parse(fetch({"input": [1, 2], "encoding_format": "base64", "dimensions": 6}, "/v1/embeddings")).body
    )
    assert len(packed["data"][0]["embedding"]) == 32  # 24 bytes
    assert sum(x * x for x in floats["data"][0]["embedding"]) == pytest.approx(1, abs=1e-6)


def test_models_health_and_metrics() -> None:
    with serving() as (_, client):
        client.send(b"", "/v1/models", method="GET")
        assert b'"id":"simulated"' in client.until(b"]}")
        client.send(b"", "/health", method="GET")
        client.until(b'{"status":"ok"}')
        client.send(CHAT)
        client.until(b"0\r\n\r\n")
        client.send(b"", "/metrics", method="GET", head="Connection: close\r\n")
        page = parse(client.rest()).body.decode().splitlines()
    assert 'tokentape_requests_total{endpoint="chat",status="200"} 1' in page
    assert "tokentape_generation_tokens_total 4" in page
    assert "tokentape_requests_running 0" in page
    assert "tokentape_time_to_first_token_seconds_count 1" in page
    assert 'tokentape_inter_token_latency_seconds_bucket{le="+Inf"} 3' in page


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("GET", "/v1/nothing", b"", 404, None),
        ("GET", "/v1/chat/completions", b"", 405, None),
        ("DELETE", "/health", b"", 405, None),
        ("POST", "/v1/chat/completions", b"{", 400, None),
        ("POST", "/v1/chat/completions", b"{}", 400, "messages"),
        ("POST", "/v1/completions", b'{"prompt":"a","max_tokens":0}', 400, "max_tokens"),
        ("POST", "/v1/embeddings", b'{"input":[]}', 400, "input"),
    ],
)
def test_bad_requests_get_openai_shaped_errors(
    method: str, path: str, body: bytes, status: int, param: str | None
) -> None:
    with serving() as (_, client):
        client.send(body, path, method=method)
        response = parse(client.until(b"}}"))
        assert response.status == status
        assert json.loads(response.body)["error"]["param"] == param
        client.send(b"", "/health", method="GET")  # and the connection lives on
        client.until(b'{"status":"ok"}')


def test_bytes_that_are_not_http_get_400_and_a_close() -> None:
    with serving() as (_, client):
        client.socket.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert client.rest().startswith(b"HTTP/1.1 400 ")


def test_a_large_prompt_is_counted() -> None:
    count = 150_000
    body = {"messages": [{"role": "user", "content": " word" * count}], "max_tokens": 1}
    assert json.loads(parse(fetch(body)).body)["usage"]["prompt_tokens"] == count
