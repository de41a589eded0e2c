"""The recording proxy's face: its settings by name, its rows as flat columns and bytes."""

from typing import Final, Literal, NamedTuple

from .parsers import Dialect

Endpoint = Literal["chat", "completions", "embeddings"]

ENDPOINTS: Final[tuple[Endpoint, ...]]
"""What is recorded, in the order of the dialects."""
MAX_BODY: Final[int]
"""Bytes of a request's body that are kept at most."""

class Stats(NamedTuple):
    """Counters since the start, at most 100 ms old."""

    connections: int
    requests: int
    """All of them, those that are only passed on too."""
    recorded: int
    events: int
    tokens: int
    coalesced: int
    refused: int
    """Requests answered with 502."""
    unfollowed: int
    """Connections that went through unrecorded from some point on."""
    dropped_rows: int
    """Rows that were made faster than taken."""
    dropped_bodies: int
    """Bodies that were too large, or for which there was no room."""
    open_connections: int
    open_requests: int
    oldest_open: int
    """All rows of requests with a lower id can be taken."""
    next_request: int
    """The id of the next recorded request at `at_ns`."""
    at_ns: int
    """CLOCK_MONOTONIC when these were taken."""
    cpu_user_ns: int
    cpu_system_ns: int

class EventColumns(NamedTuple):
    """A block of events, column by column.

    int64 request_id, arrival_ns and read_ns; int32 event, tokens (-1: unknown) and size; uint8 kind and coalesced.
    """

    request_id: bytes
    event: bytes
    arrival_ns: bytes
    read_ns: bytes
    kind: bytes
    tokens: bytes
    size: bytes
    coalesced: bytes

class RecordedRequest(NamedTuple):
    """One finished request."""

    record: bytes
    """``request_record`` of ``cext/base/request_record.h``; ``sent_ns`` is when its first byte arrived."""
    id: bytes
    """Of the response, as between the quotes of JSON; likewise `finish` and `text`."""
    finish: bytes
    error: bytes
    text: bytes
    received_ns: int
    """CLOCK_MONOTONIC when its last byte arrived; 0: it never did."""
    endpoint: Endpoint
    head: bytes
    """Request line and headers as they came."""
    body: bytes | None
    """None: it was cut short, over MAX_BODY, or there was no room for it."""

class Proxy:
    """A recording reverse proxy in a native thread of this process. It listens from its making on.

    Args:
        host: A numeric address to listen at.
        port: 0 lets the kernel choose.
        upstream: The server's address as the kernel's ``struct sockaddr``.
        dialects: One for each of ENDPOINTS.
        needs_end: Whether a stream of each must end with [DONE], a finish reason or a terminal event.
        keep_text: Keep the output text of responses.
        connect_timeout_ns: For a connection to the server to be made.
        half_closed_ns: How long a client that has ended its side waits for a silent server.

    Raises:
        OSError: It cannot listen; the errno says why.
        ValueError: A setting is out of its range.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        upstream: bytes,
        dialects: tuple[Dialect, ...],
        needs_end: tuple[bool, ...],
        keep_text: bool,
        connect_timeout_ns: int,
        half_closed_ns: int,
    ) -> None: ...
    @property
    def port(self) -> int:
        """Where it listens; with port 0, what the kernel chose."""

    def start(self) -> None:
        """Start the thread. Once."""

    def drain(self) -> None:
        """Take no more connections, and close those that are idle or become so."""

    def mute(self) -> None:
        """Record nothing from now on; all goes through."""

    def stop(self) -> None:
        """End the thread and all connections; what was open is cancelled. Rows can still be taken."""

    def stats(self) -> Stats:
        """The counters. What is taken after this call holds all rows of requests below `oldest_open`."""

    def take_events(self) -> list[EventColumns]:
        """The events since the last call, up to 100 ms ago; all once it has stopped."""

    def take_requests(self, most: int) -> list[RecordedRequest]:
        """The oldest finished requests that nobody took yet, at most so many."""
