"""A client of the simulated server that sees raw bytes, and what the server's tests share."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tokentape.cext.parsers import KINDS, Dialect, ParsedResponse, parse_response
from tokentape.cext.server import EventColumns, Server

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
OUTCOMES = (
    "ok", "http_error", "stream_error", "truncated", "timeout", "connect_error", "protocol_error", "cancelled",
)  # fmt: skip
"""Names of the outcomes by their numbers in a row."""
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
    """A connection without TLS to the simulated server."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), 10)

    def send(self, body: object, path: str = "/v1/chat/completions", *, head: str = "", method: str = "POST") -> None:
        """Send a request; a body that is not bytes is sent as JSON. `head` holds further header lines."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nContent-Length: {len(data)}\r\n{head}\r\n".encode() + data)

    def until(self, end: bytes) -> bytes:
        """Return what arrives until it ends with these bytes."""
        got = b""
        while not got.endswith(end):
            piece = self.socket.recv(65536)
            assert piece, f"the connection ended after {got!r}"
            got += piece
        return got

    def rest(self) -> bytes:
        """Return what arrives until the server closes."""
        pieces = []
        while piece := self.socket.recv(1 << 20):
            pieces.append(piece)
        return b"".join(pieces)


@contextmanager
def serving(**settings: Any) -> Iterator[tuple[Server, Client]]:
    """Run a server with DEFAULTS and these settings, and a connection to it."""
    with Server(**(DEFAULTS | settings)) as server:
        client = Client(server)
        with client.socket:
            yield server, client


def watch(server: Server, metric: str, wanted: Callable[[int], bool]) -> int:
    """Read a metric again and again until `wanted` accepts its value; return that."""
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


def fetch(body: object = CHAT, path: str = "/v1/chat/completions", **settings: Any) -> bytes:
    """Return the bytes of one response of a server with these settings."""
    with serving(**settings) as (_, client):
        client.send(body, path, head="Connection: close\r\n")
        return client.rest()


def parse(raw: bytes) -> ParsedResponse:
    """Parse a response with the real client's parser."""
    return parse_response([raw], DIALECT)


def kinds(raw: bytes) -> list[str]:
    """Return the kinds of a response's events."""
    return [scan.kind for scan in parse(raw).scans]


def text(response: ParsedResponse) -> str:
    """Return the text of a response's token events."""
    return "".join((scan.text or b"").decode() for scan in response.scans if scan.kind == "token")


def chunks(raw: bytes) -> list[bytes]:
    """Return the chunks of a chunked body, each as its size line, a bar and its data."""
    body = raw.partition(b"\r\n\r\n")[2]
    found = []
    while body:
        line, _, rest = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        found.append(line + b"|" + rest[:size])
        body = rest[size + 2 :] if size else b""
    return found


def numbers(column: bytes, code: str) -> list[int]:
    """Unpack a column of native numbers; `code` is the struct module's."""
    return [value for (value,) in struct.iter_unpack(code, column)]


def events_of(blocks: list[EventColumns]) -> list[tuple[int, int, int, str, int, int]]:
    """Return (request, event, arrival_ns, kind, tokens, size) of each event."""
    rows: list[tuple[int, int, int, str, int, int]] = []
    for block in blocks:
        columns = [numbers(block.request_id, "=q"), numbers(block.event, "=i"), numbers(block.arrival_ns, "=q")]
        kinds_of = [KINDS[code] for code in block.kind]
        rest = [numbers(block.tokens, "=i"), numbers(block.size, "=i")]
        rows += zip(*columns, kinds_of, *rest, strict=True)  # type: ignore[arg-type]
    return rows
