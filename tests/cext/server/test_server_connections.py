"""Connections of the simulated server: reuse, pipelining, idle and slow clients, start and stop."""

import json
import re
import socket
from itertools import pairwise

import pytest
from simulated_server import CHAT, DEFAULTS, MS, OUTCOMES, numbers, parse, serving, watch
from tokentape.cext.server import Server, words


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
        assert after - before >= 2 * MS  # a pipelined request starts when the previous one has ended


def test_close_after_closes_the_connection_after_that_many_answers() -> None:
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
        assert parse(client.rest()).result == "complete"  # the server closes although it announced keep-alive


def test_a_half_closed_client_is_answered() -> None:
    with serving() as (_, client):
        client.send(CHAT)
        client.socket.shutdown(socket.SHUT_WR)
        assert parse(client.rest()).result == "complete"


def test_a_request_whose_client_leaves_is_cancelled() -> None:
    with serving(itl=("constant", 1e5, 0.0)) as (server, client):
        client.send(CHAT | {"max_tokens": 1_000_000})
        client.until(b"\n\n\r\n")
        client.socket.close()
        watch(server, "requests_running", lambda running: running == 0)
        (row,) = server.take_requests()
    assert OUTCOMES[row.outcome] == "cancelled"


def test_a_client_that_reads_late_gets_every_token() -> None:
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


def test_stopping_the_server_ends_open_streams() -> None:
    with serving(itl=("constant", 3600e9, 0.0)) as (server, client):
        client.send(CHAT)
        client.until(b"\n\n\r\n")
        server.stop()
        assert b"[DONE]" not in client.rest()
    (row,) = server.take_requests()
    assert OUTCOMES[row.outcome] == "cancelled"
    assert server.stats().open_connections == 0


def test_a_port_in_use_is_an_error() -> None:
    with (
        Server(**DEFAULTS) as server,
        pytest.raises(OSError, match="cannot listen at"),
    ):
        Server(**(DEFAULTS | {"port": server.port}))
