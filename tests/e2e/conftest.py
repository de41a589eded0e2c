"""Recorders, and a small HTTP proxy that passes requests and tunnels on and remembers what was asked of it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tokentape.engine.record.recorder import Recorder, RecordOptions

PATIENCE_S = 30.0


class ProxyServer:
    """Listens on 127.0.0.1.

    Args:
        authorization: What Proxy-Authorization has to say; None: anything will do.
    """

    def __init__(self, authorization: str | None = None) -> None:
        self._authorization = authorization
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.asked: list[str] = []
        """The first line of each request that was read here; a tunnel's inside is not."""
        self.seen = b""
        """All bytes that clients sent."""
        self._start(self._accept)

    @property
    def url(self) -> str:
        """As the environment names it."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed by stop()
            while True:
                client, _ = self._listener.accept()
                client.settimeout(PATIENCE_S)
                self._open.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                piece = client.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, rest = data.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            method, where, _ = lines[0].split(" ")
            self.asked.append(lines[0])
            self.seen += data
            if self._authorization is not None and f"Proxy-Authorization: {self._authorization}" not in lines:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            if method == "CONNECT":
                host, _, port = where.rpartition(":")
                upstream = socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S)
                client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
            else:
                parts = urlsplit(where)
                assert parts.hostname is not None
                upstream = socket.create_connection((parts.hostname, parts.port or 80), PATIENCE_S)
                line = f"{method} {parts.path} HTTP/1.1"
                kept = [field for field in lines[1:] if not field.lower().startswith("proxy-")]
                upstream.sendall("\r\n".join([line, *kept]).encode() + b"\r\n\r\n" + rest)
            self._open.append(upstream)
            self._start(self._pump, upstream, client)
            while piece := client.recv(65536):
                self.seen += piece
                upstream.sendall(piece)
            upstream.shutdown(socket.SHUT_WR)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with source, suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        """Closes everything and waits for the threads."""
        for connection in [self._listener, *self._open]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@pytest.fixture
def proxy_server() -> Iterator[Callable[..., ProxyServer]]:
    """Starts proxies: proxy_server(authorization="Basic …"); they end with the test."""
    running: list[ProxyServer] = []

    def start(authorization: str | None = None) -> ProxyServer:
        running.append(ProxyServer(authorization))
        return running[-1]

    yield start
    for proxy in running:
        proxy.stop()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Callable[..., Recorder]]:
    """Starts recorders: recorder(url, out="prod.tape", keep_bodies=True, …)."""
    running: list[Recorder] = []

    def start(url: str, out: str = "prod.tape", notes: list[str] | None = None, **options: Any) -> Recorder:
        on_note = [].append if notes is None else notes.append
        running.append(Recorder(RecordOptions(url=url, port=0, **options), tmp_path / out, (), on_note))
        running[-1].start()
        return running[-1]

    yield start
    for one in running:
        one.stop()
