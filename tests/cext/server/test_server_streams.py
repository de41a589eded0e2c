"""Streams of the simulated server as raw bytes: order of events, framing, and each variant of the wire."""

import json

import pytest
from simulated_server import CHAT, MS, chunks, events_of, fetch, kinds, parse, serving, text
from tokentape.cext.server import words

# ---- a well-behaved stream ---------------------------------------------------------


def test_a_stream_has_head_role_tokens_finish_and_done() -> None:
    raw = fetch()
    response = parse(raw)
    assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (response.result, response.status, response.content_type, response.chunked) == ("complete", 200, "sse", True)
    assert kinds(raw) == ["role", "token", "token", "token", "token", "other", "done"]
    assert text(response) == "love time list page" == "".join(words(4))
    assert response.scans[5].finish == b"length"
    assert raw.endswith(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


def test_usage_is_sent_on_request() -> None:
    scans = parse(fetch(CHAT | {"stream_options": {"include_usage": True}})).scans
    assert [scan.kind for scan in scans][-2:] == ["usage", "done"]
    assert (scans[-2].input_tokens, scans[-2].output_tokens) == (3, 4)


def test_usage_on_every_chunk_counts_up() -> None:
    requested = fetch(CHAT | {"stream_options": {"include_usage": True, "continuous_usage_stats": True}})
    always = fetch(continuous_usage=True)
    for raw in (requested, always):
        assert [scan.output_tokens for scan in parse(raw).scans] == [0, 1, 2, 3, 4, 4, 4, -1]


def test_a_completion_streams_text() -> None:
    raw = fetch({"prompt": [5, 6, 7], "stream": True, "max_tokens": 2}, "/v1/completions")
    assert kinds(raw) == ["token", "token", "other", "done"]
    assert b'"object":"text_completion"' in raw and b'"id":"cmpl-' in raw
    assert b'"model":"simulated"' in raw


@pytest.mark.parametrize(("limits", "count"), [({}, 5), ({"max_tokens": 2}, 2), ({"max_completion_tokens": 3}, 3)])
def test_max_tokens_sets_the_number_of_tokens(limits: dict[str, int], count: int) -> None:
    body = {"messages": CHAT["messages"], "stream": True, **limits}
    assert kinds(fetch(body)).count("token") == count


# ---- dialects of the wire ----------------------------------------------------------


def test_place_of_the_role() -> None:
    assert kinds(fetch(role="none"))[0] == "token"
    for place in ("before", "with", "early"):
        assert kinds(fetch(role=place))[:2] == ["role", "token"]
    with serving(role="early", ttft=("constant", 3600e9, 0.0)) as (_, client):
        client.send(CHAT)
        assert b'"role":"assistant"' in client.until(b"\n\n\r\n")
    with serving(role="before", ttft=("constant", 3600e9, 0.0)) as (_, client):
        client.send(CHAT)
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_role_and_first_token_can_share_a_write() -> None:
    with serving(role="with") as (server, client):
        client.send(CHAT, head="Connection: close\r\n")
        client.rest()
    coalesced = [flag for block in server.take_events() for flag in block.coalesced]
    assert coalesced[0] == 1  # the second flag is 1 too if the server was late


def test_the_head_can_wait_for_the_first_event() -> None:
    with serving(headers_ns=-1) as (server, client):
        client.send(CHAT, head="Connection: close\r\n")
        assert kinds(client.rest())[0] == "role"
    (row,) = server.take_requests()
    assert row.headers_ns >= row.received_ns + 2 * MS


def test_place_of_the_finish_reason() -> None:
    usage = CHAT | {"stream_options": {"include_usage": True}}
    last = parse(fetch(usage, finish="last"))
    assert [scan.kind for scan in last.scans] == ["role", *["token"] * 4, "usage", "done"]
    assert last.scans[4].finish == b"length"
    joined = parse(fetch(usage, finish="usage"))
    assert [scan.kind for scan in joined.scans] == ["role", *["token"] * 4, "usage", "done"]
    assert (joined.scans[5].finish, joined.scans[5].output_tokens) == (b"length", 4)


def test_a_stream_can_end_without_done() -> None:
    raw = fetch(done=False)
    assert b"[DONE]" not in raw
    assert parse(raw).result == "complete"


@pytest.mark.parametrize(("name", "end"), [("lf", b"\n"), ("crlf", b"\r\n"), ("cr", b"\r")])
def test_line_endings(name: str, end: bytes) -> None:
    raw = fetch(line_end=name)
    assert b"data: [DONE]" + end + end + b"\r\n0\r\n\r\n" in raw
    assert kinds(raw) == ["role", *["token"] * 4, "other", "done"]


def test_no_space_after_the_colon() -> None:
    raw = fetch(space=False)
    assert b"data: " not in raw and b"data:{" in raw and b"data:[DONE]" in raw
    assert text(parse(raw)) == "love time list page"


def test_an_empty_first_choice() -> None:
    raw = fetch(empty_choice=True)
    assert kinds(raw)[:3] == ["other", "role", "token"]
    assert b'"choices":[],"prompt_filter_results":' in raw


def test_several_tokens_per_chunk() -> None:
    raw = fetch(CHAT | {"max_tokens": 10}, tokens_per_chunk=4)
    texts = [scan.text for scan in parse(raw).scans if scan.kind == "token"]
    assert texts == [b"love", b" time list page zone", b" role move hero man", b" win"]


def test_reasoning_comes_first() -> None:
    usage = {"stream_options": {"include_usage": True}}
    scans = parse(fetch(CHAT | usage, reasoning_tokens=2)).scans
    assert [scan.kind for scan in scans[1:5]] == ["reasoning", "reasoning", "token", "token"]
    assert scans[-2].reasoning_tokens == 2


@pytest.mark.parametrize(("form", "line"), [("ping", b": ping\n\n"), ("bare", b":\n\n")])
def test_keepalives_are_sent_while_nothing_else_is(form: str, line: bytes) -> None:
    with serving(keepalive_ns=2 * MS, ping=form, ttft=("constant", 3600e9, 0.0)) as (server, client):
        client.send(CHAT)
        got = client.until(line + b"\r\n")
        while got.count(line) < 3:
            got += client.until(line + b"\r\n")
    comments = events_of(server.take_events())
    assert [event for _, event, *_ in comments[:3]] == [0, 1, 2]
    assert {kind for _, _, _, kind, *_ in comments} == {"comment"}


def test_content_length_is_exact() -> None:
    for settings in ({}, {"tokens_per_chunk": 3}, {"line_end": "crlf", "done": False, "continuous_usage": True}):
        raw = fetch(CHAT | {"max_tokens": 40}, framing="length", **settings)
        response = parse(raw)
        assert (response.result, response.chunked) == ("complete", False)
        assert response.content_length == len(response.body) > 1000
        assert response.unread == b""


def test_closing_the_connection_can_end_the_body() -> None:
    with serving(framing="close") as (_, client):
        client.send(CHAT)
        response = parse(client.rest())
    assert (response.result, response.close_delimited, response.keep_alive) == ("complete", True, False)
    assert text(response) == "love time list page"


def test_http_1_0_clients_get_no_chunks() -> None:
    with serving() as (_, client):
        body = json.dumps(CHAT).encode()
        client.socket.sendall(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert parse(client.rest()).close_delimited


def test_chunk_extensions_and_trailers() -> None:
    raw = fetch(chunk_extensions=True, trailers=True)
    lines = [chunk.partition(b"|")[0] for chunk in chunks(raw)]
    assert lines[0].endswith(b";part=token") and lines[-1] == b"0;last"
    assert b"\r\ntrailer: X-Output-Tokens\r\n" in raw
    assert raw.endswith(b"0;last\r\nX-Output-Tokens: 4\r\n\r\n")
    assert parse(raw).result == "complete"


def test_an_interim_response_comes_before_the_head() -> None:
    assert fetch(interim=True).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert parse(fetch(interim=True)).interim == 1


def test_expect_100_continue_is_answered() -> None:
    body = json.dumps(CHAT).encode()
    with serving() as (_, client):
        head = f"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        client.socket.sendall(head.encode())
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.socket.sendall(body)
        assert text(parse(client.until(b"0\r\n\r\n"))) == "love time list page"


@pytest.mark.parametrize("piece", [1, 7])
def test_writes_can_be_split(piece: int) -> None:
    plain, split = fetch(), fetch(split_bytes=piece)
    assert text(parse(split)) == text(parse(plain))
    assert len(split) == len(plain)
    with serving(split_bytes=piece) as (server, client):
        client.send(CHAT, head="Connection: close\r\n")
        received = len(client.rest())
    assert server.stats().sends >= received // piece
