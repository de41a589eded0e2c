"""Servers that misbehave cost their own requests only, and every request has its row and its reason."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MS = 1_000_000
ROWS = 6
Act = Callable[[Any], None]


def _outcomes(tape: Any) -> set[tuple[str, int | None, str | None]]:
    assert tape.requests["request_id"].to_pylist() == list(range(len(tape.requests)))
    columns = (tape.requests[name].to_pylist() for name in ("outcome", "http_status", "error"))
    return set(zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("status", "shape", "text"),
    [
        (401, "openai", "the simulated server was told to refuse this request"),
        (404, "fastapi", "the simulated server was told to refuse this request"),
        (429, "openai", "the simulated server was told to refuse this request"),
        (500, "text", "Internal Server Error"),
        (503, "html", "an HTML page: 503"),
    ],
)
def test_an_error_status_is_a_row_in_the_servers_words(
    simulator: Any, small_trace: Any, replayed: Any, status: int, shape: str, text: str
) -> None:
    server = simulator(fault="status", fault_status=status, error_shape=shape)
    tape = replayed(small_trace(ROWS), server.url)
    ((outcome, http_status, error),) = _outcomes(tape)
    assert (outcome, http_status) == ("http_error", status)
    assert error
    assert text in error
    assert tape.requests["headers_ns"].null_count == 0
    assert tape.requests["first_token_ns"].null_count == ROWS


@pytest.mark.parametrize(
    ("config", "outcome", "error", "tokens"),
    [
        ({"fault": "redirect"}, "http_error", "redirects are not followed", 0),
        ({"fault": "error", "fault_after": 2}, "stream_error", "", 2),
        ({"fault": "error", "fault_after": 2, "stream_error": "event"}, "stream_error", "", 2),
        ({"fault": "error", "fault_after": 2, "stream_error": "field"}, "stream_error", "", 2),
        ({"fault": "cut", "fault_after": 3}, "truncated", "closed the connection before the response was complete", 3),
        ({"fault": "reset", "fault_after": 3}, "truncated", "reset the connection before the response was complete", 3),
        ({"fault": "stall", "fault_after": 1}, "timeout", "the server sent nothing for 0.4 s", 1),
        ({"fault": "silent"}, "timeout", "the server sent nothing for 0.4 s", 0),
    ],
)
def test_a_stream_that_breaks_keeps_what_came(
    simulator: Any, small_trace: Any, replayed: Any, config: dict[str, Any], outcome: str, error: str, tokens: int
) -> None:
    tape = replayed(small_trace(ROWS, output_tokens=6), simulator(**config).url, read_timeout_ns=400 * MS)
    ((found, _, text),) = _outcomes(tape)
    assert found == outcome
    assert text
    assert error in text
    assert tape.requests["output_tokens"].to_pylist() == [tokens] * ROWS
    assert tape.requests["output_events"].to_pylist() == [tokens] * ROWS
    assert tape.requests["first_token_ns"].null_count == (0 if tokens else ROWS)
    assert tape.requests["end_ns"].null_count == 0
    summary = tape_summary(tape)
    assert summary.verdict.state == "INVALID"
    assert summary.verdict.exit_code == 4


def tape_summary(tape: Any) -> Any:
    from tokentape.engine.measure.summary import summarize

    return summarize(tape)


def test_a_length_that_lies_is_no_failure_once_done_was_said(simulator: Any, small_trace: Any, replayed: Any) -> None:
    """The stream had its [DONE]; only the framing promised 100 bytes that never come."""
    tape = replayed(small_trace(ROWS), simulator(fault="length").url, read_timeout_ns=400 * MS)
    assert _outcomes(tape) == {("ok", 200, None)}
    assert tape.requests["output_tokens"].to_pylist() == [4] * ROWS


def test_a_length_that_lies_without_done_is_truncated(simulator: Any, small_trace: Any, replayed: Any) -> None:
    server = simulator(fault="length", done=False)
    tape = replayed(small_trace(ROWS), server.url, read_timeout_ns=400 * MS)
    error = "the server closed the connection before the response was complete"
    assert _outcomes(tape) == {("truncated", 200, error)}
    assert tape.requests["output_tokens"].to_pylist() == [4] * ROWS


def test_a_part_of_the_requests_may_fail(simulator: Any, small_trace: Any, replayed: Any) -> None:
    server = simulator(fault="status", fault_share=0.3, seed=5)
    tape = replayed(small_trace(60, gap_ms=2), server.url)
    outcomes = tape.requests["outcome"].to_pylist()
    assert 0 < outcomes.count("http_error") < 60
    assert outcomes.count("ok") + outcomes.count("http_error") == 60
    summary = tape_summary(tape)
    assert summary.requests.failed == outcomes.count("http_error")
    assert summary.statistic("ttft", "send").failed == outcomes.count("http_error")


def _stream(exchange: Any) -> None:
    exchange.stream_head()
    for _ in range(4):
        exchange.token()
    exchange.done()


def _html(exchange: Any) -> None:
    exchange.respond(b"<html><title>Welcome to nginx!</title></html>", kind="text/html")


def _html_404(exchange: Any) -> None:
    exchange.respond(b"<html><title>404 Not Found</title></html>", "404 Not Found", "text/html")


def _cut_error(exchange: Any) -> None:
    exchange.send(b'HTTP/1.1 500 Oops\r\nContent-Length: 999\r\n\r\n{"error": {"message": "out of memory"}}')


def _cut_head(exchange: Any) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Ty")


def _nonsense(exchange: Any) -> None:
    exchange.send(b"SSH-2.0-OpenSSH_9.2p1\r\n")


def _no_json(exchange: Any) -> None:
    exchange.respond(b"hello", kind="text/plain")


def _empty(exchange: Any) -> None:
    exchange.respond(b"")


def _compressed(exchange: Any) -> None:
    exchange.respond(b"\x1f\x8b\x08\x00", more="Content-Encoding: gzip\r\n")


def _unfinished(exchange: Any) -> None:
    exchange.stream_head()
    exchange.token()


def _bad_chunk(exchange: Any) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    exchange.send(head + b"zz\r\nhello\r\n")


def _bad_status(exchange: Any) -> None:
    exchange.send(b"HTTP/1.1 999999 Strange\r\n\r\n")


@pytest.mark.parametrize(
    ("act", "outcome", "status", "error"),
    [
        (lambda exchange: None, "protocol_error", None, "the server closed the connection without a response"),
        (
            lambda exchange: exchange.reset(),
            "protocol_error",
            None,
            "the server reset the connection without a response",
        ),
        (_html, "protocol_error", 200, "the server answered with an HTML page: is the URL that of an API?"),
        (_html_404, "http_error", 404, "an HTML page: 404 Not Found"),
        (_cut_error, "http_error", 500, "out of memory"),
        (_cut_head, "truncated", None, "the server closed the connection before the response was complete"),
        (_nonsense, "protocol_error", None, None),
        (_no_json, "protocol_error", 200, "the response is neither an event stream nor JSON"),
        (_empty, "protocol_error", 200, "the response has no body"),
        (_compressed, "protocol_error", 200, "the response is compressed although identity was asked for"),
        (_unfinished, "truncated", 200, "the stream ended without [DONE], a finish reason or another end of its API's"),
        (_bad_chunk, "protocol_error", 200, None),
        (_bad_status, "protocol_error", None, None),
    ],
)
def test_what_real_sockets_say(
    raw_server: Any,
    small_trace: Any,
    replayed: Any,
    act: Act,
    outcome: str,
    status: int | None,
    error: str | None,
) -> None:
    def handler(exchange: Any) -> None:
        if exchange.request():
            act(exchange)

    tape = replayed(small_trace(3), raw_server(handler).url)
    ((found, http_status, text),) = _outcomes(tape)
    assert (found, http_status) == (outcome, status)
    assert text
    assert error is None or text == error


def test_an_answer_before_the_whole_request_is_heard(raw_server: Any, small_trace: Any, replayed: Any) -> None:
    """A server that refuses a body by its head answers, closes, and resets what is still on its way."""

    def handler(exchange: Any) -> None:
        exchange.connection.recv(1000)
        exchange.respond(b'{"error": {"message": "the prompt is too long"}}', "413 Content Too Large")

    tape = replayed(small_trace(3, input_tokens=1_000_000), raw_server(handler).url)
    assert _outcomes(tape) == {("http_error", 413, "the prompt is too long")}


def test_one_that_never_reads_times_out(raw_server: Any, small_trace: Any, replayed: Any) -> None:
    ended = threading.Event()

    def handler(exchange: Any) -> None:
        ended.wait(60)

    tape = replayed(small_trace(2, input_tokens=2_000_000), raw_server(handler).url, read_timeout_ns=400 * MS)
    ended.set()
    assert _outcomes(tape) == {("timeout", None, "the server sent nothing for 0.4 s")}
    assert tape.requests["sent_ns"].null_count == 0
    assert tape.requests["sent_end_ns"].null_count == 2


def test_a_server_that_goes_away_during_a_run(raw_server: Any, small_trace: Any, replayed: Any) -> None:
    """It is there for the check before the start, and refuses from the first request on."""
    server: Any = None

    def handler(exchange: Any) -> None:
        if exchange.request():
            server.refuse()
            _stream(exchange)

    server = raw_server(handler)
    tape = replayed(small_trace(8, gap_ms=60), server.url)
    assert len(tape.requests) == 8
    assert tape.requests["outcome"].to_pylist()[0] == "ok"
    assert _outcomes(tape) == {("ok", 200, None), ("connect_error", None, "Connection refused")}


def test_a_working_server_is_the_control(raw_server: Any, small_trace: Any, replayed: Any) -> None:
    def handler(exchange: Any) -> None:
        if exchange.request():
            _stream(exchange)

    tape = replayed(small_trace(3), raw_server(handler).url)
    assert _outcomes(tape) == {("ok", 200, None)}
    assert set(tape.requests["end_marker"].to_pylist()) == {"done"}
    assert tape.requests["output_tokens"].to_pylist() == [4, 4, 4]


@pytest.mark.parametrize("what", ["a body without end", "an event without end", "a head without end"])
def test_floods_are_bounded(raw_server: Any, small_trace: Any, replayed: Any, what: str, tmp_path: Path) -> None:
    def handler(exchange: Any) -> None:
        if not exchange.request():
            return
        exchange.send(b"HTTP/1.1 200 OK\r\n")
        if what == "a head without end":
            beginning, piece = b"X: ", b"x" * 65536
        elif what == "an event without end":
            beginning, piece = b"Content-Type: text/event-stream\r\n\r\ndata: ", b"x" * (1 << 20)
        else:
            beginning, piece = b"Content-Type: application/json\r\n\r\n", b" " * (1 << 20)
        exchange.send(beginning)
        for _ in range(200):
            exchange.send(piece)

    tape = replayed(small_trace(1), raw_server(handler).url)
    ((outcome, _, text),) = _outcomes(tape)
    assert outcome == "protocol_error"
    assert text
