"""Workers and connections: who sends what, over which connection, and never early."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

MS = 1_000_000


def _due(tape: Any) -> list[int]:
    scheduled = tape.requests["scheduled_ns"].to_numpy()
    return [int(ns) for ns in scheduled - tape.manifest["start_ns"]]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_many_workers_send_what_one_would(simulator: Any, small_trace: Any, replayed: Any, workers: int) -> None:
    rows = 40
    tape = replayed(small_trace(rows, gap_ms=2), simulator().url, workers=workers, keep_bodies=True)
    requests = tape.requests
    assert requests["request_id"].to_pylist() == list(range(rows))
    assert set(requests["outcome"].to_pylist()) == {"ok"}
    assert _due(tape) == [row * 2 * MS for row in range(rows)]
    assert sorted(set(requests["worker"].to_pylist())) == list(range(workers))
    assert (requests["sent_ns"].to_numpy() >= requests["scheduled_ns"].to_numpy()).all()
    for worker in range(workers):
        own = requests.filter(pa.compute.equal(requests["worker"], worker))
        assert (np.diff(own["sent_ns"].to_numpy()) > 0).all()  # in the plan's order
    assert [fact["finished"] for fact in tape.manifest["workers"]] == [rows // workers] * workers


def test_the_plan_and_the_bodies_do_not_depend_on_the_workers(simulator: Any, small_trace: Any, replayed: Any) -> None:
    server, trace = simulator(), small_trace(12)
    tapes = [replayed(trace, server.url, workers=workers, out=f"tape{workers}", keep_bodies=True) for workers in (1, 2)]
    one, two = (tape.read("bodies").sort_by("request_id")["request_body"].to_pylist() for tape in tapes)
    assert one == two
    assert tapes[0].manifest["plan"]["sha256"] == tapes[1].manifest["plan"]["sha256"]
    assert _due(tapes[0]) == _due(tapes[1])


def test_more_workers_than_requests(simulator: Any, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(1), simulator().url, workers=3)
    assert tape.requests["outcome"].to_pylist() == ["ok"]
    assert [fact["requests"] for fact in tape.manifest["workers"]] == [1, 0, 0]


def test_connections_are_used_again(simulator: Any, small_trace: Any, replayed: Any) -> None:
    server = simulator(ttft="1ms", itl="0ms")
    tape = replayed(small_trace(20, gap_ms=30), server.url)
    reused = tape.requests["connection_reused"].to_pylist()
    assert reused[0] is False
    assert sum(reused) > 0
    assert len(set(tape.requests["connection_id"].to_pylist())) == 20 - sum(reused)


def test_connections_are_not_used_again_when_told_so(simulator: Any, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(10), simulator().url, reuse=False)
    assert not any(tape.requests["connection_reused"].to_pylist())
    assert len(set(tape.requests["connection_id"].to_pylist())) == 10


@pytest.mark.parametrize("limit", [1, 3])
def test_a_server_that_closes_after_some_requests(simulator: Any, small_trace: Any, replayed: Any, limit: int) -> None:
    tape = replayed(small_trace(12, gap_ms=20), simulator(ttft="1ms", itl="0ms", close_after=limit).url)
    assert set(tape.requests["outcome"].to_pylist()) == {"ok"}
    assert set(tape.requests["retries"].to_pylist()) == {0}
    ids = tape.requests["connection_id"].to_pylist()
    assert max(map(ids.count, ids)) <= limit


def test_a_dead_pooled_connection_is_a_retry_and_no_error(raw_server: Any, small_trace: Any, replayed: Any) -> None:
    """The server answers one request of each connection, and closes it when the next one comes (a keep-alive race)."""

    def handler(exchange: Any) -> None:
        if exchange.request():
            exchange.respond(b'{"id": "x", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')
            exchange.request()

    tape = replayed(small_trace(6, gap_ms=40), raw_server(handler).url)
    assert tape.requests["outcome"].to_pylist() == ["ok"] * 6
    retries = tape.requests["retries"].to_pylist()
    assert retries[0] == 0
    assert 1 in retries
    assert set(retries) == {0, 1}
    for row in tape.requests.to_pylist():
        assert row["retries"] == 0 or not row["connection_reused"]
        assert row["sent_ns"] >= row["scheduled_ns"]


def test_a_connection_opened_ahead_that_died_is_a_retry_and_no_error(
    raw_server: Any, small_trace: Any, replayed: Any
) -> None:
    """Connections are opened 200 ms ahead; this server gives up those that say nothing at once."""

    def handler(exchange: Any) -> None:
        if exchange.number % 2 == 1 and exchange.request():
            exchange.respond(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')

    tape = replayed(small_trace(1, gap_ms=0), raw_server(handler).url, preopen_ns=200 * MS)
    assert tape.requests["outcome"].to_pylist() == ["ok"]


def test_a_request_is_sent_again_once_only(raw_server: Any, small_trace: Any, replayed: Any) -> None:
    def handler(exchange: Any) -> None:
        if exchange.request() and exchange.number == 1:  # number 0 is the check before the start
            exchange.respond(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')
            exchange.request()

    tape = replayed(small_trace(2, gap_ms=100), raw_server(handler).url)
    assert tape.requests["outcome"].to_pylist() == ["ok", "protocol_error"]
    assert tape.requests["retries"].to_pylist() == [0, 1]
    assert tape.requests["error"].to_pylist()[1] == "the server closed the connection without a response"


def test_idle_connections_that_the_server_closes_are_no_errors(simulator: Any, small_trace: Any, replayed: Any) -> None:
    server = simulator(ttft="1ms", itl="0ms", idle_close="20ms")
    tape = replayed(small_trace(8, gap_ms=60), server.url)
    assert set(tape.requests["outcome"].to_pylist()) == {"ok"}


def test_a_burst_is_sent_in_the_plans_order(simulator: Any, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(200, gap_ms=0), simulator(ttft="30ms").url, preopen_ns=200 * MS)
    assert set(tape.requests["outcome"].to_pylist()) == {"ok"}
    assert len(set(tape.requests["connection_id"].to_pylist())) == 200
    assert set(_due(tape)) == {0}


def test_spinning_is_not_early_either(simulator: Any, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(50, gap_ms=3), simulator().url, spin_ns=1 * MS)
    assert (tape.requests["sent_ns"].to_numpy() >= tape.requests["scheduled_ns"].to_numpy()).all()


def test_rows_outnumber_the_connections_that_may_be_open(
    simulator: Any, small_trace: Any, run_cli: Any, tmp_path: Path
) -> None:
    """100 open files leave room for 36 streams: further requests wait, are late, and all are sent."""
    trace = small_trace(60, gap_ms=40, output_tokens=100)
    server = simulator(ttft="5ms", itl="20ms")
    result = run_cli(
        "replay", trace, "--url", server.url, "--out", "x.tape", "--format", "json", limits="ulimit -n 100"
    )
    assert "at most 36 streams can be open at once" in result.stderr
    from tokentape.engine.tape import open_tape

    tape = open_tape(tmp_path / "x.tape")
    assert tape.requests["outcome"].to_pylist() == ["ok"] * 60
    assert tape.requests["output_tokens"].to_pylist() == [100] * 60
    assert max(tape.requests["connection_id"].to_pylist()) < 60
