"""Faults of the simulated server: error statuses, broken streams, silence, wrong lengths, redirects."""

import json

import pytest
from simulated_server import CHAT, OUTCOMES, fetch, kinds, parse, serving, watch


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500, 503])
def test_an_error_status_instead_of_an_answer(status: int) -> None:
    response = parse(fetch(fault="status", fault_status=status))
    assert (response.status, response.result) == (status, "complete")
    assert json.loads(response.body)["error"]["code"] == status
    assert response.retry_after_s == (7 if status in {429, 503} else -1)


def test_the_shapes_of_errors() -> None:
    bodies = {shape: parse(fetch(fault="status", error_shape=shape)) for shape in ("fastapi", "text", "html")}
    assert set(json.loads(bodies["fastapi"].body)) == {"detail"}
    assert bodies["text"].body == b"Internal Server Error"
    assert bodies["html"].body.startswith(b"<html>") and bodies["html"].content_type == "html"


def test_an_error_within_the_stream() -> None:
    data, event, field = (fetch(fault="error", stream_error=form) for form in ("data", "event", "field"))
    assert kinds(data) == ["role", "token", "token", "error", "done"]
    assert b'data: {"error":{' in data
    assert kinds(event) == kinds(field) == ["role", "token", "token", "error"]
    assert b'event: error\ndata: {"error":{' in event
    assert b'error: {"error":{' in field
    assert all(parse(raw).result == "complete" for raw in (data, event, field))


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_stream_that_is_cut(framing: str) -> None:
    response = parse(fetch(fault="cut", framing=framing))
    assert response.result == "error"
    assert [scan.kind for scan in response.scans] == ["role", "token", "token"]


def test_a_stream_that_is_reset() -> None:
    with serving(fault="reset") as (server, client):
        client.send(CHAT)
        with pytest.raises(ConnectionResetError):
            client.rest()
    assert OUTCOMES[server.take_requests()[0].outcome] == "truncated"


@pytest.mark.parametrize(("fault", "tokens"), [("stall", 2), ("silent", 0)])
def test_faults_of_silence_keep_the_connection_open(fault: str, tokens: int) -> None:
    with serving(fault=fault) as (server, client):
        client.send(CHAT)
        if tokens:
            client.until(b'" time"},"logprobs":null,"finish_reason":null}]}\n\n\r\n')
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.rest()
        watch(server, "requests_running", lambda running: running == 1)
        client.socket.close()
        watch(server, "requests_running", lambda running: running == 0)
        (row,) = server.take_requests()
    assert (OUTCOMES[row.outcome], row.output_tokens) == ("timeout", tokens)


def test_content_length_can_be_too_long() -> None:
    for body in (CHAT, CHAT | {"stream": False}):
        response = parse(fetch(body, fault="length"))
        assert response.result == "error"
        assert response.content_length == len(response.body) + 100


def test_a_redirect_leads_to_an_answer() -> None:
    raw = fetch(fault="redirect")
    assert raw.startswith(b"HTTP/1.1 307 ") and b"\r\nlocation: /redirected/v1/chat/completions\r\n" in raw
    assert parse(fetch(path="/redirected/v1/chat/completions", fault="redirect")).status == 200


@pytest.mark.parametrize(("fault", "status"), [("cut", 200), ("error", 500), ("status", 500)])
def test_faults_of_responses_without_a_stream(fault: str, status: int) -> None:
    response = parse(fetch(CHAT | {"stream": False}, fault=fault))
    assert response.status == status
    assert (response.result == "complete") == (status == 500)


def test_a_fault_after_the_last_token_has_no_effect() -> None:
    assert kinds(fetch(fault="cut", fault_after=5)) == ["role", *["token"] * 4, "other", "done"]
    assert parse(fetch(fault="cut", fault_after=4)).result == "error"
    assert kinds(fetch(fault="cut", fault_after=0)) == ["role"]


def test_the_seed_decides_which_requests_are_faulty() -> None:
    def faulty(seed: int) -> list[bool]:
        with serving(fault="status", fault_share=0.25, seed=seed, ttft=("constant", 0.0, 0.0)) as (_, client):
            statuses = []
            for _ in range(200):
                client.send({"input": "a"}, "/v1/embeddings")
                statuses.append(parse(client.until(b"}")).status)
        return [status == 500 for status in statuses]

    first = faulty(3)
    assert 25 <= sum(first) <= 75
    assert first == faulty(3) != faulty(4)
