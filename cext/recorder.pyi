"""Python interface of the recording proxy."""

from typing import Final, Literal, NamedTuple

from .parsers import Dialect

Endpoint = Literal["chat", "completions", "embeddings"]

ENDPOINTS: Final[tuple[Endpoint, ...]]
"""Names of the APIs that are recorded, in the order of a proxy's dialects."""
MAX_BODY: Final[int]
"""Upper limit of a recorded request body, in bytes."""

class Stats(NamedTuple):
    """Counters since the start, at most 100 ms old."""

    connections: int
    requests: int
    """All requests, including those that are only forwarded."""
    recorded: int
    events: int
    tokens: int
    coalesced: int
    refused: int
    """Requests answered with 502."""
    unfollowed: int
    """Connections that are forwarded without being recorded from some point on."""
    dropped_rows: int
    """Rows that were dropped because they were not taken in time."""
    dropped_bodies: int
    """Bodies that were not kept: too large, or too many at once."""
    open_connections: int
    open_requests: int
    oldest_open: int
    """The rows of all requests with a lower id can be taken."""
    next_request: int
    """Id of the next recorded request at `at_ns`."""
    at_ns: int
    """CLOCK_MONOTONIC in ns when the counters were copied."""
    cpu_user_ns: int
    cpu_system_ns: int

class EventColumns(NamedTuple):
    """A block of events; each column is packed native numbers.

    int64: request_id, arrival_ns, read_ns. int32: event, tokens (-1: unknown), size. uint8: kind, coalesced.
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
    """``request_record`` of ``cext/base/request_record.h``; ``sent_ns`` is the arrival of its first byte."""
    id: bytes
    """Id of the response. `id`, `finish` and `text` are raw bytes of JSON strings: escapes stay."""
    finish: bytes
    error: bytes
    text: bytes
    received_ns: int
    """Arrival of its last byte, CLOCK_MONOTONIC in ns; 0: it did not arrive."""
    endpoint: Endpoint
    head: bytes
    """Request line and headers, unchanged."""
    body: bytes | None
    """None: it was incomplete, larger than MAX_BODY, or too many bodies were held."""

class Proxy:
    """A recording reverse proxy in a native thread of this process. It listens once it is made.

    Args:
        host: Numeric address to listen at.
        port: Port to listen at; 0: any free port.
        upstream: ``struct sockaddr`` of the server, as bytes.
        dialects: One dialect for each of ENDPOINTS.
        needs_end: For each of ENDPOINTS, whether a stream counts as truncated unless it ends with [DONE], a finish
            reason or a terminal event.
        keep_text: Keep the output text of responses.
        connect_timeout_ns: Upper limit of the time to connect to the server.
        half_closed_ns: Close the connection of a client that has half-closed when nothing moves for this long.

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
        """Port that it listens at; with port 0, the one that the kernel chose."""

    def start(self) -> None:
        """Start the thread. Call it once."""

    def drain(self) -> None:
        """Accept no more connections, and close connections when they are idle."""

    def mute(self) -> None:
        """Record no further requests; all are still forwarded."""

    def stop(self) -> None:
        """End the thread and all connections; open requests end as cancelled. Rows can still be taken."""

    def stats(self) -> Stats:
        """Return the counters. Rows taken after this call include all rows of the requests below `oldest_open`."""

    def take_events(self) -> list[EventColumns]:
        """Return the events since the last call. The last 100 ms may be missing until the proxy has stopped."""

    def take_requests(self, most: int) -> list[RecordedRequest]:
        """Return the oldest finished requests that were not taken yet, at most `most`."""
