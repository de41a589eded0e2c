"""Requests on their way to a worker."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tokentape import traces
from tokentape.engine.plan import Plan, make_plan
from tokentape.engine.requests.composer import Composer
from tokentape.engine.requests.endpoints import ENDPOINTS, BodyOptions
from tokentape.engine.run.channel import FEED_HEADER
from tokentape.engine.run.feeder import Feeder
from tokentape.traces.prompts.prompts import Prompts

HEAD = b"POST / HTTP/1.1\r\nContent-Length: "


@pytest.fixture
def plan(small_trace: Callable[..., Path]) -> Plan:
    return make_plan(traces.read(small_trace(50, output_tokens=9)))


@pytest.fixture
def composer(plan: Plan) -> Composer:
    body = ENDPOINTS["chat"].body(BodyOptions("m"))
    return Composer(plan, Prompts(plan.trace, form="text", seed=0), body, lambda row: HEAD)


def _frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        row, length = FEED_HEADER.unpack_from(data, at)
        at += FEED_HEADER.size
        yield row, data[at : at + length]
        at += length


def _fed(channel: socket.socket, feeder: Feeder) -> bytes:
    feeder.start()
    data = b""
    while not data.endswith(FEED_HEADER.pack(-1, 0)):
        data += channel.recv(1 << 16)
    feeder.join()
    return data


def test_a_request_is_head_length_and_json(composer: Composer) -> None:
    request = composer.request(3)
    head, _, body = request.partition(b"\r\n\r\n")
    assert head == HEAD + str(len(body)).encode()
    assert json.loads(body)["max_tokens"] == 9
    assert composer.request(3) == request
    assert composer.request(4) != request


def test_a_feeder_writes_its_rows_in_order_and_an_end(composer: Composer) -> None:
    kept: list[tuple[int, bytes]] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        feeder = Feeder(ours, enumerate([1, 4, 9]), composer, lambda row, request: kept.append((row, request)))
        frames = list(_frames(_fed(theirs, feeder)))
    assert [row for row, _ in frames] == [0, 1, 2, -1]  # places in the shard
    assert [request for _, request in frames[:-1]] == [composer.request(row) for row in (1, 4, 9)]
    assert kept == [(row, composer.request(row)) for row in (1, 4, 9)]
    assert feeder.error is None


def test_a_stopped_feeder_sends_its_end_only(composer: Composer) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        feeder = Feeder(ours, enumerate(range(50)), composer)
        feeder.stop()
        assert list(_frames(_fed(theirs, feeder))) == [(-1, b"")]


def test_a_feeder_that_cannot_compose_says_why_and_ends(composer: Composer) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        feeder = Feeder(ours, enumerate([0, 999]), composer)
        frames = list(_frames(_fed(theirs, feeder)))
        assert frames[-1] == (-1, b"")
        assert isinstance(feeder.error, IndexError)


def test_a_feeder_outlives_its_worker(composer: Composer) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        feeder = Feeder(ours, enumerate(range(50)), composer)
        feeder.start()
        feeder.join()
        assert feeder.error is None


def test_bodies_kept_are_the_bodies_sent(plan: Plan, composer: Composer) -> None:
    rows: Any = range(len(plan))
    assert all(composer.request(row).endswith(composer.body(row)) for row in rows)
