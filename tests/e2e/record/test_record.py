"""The recorder: what passes through it is on the tape, and nothing of it is changed, lost or told to others."""

import json
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from tokentape import traces
from tokentape.engine.record.recorder import Recorder
from tokentape.engine.tape import Tape

KEY = "sk-0123456789abcdefSECRET"
PROMPT = "the quick brown fox jumps over the lazy dog " * 40


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, timeout=30)


def chat(api: openai.OpenAI, text: str = "hello", **more: Any) -> str:
    stream = api.chat.completions.create(
        **{"model": "m", "messages": [{"role": "user", "content": text}], "stream": True, "max_tokens": 5} | more
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def raw(recorder: Recorder) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(recorder.url.rpartition(":")[2])), timeout=30)


def post(body: bytes, path: str = "/v1/chat/completions", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


def read_to_end(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(1 << 16):
        data += piece
    return data


def rows(tape: Tape) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = tape.requests.to_pylist()
    return table


def files_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_rows_say_what_passed(recorder: Any, simulator: Any) -> None:
    server = simulator(default_tokens=5)
    proxy = recorder(server.url)
    with client(proxy.url) as api:
        said = chat(api, stream_options={"include_usage": True})
        assert api.completions.create(model="c", prompt="one two three", max_tokens=4).usage is not None
        assert api.embeddings.create(model="e", input="one two").data
        assert api.models.list().data[0].id == "simulated"
    (tape,) = proxy.stop()
    one, two, three = rows(tape)
    assert said.count(" ") == 4
    assert [row["endpoint"] for row in (one, two, three)] == ["chat", "completions", "embeddings"]
    assert [row["model"] for row in (one, two, three)] == ["m", "c", "e"]
    assert [row["outcome"] for row in (one, two, three)] == ["ok"] * 3
    assert [row["output_tokens"] for row in (one, two, three)] == [5, 4, 0]
    assert (one["planned_input_tokens"], one["planned_output_tokens"]) == (1, 5)
    assert one["url"] == f"{server.url}/v1/chat/completions"
    order = ["connect_start_ns", "sent_ns", "received_ns", "headers_ns", "first_event_ns", "first_token_ns"]
    stamps = [one[name] for name in (*order[1:], "last_token_ns", "end_ns")]
    assert stamps == sorted(stamps)
    assert one["scheduled_ns"] == one["sent_ns"]
    events = tape.events.to_pylist()
    kinds = [event["kind"] for event in events if event["request_id"] == 0]
    assert kinds == ["role", *["token"] * 5, "other", "usage", "done"]
    assert tape.manifest["role"] == "recorder"
    assert tape.manifest["rows"]["bodies"] == 0


def test_without_keep_bodies_no_text_is_on_the_tape(recorder: Any, raw_server: Any, tmp_path: Path) -> None:
    def refuse(exchange: Any) -> None:
        request = exchange.request()
        exchange.respond(json.dumps({"detail": f"cannot serve {request!r}"}).encode(), "422 Unprocessable Entity")

    proxy = recorder(raw_server(refuse).url)
    with client(proxy.url) as api, pytest.raises(openai.APIStatusError):
        chat(api, "a very private matter")
    (tape,) = proxy.stop()
    (row,) = rows(tape)
    assert (row["outcome"], row["http_status"]) == ("http_error", 422)
    assert "private" not in row["error"]
    assert b"private matter" not in files_of(tmp_path)


@pytest.mark.parametrize("options", [{}, {"keep_bodies": True}, {"anonymize": True}], ids=["plain", "bodies", "hashes"])
def test_secrets_are_in_no_file(recorder: Any, raw_server: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    def repeat_the_key(exchange: Any) -> None:
        exchange.request()
        exchange.respond(json.dumps({"error": {"message": f"Incorrect API key: {KEY}"}}).encode(), "401 Unauthorized")

    proxy = recorder(raw_server(repeat_the_key).url, **options)
    more = f"Authorization: Bearer {KEY}\r\nCookie: session=cookie-SECRET\r\n"
    more += "api-key: azure-SECRET\r\nX-Api-Key: x-SECRET\r\n"
    more += f"X-Trace: mirrored-{KEY}\r\nX-Custom: Bearer other-SECRET\r\nX-Kept: yes\r\n"
    with raw(proxy) as connection:
        connection.sendall(
            post(b'{"model":"m"}', "/v1/chat/completions?api_key=query-SECRET", more + "Connection: close\r\n")
        )
        assert b"401" in read_to_end(connection)
    (tape,) = proxy.stop()
    data = files_of(tmp_path)
    assert b"SECRET" not in data
    (row,) = rows(tape)
    assert row["url"].endswith("/v1/chat/completions")
    if options.get("keep_bodies"):
        (body,) = tape.read("bodies").to_pylist()
        assert json.loads(body["request_headers"]) == {"Content-Type": "application/json", "X-Kept": "yes"}
        assert row["error"] == "Incorrect API key: ***"


def test_a_recorded_run_is_replayed_byte_for_byte(
    recorder: Any, simulator: Any, raw_server: Any, replayed: Any, tmp_path: Path
) -> None:
    proxy = recorder(simulator().url, keep_bodies=True)
    with client(proxy.url) as api:
        for turn in range(6):
            chat(api, f"{PROMPT} ünï — {turn} 🙂", model=f"m{turn}", temperature=0.25 * turn, seed=turn)
        api.embeddings.create(model="e", input=["one", "two"])
        api.completions.create(model="c", prompt="once", max_tokens=3)
    (tape,) = proxy.stop()
    got: list[tuple[str, bytes]] = []
    heads: list[dict[str, str]] = []

    def capture(exchange: Any) -> None:
        while request := exchange.request():
            head, _, body = request.partition(b"\r\n\r\n")
            got.append((head.split()[1].decode(), body))
            fields = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
            heads.append({name.lower(): value for name, _, value in fields})
            exchange.respond(b'{"id":"r","choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{}}')

    server = raw_server(capture)
    again = replayed(
        tape.path, server.url, out="again.tape", model=None, keep_bodies=True, headers=["X-Stainless-Lang: mine"]
    )
    kept = [json.loads(row["request_headers"]) for row in tape.read("bodies").sort_by("request_id").to_pylist()]
    for head, row in zip(heads, kept, strict=True):
        own = {"host": server.url.removeprefix("http://"), "accept-encoding": "identity", "x-stainless-lang": "mine"}
        theirs = {name.lower(): value for name, value in row.items()}
        assert theirs["user-agent"].startswith("OpenAI/Python")
        assert head == theirs | own | {"content-length": head["content-length"]}
    recorded = tape.read("bodies").sort_by("request_id")["request_body"].to_pylist()
    assert [body for _, body in got] == recorded
    assert [path for path, _ in got] == ["/v1/chat/completions"] * 6 + ["/v1/embeddings", "/v1/completions"]
    arrivals, due = tape.requests["sent_ns"].to_numpy(), again.requests["scheduled_ns"].to_numpy()
    np.testing.assert_array_equal(due - due[0], arrivals - arrivals[0])
    assert again.requests["endpoint"].to_pylist() == ["chat"] * 6 + ["embeddings", "completions"]
    assert again.requests["model"].to_pylist() == [*(f"m{turn}" for turn in range(6)), "e", "c"]
    assert again.read("bodies").sort_by("request_id")["request_body"].to_pylist() == recorded


def test_another_model_changes_nothing_else(recorder: Any, simulator: Any, replayed: Any) -> None:
    server = simulator()
    proxy = recorder(server.url, keep_bodies=True)
    body = (
        b'{ "messages": [{"role": "user", "content": "\\"model\\": \xc3\xbc"}],\n "model" : "old" , "max_tokens": 3 }'
    )
    with raw(proxy) as connection:
        connection.sendall(post(body, more="Connection: close\r\n"))
        assert b"200 OK" in read_to_end(connection)
    (tape,) = proxy.stop()
    again = replayed(tape.path, server.url, out="again.tape", model="new", keep_bodies=True)
    assert again.read("bodies")["request_body"].to_pylist() == [body.replace(b'"old"', b'"new"')]


def test_anonymized_prompts_share_what_they_shared(recorder: Any, simulator: Any, tmp_path: Path) -> None:
    proxy = recorder(simulator().url, anonymize=True)
    with client(proxy.url) as api:
        messages: list[Any] = [{"role": "system", "content": PROMPT}]
        for question in ("a" * 700, "b" * 700):
            api.chat.completions.create(
                model="m", max_tokens=2, messages=[*messages, {"role": "user", "content": question}]
            )
        chat(api, "c" * 2400)
    (tape,) = proxy.stop()
    assert b"quick brown" not in files_of(tmp_path)
    hashes = [
        [row["hash"] for row in tape.read("blocks").to_pylist() if row["request_id"] == request] for request in range(3)
    ]
    shared = len(json.dumps(messages[0], separators=(",", ":"))) // 512
    assert shared == 3
    assert hashes[0][:shared] == hashes[1][:shared]
    assert not set(hashes[0][shared:]) & set(hashes[1][shared:])
    assert not set(hashes[2]) & set(hashes[0] + hashes[1])
    assert len(set(hashes[2])) == len(hashes[2]) == 5
    trace = traces.read(tape.path)
    ids = trace.table["block_ids"].to_pylist()
    assert ids[0][:shared] == ids[1][:shared]
    assert trace.block_tokens is not None
    lengths = trace.table["input_tokens"].to_pylist()
    assert [len(row) for row in ids] == [-(-length // trace.block_tokens) for length in lengths]


def test_two_recordings_have_different_salts(recorder: Any, simulator: Any) -> None:
    server = simulator()
    told = []
    for name in ("one.tape", "two.tape"):
        proxy = recorder(server.url, name, anonymize=True)
        with client(proxy.url) as api:
            chat(api, "the same words")
        (tape,) = proxy.stop()
        told.append(set(tape.read("blocks")["hash"].to_pylist()))
    assert told[0] and told[1] and not told[0] & told[1]


def test_a_client_that_goes_away_is_cancelled(recorder: Any, raw_server: Any, eventually: Any) -> None:
    gone = threading.Event()

    def stream(exchange: Any) -> None:
        exchange.request()
        exchange.stream_head()
        exchange.token()
        exchange.wait_for_close()
        gone.set()

    proxy = recorder(raw_server(stream).url)
    with raw(proxy) as connection:
        connection.sendall(post(b'{"model":"m","stream":true}'))
        assert b"HTTP/1.1 200" in connection.recv(1 << 16)
        # A reset, whatever has been read: a mere close might be that of a client that only has no more to say.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert gone.wait(30)  # the server is told
    eventually(lambda: proxy.stats().open_connections == 0, "the end of the connection")
    (tape,) = proxy.stop()
    (row,) = rows(tape)
    assert row["outcome"] == "cancelled"
    assert row["error"] == "the client went away before the end of the response"
    assert row["http_status"] == 200


def test_a_client_that_goes_away_within_its_request(recorder: Any, raw_server: Any, eventually: Any) -> None:
    proxy = recorder(raw_server(lambda exchange: exchange.request()).url)
    with raw(proxy) as connection:
        connection.sendall(post(b'{"model":"m","stream":true}')[:-5])
        eventually(lambda: proxy.stats().open_requests == 1, "the request")
    eventually(lambda: proxy.stats().open_requests == 0, "its end")
    (tape,) = proxy.stop()
    (row,) = rows(tape)
    assert (row["outcome"], row["received_ns"]) == ("cancelled", None)
    assert row["error"] == "the client went away while it sent the request"


@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_server_that_goes_away_is_truncated(recorder: Any, simulator: Any, how: str) -> None:
    proxy = recorder(simulator(fault=how, fault_after=2).url)
    with client(proxy.url) as api, pytest.raises(openai.APIConnectionError):
        chat(api)
    (tape,) = proxy.stop()
    (row,) = rows(tape)
    assert (row["outcome"], row["output_events"]) == ("truncated", 2)


def test_a_server_that_is_not_there_is_502(recorder: Any, refusing_port: int) -> None:
    notes: list[str] = []
    proxy = recorder(f"http://127.0.0.1:{refusing_port}", notes=notes)
    with client(proxy.url) as api:
        for _ in range(2):
            with pytest.raises(openai.InternalServerError) as caught:
                chat(api)
            assert caught.value.status_code == 502
            assert "the server refuses connections" in str(caught.value)
    (tape,) = proxy.stop()
    assert [row["outcome"] for row in rows(tape)] == ["connect_error"] * 2
    assert rows(tape)[0]["error"] == "the server refuses connections"
    assert "refuses connections" in notes[0]


def test_what_is_not_known_goes_through_unrecorded(recorder: Any, raw_server: Any) -> None:
    def echo(exchange: Any) -> None:
        first = exchange.connection.recv(1 << 16)
        if b"Upgrade" in first:
            exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        else:
            exchange.send(b"got " + first)
        while data := exchange.connection.recv(1 << 16):
            exchange.send(data)

    proxy = recorder(raw_server(echo).url)
    with raw(proxy) as connection:
        connection.sendall(b"\x16\x03\x01 no HTTP at all\r\n\r\n")
        assert connection.recv(1 << 16) == b"got \x16\x03\x01 no HTTP at all\r\n\r\n"
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection) == b""
    with raw(proxy) as connection:
        connection.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 101")
        connection.sendall(b"\0\1\2 frames")
        assert connection.recv(1 << 16) == b"\0\1\2 frames"
    (tape,) = proxy.stop()
    assert rows(tape) == []
    assert proxy.stats().unfollowed == 2


def test_bodies_of_any_size_pass_both_ways(recorder: Any, raw_server: Any) -> None:
    size = 24 << 20
    body = b'{"model":"m","messages":[' + b" " * size + b"]}"

    def answer(exchange: Any) -> None:
        left = size
        while (piece := exchange.connection.recv(1 << 18)) and not piece.endswith(b" ]}"):
            left -= len(piece)
        exchange.respond(b'{"x":"' + b"y" * (size if left < 1 << 18 else 0) + b'"}')

    proxy = recorder(raw_server(answer).url, keep_bodies=True)
    with raw(proxy) as connection:
        connection.sendall(post(body, more="Connection: close\r\n"))
        got = read_to_end(connection)
    assert got.endswith(b'yyy"}')
    assert got.count(b"y") >= size
    (tape,) = proxy.stop()
    (row,) = rows(tape)
    assert row["outcome"] == "ok"
    assert row["bytes_sent"] > size
    assert row["bytes_received"] > size
    assert tape.read("bodies")["request_body"].to_pylist() == [body]


def test_chunked_requests_pipelines_and_continue(recorder: Any, simulator: Any) -> None:
    server = simulator()
    proxy = recorder(server.url, keep_bodies=True)
    body = b'{"model":"m","prompt":"a b","max_tokens":2}'
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    chunked = b"5;ext=1\r\n" + body[:5] + b"\r\n%x\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\nTrailer: x\r\n\r\n"
    with raw(proxy) as connection:
        connection.sendall(
            head + b"\r\n" + chunked + post(body, "/v1/completions") + b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        connection.sendall(head + b"Expect: 100-continue\r\nConnection: close\r\n\r\n" + chunked)
        got = read_to_end(connection)
    assert got.count(b"HTTP/1.1 200 OK") == 4
    assert got.count(b"HTTP/1.1 100 Continue") == 1
    (tape,) = proxy.stop()
    assert [row["outcome"] for row in rows(tape)] == ["ok"] * 3
    assert tape.read("bodies")["request_body"].to_pylist() == [body] * 3
