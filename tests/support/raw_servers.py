"""Servers that answer with the bytes that a test chooses, and a port that refuses connections."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

PATIENCE_S = 60.0
"""Timeout of a test in s."""


class Exchange:
    """A client's connection to a test server whose responses the test defines."""

    def __init__(self, connection: socket.socket, number: int) -> None:
        self.connection, self.number = connection, number
        self._buffer = b""

    def request(self) -> bytes | None:
        """Return the next request, headers and body, or None if the client has closed the connection."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                return None
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        while len(rest) < length:
            if not self._receive():
                return None
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[length:]
        return head + b"\r\n\r\n" + rest[:length]

    def _receive(self) -> bool:
        data = self.connection.recv(65536)
        self._buffer += data
        return bool(data)

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.connection.sendall(data)

    def respond(self, body: bytes, status: str = "200 OK", kind: str = "application/json", more: str = "") -> None:
        """Sends a whole response with Content-Length."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.send(head.encode() + body)

    def stream_head(self) -> None:
        """Begins an event stream that ends with the connection."""
        self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")

    def token(self, text: str = "a") -> None:
        """Sends one event of a chat's stream."""
        self.event({"id": f"r{self.number}", "choices": [{"index": 0, "delta": {"content": text}}]})

    def event(self, value: Any) -> None:
        """Sends one event."""
        self.send(b"data: " + json.dumps(value).encode() + b"\n\n")

    def done(self) -> None:
        """Ends a stream as OpenAI does."""
        self.send(b"data: [DONE]\n\n")

    def reset(self) -> None:
        """Closes with a reset instead of an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()

    def wait_for_close(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError, TimeoutError):
            while self.connection.recv(65536):
                pass


class RawServer:
    """A server that answers each connection with a function of the test, in a thread each."""

    def __init__(self, handler: Callable[[Exchange], None]) -> None:
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept, name="acceptor")
        self._acceptor.start()

    @property
    def port(self) -> int:
        """Port at which the server listens."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """URL of the server's root."""
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed by stop()
            connection.settimeout(PATIENCE_S)
            exchange = Exchange(connection, len(self._connections))
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(exchange,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, exchange: Exchange) -> None:
        with exchange.connection, suppress(ConnectionError):
            self._handler(exchange)

    def refuse(self) -> None:
        """Accept no more connections; open connections stay open."""
        with suppress(OSError):  # it was told so before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def stop(self) -> None:
        """Closes everything and waits for the threads."""
        self.refuse()
        self._acceptor.join(PATIENCE_S)
        for connection in self._connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[Exchange], None]], RawServer]]:
    """Starts servers that do what a function says with each connection: raw_server(handler)."""
    running: list[RawServer] = []

    def start(handler: Callable[[Exchange], None]) -> RawServer:
        running.append(RawServer(handler))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """A port without a listener, reserved for the duration of the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
