"""The simulated server on the wire: every dialect and fault, looked at as raw bytes, and against its own truth."""

import json
import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from tokentape.cext.parsers import KINDS, Dialect, ParsedResponse, json_find, parse_response
from tokentape.cext.server import EventColumns, RequestRow, Server, draws, words

MS = 1_000_000
DEFAULTS: dict[str, Any] = {
    "host": "127.0.0.1",
    "port": 0,
    "model": "simulated",
    "seed": 1,
    "ttft": ("constant", 2.0 * MS, 0.0),
    "itl": ("constant", 1.0 * MS, 0.0),
    "default_tokens": 5,
    "dimensions": 4,
    "role": "before",
    "finish": "alone",
    "line_end": "lf",
    "framing": "chunked",
    "error_shape": "openai",
    "stream_error": "data",
    "ping": "ping",
    "done": True,
    "space": True,
    "empty_choice": False,
    "continuous_usage": False,
    "chunk_extensions": False,
    "trailers": False,
    "tokens_per_chunk": 1,
    "reasoning_tokens": 0,
    "headers_ns": 0,
    "keepalive_ns": 0,
    "interim": False,
    "split_bytes": 0,
    "close_after": 0,
    "idle_close_ns": 0,
    "fault": "none",
    "fault_after": 2,
    "fault_share": 1.0,
    "fault_status": 500,
    "retry_after_s": 7,
    "truth": True,
}
CHAT = {"model": "m", "stream": True, "max_tokens": 4, "messages": [{"role": "user", "content": "a b c"}]}
DIALECT = Dialect(
    {
        "choices[].delta.content": "text",
        "choices[].text": "text",
        "choices[].delta.reasoning_content": "reasoning",
        "choices[].delta.role": "speaker",
        "choices[].finish_reason": "finish",
        "usage.prompt_tokens": "input_tokens",
        "usage.completion_tokens": "output_tokens",
        "usage.completion_tokens_details.reasoning_tokens": "reasoning_tokens",
        "id": "id",
        "error": "error",
    }
)


class Client:
    """One plain connection."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), 10)

    def send(self, body: object, path: str = "/v1/chat/completions", *, head: str = "", method: str = "POST") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nContent-Length: {len(data)}\r\n{head}\r\n".encode() + data)

    def until(self, end: bytes) -> bytes:
        """What comes, up to and with these bytes."""
        got = b""
        while not got.endswith(end):
            piece = self.socket.recv(65536)
            assert piece, f"the connection ended after {got!r}"
            got += piece
        return got

    def rest(self) -> bytes:
        """What comes until the connection ends."""
        pieces = []
        while piece := self.socket.recv(1 << 20):
            pieces.append(piece)
        return b"".join(pieces)


@contextmanager
def serving(**settings: Any) -> Iterator[tuple[Server, Client]]:
    with Server(**(DEFAULTS | settings)) as server:
        client = Client(server)
        with client.socket:
            yield server, client


def watch(server: Server, metric: str, wanted: Callable[[int], bool]) -> int:
    """The value of a metric, read until it is as wanted."""
    client = Client(server)
    with client.socket:
        for _ in range(100_000):
            client.send(b"", "/metrics", method="GET")
            page = b""
            while b"inter_token_latency_seconds_count" not in page or not page.endswith(b"\n"):
                page += client.socket.recv(65536)
            value = int(page.rpartition(f"\ntokentape_{metric} ".encode())[2].split(b"\n")[0])
            if wanted(value):
                return value
    raise AssertionError(f"{metric} stayed {value}")


def ask(body: object = CHAT, path: str = "/v1/chat/completions", **settings: Any) -> bytes:
    """The bytes of one response."""
    with serving(**settings) as (_, client):
        client.send(body, path, head="Connection: close\r\n")
        return client.rest()


def parse(raw: bytes) -> ParsedResponse:
    return parse_response([raw], DIALECT)


def kinds(raw: bytes) -> list[str]:
    return [scan.kind for scan in parse(raw).scans]


def text(response: ParsedResponse) -> str:
    return "".join((scan.text or b"").decode() for scan in response.scans if scan.kind == "token")


def chunks(raw: bytes) -> list[bytes]:
    """The chunks of a chunked body, each with its line of size."""
    body = raw.partition(b"\r\n\r\n")[2]
    found = []
    while body:
        line, _, rest = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        found.append(line + b"|" + rest[:size])
        body = rest[size + 2 :] if size else b""
    return found


def numbers(column: bytes, code: str) -> list[int]:
    return [value for (value,) in struct.iter_unpack(code, column)]


def events_of(blocks: list[EventColumns]) -> list[tuple[int, int, int, str, int, int]]:
    """(request, event, arrival_ns, kind, tokens, size) of each event."""
    rows: list[tuple[int, int, int, str, int, int]] = []
    for block in blocks:
        columns = [numbers(block.request_id, "=q"), numbers(block.event, "=i"), numbers(block.arrival_ns, "=q")]
        kinds_of = [KINDS[code] for code in block.kind]
        rest = [numbers(block.tokens, "=i"), numbers(block.size, "=i")]
        rows += zip(*columns, kinds_of, *rest, strict=True)  # type: ignore[arg-type]
    return rows


# ---- a well-behaved stream ---------------------------------------------------------


def test_a_stream_has_head_role_tokens_finish_and_done() -> None:
    raw = ask()
    response = parse(raw)
    assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (response.result, response.status, response.content_type, response.chunked) == ("complete", 200, "sse", True)
    assert kinds(raw) == ["role", "token", "token", "token", "token", "other", "done"]
    assert text(response) == "love time list page" == "".join(words(4))
    assert response.scans[5].finish == b"length"
    assert raw.endswith(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


def test_usage_is_told_when_asked_for() -> None:
    scans = parse(ask(CHAT | {"stream_options": {"include_usage": True}})).scans
    assert [scan.kind for scan in scans][-2:] == ["usage", "done"]
    assert (scans[-2].input_tokens, scans[-2].output_tokens) == (3, 4)


def test_usage_on_every_chunk_counts_up() -> None:
    asked = ask(CHAT | {"stream_options": {"include_usage": True, "continuous_usage_stats": True}})
    told = ask(continuous_usage=True)
    for raw in (asked, told):
        assert [scan.output_tokens for scan in parse(raw).scans] == [0, 1, 2, 3, 4, 4, 4, -1]


def test_a_completion_streams_text() -> None:
    raw = ask({"prompt": [5, 6, 7], "stream": True, "max_tokens": 2}, "/v1/completions")
    assert kinds(raw) == ["token", "token", "other", "done"]
    assert b'"object":"text_completion"' in raw and b'"id":"cmpl-' in raw
    assert b'"model":"simulated"' in raw


@pytest.mark.parametrize(("limits", "count"), [({}, 5), ({"max_tokens": 2}, 2), ({"max_completion_tokens": 3}, 3)])
def test_the_request_decides_the_length(limits: dict[str, int], count: int) -> None:
    body = {"messages": CHAT["messages"], "stream": True, **limits}
    assert kinds(ask(body)).count("token") == count


# ---- dialects of the wire ----------------------------------------------------------


def test_where_the_role_goes() -> None:
    assert kinds(ask(role="none"))[0] == "token"
    for place in ("before", "with", "early"):
        assert kinds(ask(role=place))[:2] == ["role", "token"]
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
    assert coalesced[0] == 1  # of the next it is 1 as well when the server was late


def test_the_head_can_wait_for_the_first_event() -> None:
    with serving(headers_ns=-1) as (server, client):
        client.send(CHAT, head="Connection: close\r\n")
        assert kinds(client.rest())[0] == "role"
    (row,) = server.take_requests()
    assert row.headers_ns >= row.received_ns + 2 * MS


def test_where_the_finish_reason_goes() -> None:
    usage = CHAT | {"stream_options": {"include_usage": True}}
    last = parse(ask(usage, finish="last"))
    assert [scan.kind for scan in last.scans] == ["role", *["token"] * 4, "usage", "done"]
    assert last.scans[4].finish == b"length"
    joined = parse(ask(usage, finish="usage"))
    assert [scan.kind for scan in joined.scans] == ["role", *["token"] * 4, "usage", "done"]
    assert (joined.scans[5].finish, joined.scans[5].output_tokens) == (b"length", 4)


def test_the_end_without_done() -> None:
    raw = ask(done=False)
    assert b"[DONE]" not in raw
    assert parse(raw).result == "complete"


@pytest.mark.parametrize(("name", "end"), [("lf", b"\n"), ("crlf", b"\r\n"), ("cr", b"\r")])
def test_line_ends(name: str, end: bytes) -> None:
    raw = ask(line_end=name)
    assert b"data: [DONE]" + end + end + b"\r\n0\r\n\r\n" in raw
    assert kinds(raw) == ["role", *["token"] * 4, "other", "done"]


def test_no_space_after_the_colon() -> None:
    raw = ask(space=False)
    assert b"data: " not in raw and b"data:{" in raw and b"data:[DONE]" in raw
    assert text(parse(raw)) == "love time list page"


def test_an_empty_first_choice() -> None:
    raw = ask(empty_choice=True)
    assert kinds(raw)[:3] == ["other", "role", "token"]
    assert b'"choices":[],"prompt_filter_results":' in raw


def test_several_tokens_per_chunk() -> None:
    raw = ask(CHAT | {"max_tokens": 10}, tokens_per_chunk=4)
    texts = [scan.text for scan in parse(raw).scans if scan.kind == "token"]
    assert texts == [b"love", b" time list page zone", b" role move hero man", b" win"]


def test_reasoning_comes_first() -> None:
    usage = {"stream_options": {"include_usage": True}}
    scans = parse(ask(CHAT | usage, reasoning_tokens=2)).scans
    assert [scan.kind for scan in scans[1:5]] == ["reasoning", "reasoning", "token", "token"]
    assert scans[-2].reasoning_tokens == 2


@pytest.mark.parametrize(("form", "line"), [("ping", b": ping\n\n"), ("bare", b":\n\n")])
def test_keepalives_fill_the_silence(form: str, line: bytes) -> None:
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
        raw = ask(CHAT | {"max_tokens": 40}, framing="length", **settings)
        response = parse(raw)
        assert (response.result, response.chunked) == ("complete", False)
        assert response.content_length == len(response.body) > 1000
        assert response.unread == b""


def test_the_close_can_end_the_body() -> None:
    with serving(framing="close") as (_, client):
        client.send(CHAT)
        response = parse(client.rest())
    assert (response.result, response.close_delimited, response.keep_alive) == ("complete", True, False)
    assert text(response) == "love time list page"


def test_an_old_client_gets_no_chunks() -> None:
    with serving() as (_, client):
        body = json.dumps(CHAT).encode()
        client.socket.sendall(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert parse(client.rest()).close_delimited


def test_chunk_extensions_and_trailers() -> None:
    raw = ask(chunk_extensions=True, trailers=True)
    lines = [chunk.partition(b"|")[0] for chunk in chunks(raw)]
    assert lines[0].endswith(b";part=token") and lines[-1] == b"0;last"
    assert b"\r\ntrailer: X-Output-Tokens\r\n" in raw
    assert raw.endswith(b"0;last\r\nX-Output-Tokens: 4\r\n\r\n")
    assert parse(raw).result == "complete"


def test_an_interim_response_comes_before_the_head() -> None:
    assert ask(interim=True).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert parse(ask(interim=True)).interim == 1


def test_expecting_clients_are_told_to_continue() -> None:
    body = json.dumps(CHAT).encode()
    with serving() as (_, client):
        head = f"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        client.socket.sendall(head.encode())
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.socket.sendall(body)
        assert text(parse(client.until(b"0\r\n\r\n"))) == "love time list page"


@pytest.mark.parametrize("piece", [1, 7])
def test_writes_can_be_split(piece: int) -> None:
    plain, split = ask(), ask(split_bytes=piece)
    assert text(parse(split)) == text(parse(plain))
    assert len(split) == len(plain)
    with serving(split_bytes=piece) as (server, client):
        client.send(CHAT, head="Connection: close\r\n")
        received = len(client.rest())
    assert server.stats().sends >= received // piece


# ---- connections -------------------------------------------------------------------


def test_a_connection_serves_many_requests() -> None:
    with serving() as (server, client):
        for _ in range(5):
            client.send(CHAT)
            assert parse(client.until(b"0\r\n\r\n")).keep_alive
    rows = server.take_requests()
    assert [(row.request, row.connection, row.reused) for row in rows] == [(i, 0, i > 0) for i in range(5)]


def test_pipelined_requests_are_answered_in_order() -> None:
    one = json.dumps(CHAT).encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(one) + one
    with serving() as (server, client):
        client.socket.sendall(request * 3 + b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
        raw = client.rest()
    assert raw.count(b"data: [DONE]") == 3
    assert raw.endswith(b'{"status":"ok"}')
    ends = [(row.first_token_ns, row.end_ns) for row in server.take_requests()]
    for (_, before), (after, _) in pairwise(ends):
        assert after - before >= 2 * MS  # a pipelined request begins when the one before has ended


def test_the_nth_answer_closes_the_connection() -> None:
    with serving(close_after=2) as (_, client):
        client.send(CHAT)
        assert parse(client.until(b"0\r\n\r\n")).keep_alive
        client.send(CHAT)
        last = client.rest()
    assert b"\r\nconnection: close\r\n" in last
    assert parse(last).result == "complete"


def test_idle_connections_are_closed() -> None:
    with serving(idle_close_ns=20 * MS) as (_, client):
        client.send(CHAT)
        assert parse(client.rest()).result == "complete"  # the end comes although keep-alive was promised


def test_a_half_closed_client_is_answered() -> None:
    with serving() as (_, client):
        client.send(CHAT)
        client.socket.shutdown(socket.SHUT_WR)
        assert parse(client.rest()).result == "complete"


def test_a_client_that_leaves_is_cancelled() -> None:
    with serving(itl=("constant", 1e5, 0.0)) as (server, client):
        client.send(CHAT | {"max_tokens": 1_000_000})
        client.until(b"\n\n\r\n")
        client.socket.close()
        watch(server, "requests_running", lambda running: running == 0)
        (row,) = server.take_requests()
    assert KIND_OF_OUTCOME[row.outcome] == "cancelled"


def test_a_client_that_does_not_read_costs_no_memory_and_misses_nothing() -> None:
    count = 200_000  # 40 MB, which no socket's buffers hold
    with serving(itl=("constant", 0.0, 0.0)) as (server, client):
        client.send(CHAT | {"max_tokens": count}, head="Connection: close\r\n")
        before = watch(server, "generation_tokens_total", lambda tokens: tokens > 0)
        while before != (now := watch(server, "generation_tokens_total", lambda tokens: tokens > 0)):
            before = now
        assert now < count
        raw = client.rest()
    assert b"".join(re.findall(rb'"content":"([^"]+)"', raw)).decode() == "".join(words(count))
    assert [event for block in server.take_events() for event in numbers(block.event, "=i")] == list(range(count + 3))


# ---- faults ------------------------------------------------------------------------

KIND_OF_OUTCOME = (
    "ok", "http_error", "stream_error", "truncated", "timeout", "connect_error", "protocol_error", "cancelled",
)  # fmt: skip


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500, 503])
def test_an_error_status_instead_of_an_answer(status: int) -> None:
    response = parse(ask(fault="status", fault_status=status))
    assert (response.status, response.result) == (status, "complete")
    assert json.loads(response.body)["error"]["code"] == status
    assert response.retry_after_s == (7 if status in {429, 503} else -1)


def test_the_shapes_of_errors() -> None:
    bodies = {shape: parse(ask(fault="status", error_shape=shape)) for shape in ("fastapi", "text", "html")}
    assert set(json.loads(bodies["fastapi"].body)) == {"detail"}
    assert bodies["text"].body == b"Internal Server Error"
    assert bodies["html"].body.startswith(b"<html>") and bodies["html"].content_type == "html"


def test_an_error_within_the_stream() -> None:
    data, event, field = (ask(fault="error", stream_error=form) for form in ("data", "event", "field"))
    assert kinds(data) == ["role", "token", "token", "error", "done"]
    assert b'data: {"error":{' in data
    assert kinds(event) == kinds(field) == ["role", "token", "token", "error"]
    assert b'event: error\ndata: {"error":{' in event
    assert b'error: {"error":{' in field
    assert all(parse(raw).result == "complete" for raw in (data, event, field))


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_stream_that_is_cut(framing: str) -> None:
    response = parse(ask(fault="cut", framing=framing))
    assert response.result == "error"
    assert [scan.kind for scan in response.scans] == ["role", "token", "token"]


def test_a_stream_that_is_reset() -> None:
    with serving(fault="reset") as (server, client):
        client.send(CHAT)
        with pytest.raises(ConnectionResetError):
            client.rest()
    assert KIND_OF_OUTCOME[server.take_requests()[0].outcome] == "truncated"


@pytest.mark.parametrize(("fault", "tokens"), [("stall", 2), ("silent", 0)])
def test_silence_keeps_the_connection(fault: str, tokens: int) -> None:
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
    assert (KIND_OF_OUTCOME[row.outcome], row.output_tokens) == ("timeout", tokens)


def test_a_length_that_is_a_lie() -> None:
    for body in (CHAT, CHAT | {"stream": False}):
        response = parse(ask(body, fault="length"))
        assert response.result == "error"
        assert response.content_length == len(response.body) + 100


def test_a_redirect_leads_to_an_answer() -> None:
    raw = ask(fault="redirect")
    assert raw.startswith(b"HTTP/1.1 307 ") and b"\r\nlocation: /redirected/v1/chat/completions\r\n" in raw
    assert parse(ask(path="/redirected/v1/chat/completions", fault="redirect")).status == 200


@pytest.mark.parametrize(("fault", "status"), [("cut", 200), ("error", 500), ("status", 500)])
def test_answers_that_are_no_streams_break_too(fault: str, status: int) -> None:
    response = parse(ask(CHAT | {"stream": False}, fault=fault))
    assert response.status == status
    assert (response.result == "complete") == (status == 500)


def test_a_fault_beyond_the_answer_does_not_happen() -> None:
    assert kinds(ask(fault="cut", fault_after=5)) == ["role", *["token"] * 4, "other", "done"]
    assert parse(ask(fault="cut", fault_after=4)).result == "error"
    assert kinds(ask(fault="cut", fault_after=0)) == ["role"]


def test_a_share_of_the_requests_is_faulty_and_the_seed_says_which() -> None:
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


# ---- other endpoints and bad requests -----------------------------------------------


def test_an_answer_that_is_no_stream() -> None:
    response = parse(ask(CHAT | {"stream": False}))
    answer = json.loads(response.body)
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "love time list page"}
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert answer["model"] == "m"


def test_embeddings_as_floats_and_base64() -> None:
    floats = json.loads(parse(ask({"input": ["a b", "c"]}, "/v1/embeddings")).body)
    assert floats["id"].startswith("embd-") and floats["usage"]["prompt_tokens"] == 3
    assert [row["index"] for row in floats["data"]] == [0, 1]
    packed = json.loads(
        parse(ask({"input": [1, 2], "encoding_format": "base64", "dimensions": 6}, "/v1/embeddings")).body
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


def test_what_is_no_http_is_refused_and_closed() -> None:
    with serving() as (_, client):
        client.socket.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert client.rest().startswith(b"HTTP/1.1 400 ")


def test_a_large_prompt_is_counted() -> None:
    count = 150_000
    body = {"messages": [{"role": "user", "content": " word" * count}], "max_tokens": 1}
    assert json.loads(parse(ask(body)).body)["usage"]["prompt_tokens"] == count


# ---- truth ---------------------------------------------------------------------------

VARIANTS: list[dict[str, Any]] = [
    {},
    {"role": "with", "finish": "last", "continuous_usage": True},
    {"role": "early", "finish": "usage", "done": False, "framing": "close"},
    {"role": "none", "empty_choice": True, "tokens_per_chunk": 3, "line_end": "crlf", "framing": "length"},
    {"keepalive_ns": MS // 2, "reasoning_tokens": 2, "line_end": "cr", "split_bytes": 50},
    {"fault": "error", "stream_error": "event"},
    {"fault": "cut", "chunk_extensions": True},
]


@pytest.mark.parametrize("settings", VARIANTS)
def test_the_truth_counts_what_a_client_counts(settings: dict[str, Any]) -> None:
    with serving(**settings) as (server, client):
        client.send(CHAT | {"max_tokens": 9}, head="Connection: close\r\n")
        raw = client.rest()
    response = parse(raw)
    rows = events_of(server.take_events())
    assert [kind for _, _, _, kind, *_ in rows] == [scan.kind for scan in response.scans]
    assert [size for *_, size in rows] == [frame.wire_bytes for frame in response.frames]
    assert [event for _, event, *_ in rows] == list(range(len(rows)))
    (row,) = server.take_requests()
    assert (row.events, row.bytes_sent) == (len(rows), len(raw))
    assert row.output_tokens == sum(tokens for *_, tokens, _ in rows)
    (matches, _) = json_find(["id"], response.frames[-2].data if response.frames[-2].data[:1] == b"{" else b"{}")
    assert all(match.text.decode() == row.id for match in matches)


def _due_ns(row: RequestRow, seed: int, ttft: Any, itl: Any) -> list[int]:
    """The schedule of a request, from the laws alone."""
    gaps = draws(itl, seed, row.request, row.asked_tokens)
    due = [0]
    for gap in gaps[1:]:
        due.append(due[-1] + gap)
    return due


def test_tokens_are_never_early_and_the_schedule_is_absolute() -> None:
    ttft, itl = ("constant", 5.0 * MS, 0.0), ("lognormal", 2.0 * MS, 1.0 * MS)
    with serving(ttft=ttft, itl=itl, seed=9) as (server, client):
        for _ in range(3):
            client.send(CHAT | {"max_tokens": 30})
            client.until(b"0\r\n\r\n")
    rows = {row.request: row for row in server.take_requests()}
    handed: dict[int, list[int]] = {}
    for request, _, arrival_ns, kind, *_ in events_of(server.take_events()):
        if kind == "token":
            handed.setdefault(request, []).append(arrival_ns)
    assert len(handed) == 3
    for request, stamps in handed.items():
        row = rows[request]
        assert stamps == sorted(stamps) and len(stamps) == 30
        base = row.received_ns + 5 * MS
        for stamp, due in zip(stamps, _due_ns(row, 9, ttft, itl), strict=True):
            assert stamp >= base + due
        assert row.received_ns <= row.headers_ns <= row.first_event_ns <= row.first_token_ns == stamps[0]
        assert row.last_token_ns == stamps[-1] <= row.end_ns


def test_a_request_is_given_the_same_whatever_else_is_served() -> None:
    law = ("uniform", 1.0 * MS, 2.0 * MS)
    assert draws(law, 5, 7, 10) == draws(law, 5, 7, 10) != draws(law, 5, 8, 10)
    assert draws(law, 5, 7, 10) != draws(law, 6, 7, 10)


def test_answers_have_unique_ids() -> None:
    with serving(ttft=("constant", 0.0, 0.0)) as (server, client):
        for _ in range(50):
            client.send({"input": "a"}, "/v1/embeddings")
            client.until(b"}}")
    assert len({row.id for row in server.take_requests()}) == 50


def test_stopping_cuts_what_runs() -> None:
    with serving(itl=("constant", 3600e9, 0.0)) as (server, client):
        client.send(CHAT)
        client.until(b"\n\n\r\n")
        server.stop()
        assert b"[DONE]" not in client.rest()
    (row,) = server.take_requests()
    assert KIND_OF_OUTCOME[row.outcome] == "cancelled"
    assert server.stats().open_connections == 0


def test_a_port_in_use_is_told() -> None:
    with (
        Server(**DEFAULTS) as server,
        pytest.raises(OSError, match="cannot listen at"),
    ):
        Server(**(DEFAULTS | {"port": server.port}))
