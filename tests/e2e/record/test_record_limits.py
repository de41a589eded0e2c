"""The recorder where something is slow, silent, full or plenty: what passes stays whole, what it holds stays small."""

import json
import resource
import socket
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from tokentape.engine.record.recorder import Recorder
from tokentape.engine.tape import open_tape, recover

MB = 1 << 20
SIZE = 256 * MB
PLAIN = b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":2}'
KERNELS_MB = 40
"""What the kernel's buffers of two connections take at the most, both ways."""


def raw(recorder: Recorder) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(recorder.url.rpartition(":")[2])), timeout=30)


def post(body: bytes, more: str = "") -> bytes:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def send_until_it_stops(connection: socket.socket, size: int) -> int:
    """Sends zeros until nobody takes them for a second; how many were taken."""
    connection.settimeout(1)
    sent, piece = 0, bytes(MB)
    try:
        while sent < size:
            sent += connection.send(piece[: size - sent])
    except TimeoutError:
        pass
    connection.settimeout(60)
    return sent


def read_all(connection: socket.socket) -> int:
    got = 0
    while piece := connection.recv(MB):
        got += len(piece)
    return got


def test_a_slow_client_holds_a_fast_server_back(recorder: Any, raw_server: Any) -> None:
    stopped, stopped_at = threading.Event(), []

    def pour(exchange: Any) -> None:
        exchange.request()
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: {SIZE}\r\n\r\n".encode())
        stopped_at.append(send_until_it_stops(exchange.connection, SIZE))
        stopped.set()
        for _ in range(stopped_at[0], SIZE, MB):
            exchange.send(bytes(MB))

    proxy = recorder(raw_server(pour).url)
    with raw(proxy) as connection:
        connection.sendall(post(b"{}", "Connection: close\r\n"))
        before = psutil.Process().memory_info().rss
        assert stopped.wait(60)
        assert stopped_at[0] < KERNELS_MB * MB
        assert psutil.Process().memory_info().rss - before < 16 * MB
        assert read_all(connection) >= SIZE
    (tape,) = proxy.stop()
    (row,) = tape.requests.to_pylist()
    assert row["bytes_received"] >= SIZE


def test_a_slow_server_holds_a_fast_client_back(recorder: Any, raw_server: Any) -> None:
    go_on, got = threading.Event(), []

    def wait(exchange: Any) -> None:
        assert go_on.wait(60)
        left = SIZE
        while left > 0 and (piece := exchange.connection.recv(MB)):
            left -= len(piece)
            got.append(len(piece))
        exchange.respond(b"{}")

    proxy = recorder(raw_server(wait).url)
    with raw(proxy) as connection:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n"
        connection.sendall(head.encode())
        before = psutil.Process().memory_info().rss
        sent = send_until_it_stops(connection, SIZE)
        assert sent < KERNELS_MB * MB
        # The body is kept for the model's name as far as it came; beyond 32 MB it is not.
        assert psutil.Process().memory_info().rss - before < (KERNELS_MB + 32) * MB
        go_on.set()
        for _ in range(sent, SIZE, MB):
            connection.sendall(bytes(min(MB, SIZE - sent)))
            sent += MB
        assert read_all(connection) > 0
    assert sum(got) >= SIZE
    (tape,) = proxy.stop()
    assert tape.requests["outcome"].to_pylist() == ["ok"]
    assert proxy.stats().dropped_bodies == 1


def test_200_clients_at_once_lose_no_token(recorder: Any, simulator: Any, small_trace: Any, replayed: Any) -> None:
    proxy = recorder(simulator(ttft="20ms", itl="2ms").url)
    client = replayed(small_trace(200, gap_ms=0, output_tokens=50), proxy.url)
    (tape,) = proxy.stop()
    for own in (client, tape):
        assert own.requests["outcome"].to_pylist() == ["ok"] * 200
        assert own.requests["output_tokens"].to_pylist() == [50] * 200
        tokens = own.events.filter([kind == "token" for kind in own.events["kind"].to_pylist()])
        assert sorted(tokens["request_id"].to_pylist()) == sorted(list(range(200)) * 50)
    assert len(set(tape.requests["connection_id"].to_pylist())) == 200
    assert (proxy.stats().dropped_rows, proxy.stats().open_requests) == (0, 0)


def test_a_client_that_ended_its_side_still_gets_its_answer(recorder: Any, raw_server: Any) -> None:
    told = threading.Event()

    def answer(exchange: Any) -> None:
        exchange.request()
        assert exchange.connection.recv(1) == b""
        told.set()
        exchange.respond(b"{}", more="Connection: close\r\n")

    proxy = recorder(raw_server(answer).url)
    with raw(proxy) as connection:
        connection.sendall(post(b'{"model":"m"}'))
        connection.shutdown(socket.SHUT_WR)
        assert told.wait(30)
        assert b"200 OK" in connection.recv(1 << 16)
    (tape,) = proxy.stop()
    assert tape.requests["outcome"].to_pylist() == ["ok"]


def test_a_silent_server_does_not_keep_a_client_that_ended_its_side(
    recorder: Any, raw_server: Any, eventually: Any
) -> None:
    def silent(exchange: Any) -> None:
        exchange.request()
        exchange.stream_head()
        assert exchange.connection.recv(1) == b""  # the end of the client's side
        exchange.token()
        exchange.token()
        released.wait(60)

    released = threading.Event()
    proxy = recorder(raw_server(silent).url, half_closed_ns=200_000_000)
    with raw(proxy) as connection:
        connection.sendall(post(b'{"model":"m","stream":true}'))
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) > 0
        eventually(lambda: proxy.stats().open_connections == 0, "the end of the connection")
    released.set()
    (tape,) = proxy.stop()
    (row,) = tape.requests.to_pylist()
    assert (row["outcome"], row["output_events"]) == ("cancelled", 2)
    assert row["error"] == "the client had ended its side, and then the server was silent for too long"


def test_tapes_are_rotated_by_time(recorder: Any, simulator: Any, tmp_path: Path, eventually: Any) -> None:
    proxy = recorder(simulator().url, rotate_ns=150_000_000)
    for part in range(1, 4):
        with raw(proxy) as connection:
            connection.sendall(post(PLAIN, "Connection: close\r\n"))
            assert b"200 OK" in connection.recv(1 << 16)
            read_all(connection)
        eventually((tmp_path / f"prod-{part:05d}.tape").exists, "the next tape")
    tapes = proxy.stop()
    assert [tape.requests.num_rows for tape in tapes] == [1, 1, 1, 0]
    assert [tape.manifest["part"] for tape in tapes] == [0, 1, 2, 3]
    begun = [tape.manifest["epoch_unix_ns"] for tape in tapes]
    assert all(later - earlier >= 150_000_000 for earlier, later in pairwise(begun))


def test_a_full_disk_ends_the_recording_and_not_the_traffic(
    start_cli: Any, simulator: Any, tmp_path: Path, eventually: Any
) -> None:
    server = simulator()
    command = start_cli("record", "--listen", "127.0.0.1:0", "--url", server.url, "-o", "prod.tape", "--keep-bodies")
    url = command.process.stderr.readline().split()[1]
    port = int(url.rpartition(":")[2])
    limit = 200_000  # bytes that a file may have: what is beyond is refused as by a full disk
    resource.prlimit(command.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 30_000}], "max_tokens": 2}).encode()
    journal = tmp_path / "prod.tape" / "journal" / "bodies.arrows"
    answered = 0
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(command.process.stderr.readline()))
    reader.start()
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(post(body, "Connection: close\r\n"))
            answered += b"200 OK" in connection.recv(1 << 16)
            read_all(connection)
    assert answered == 200
    reader.join(30)
    assert "the recording has ended, but requests are still passed on" in said[0]
    assert journal.stat().st_size <= limit
    command.send(2)
    code, _, err = command.end()
    assert code != 0
    assert "Traceback" not in err
    resource.prlimit(0, resource.RLIMIT_FSIZE)
    tape = recover(tmp_path / "prod.tape")
    assert 0 < tape.requests.num_rows < 200
    assert open_tape(tape.path).manifest["sealed"]


@pytest.mark.parametrize(
    ("events", "outcome", "error"),
    [
        (0, "protocol_error", "the server reset the connection"),
        (2, "truncated", "the stream ended without [DONE], a finish reason or another end of its API's"),
    ],
)
def test_a_server_s_reset_is_passed_on(recorder: Any, raw_server: Any, events: int, outcome: str, error: str) -> None:
    seen = threading.Event()

    def reset(exchange: Any) -> None:
        exchange.request()
        if events:
            exchange.stream_head()
        for _ in range(events):
            exchange.token()
        assert seen.wait(30)
        exchange.reset()

    proxy = recorder(raw_server(reset).url)
    with raw(proxy) as connection:
        connection.sendall(post(b'{"model":"m","stream":true}'))
        got = b""
        while got.count(b"data: ") < events:
            got += connection.recv(1 << 16)
        seen.set()
        with pytest.raises(ConnectionResetError):
            read_all(connection)
    (tape,) = proxy.stop()
    (row,) = tape.requests.to_pylist()
    assert (row["outcome"], row["error"], row["output_events"]) == (outcome, error, events)
