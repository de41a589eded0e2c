"""Python interface of the simulated LLM server."""

from types import TracebackType
from typing import Final, Literal, NamedTuple

Distribution = tuple[Literal["constant", "uniform", "normal", "lognormal"], float, float]
"""A distribution of durations in ns: (constant, value, 0), (uniform, low, high), or (normal or lognormal, mean,
standard deviation of the duration itself)."""
RolePlace = Literal["before", "with", "early", "none"]
Finish = Literal["alone", "last", "usage"]
LineEnd = Literal["lf", "crlf", "cr"]
Framing = Literal["chunked", "length", "close"]
Shape = Literal["openai", "fastapi", "text", "html", "api"]
StreamError = Literal["data", "event", "field"]
Ping = Literal["ping", "bare"]
Fault = Literal["none", "status", "redirect", "error", "cut", "reset", "stall", "silent", "length"]

DISTRIBUTIONS: Final[tuple[str, ...]]
ROLES: Final[tuple[RolePlace, ...]]
FINISHES: Final[tuple[Finish, ...]]
LINE_ENDS: Final[tuple[LineEnd, ...]]
FRAMINGS: Final[tuple[Framing, ...]]
SHAPES: Final[tuple[Shape, ...]]
STREAM_ERRORS: Final[tuple[StreamError, ...]]
PINGS: Final[tuple[Ping, ...]]
FAULTS: Final[tuple[Fault, ...]]
ENDPOINTS: Final[tuple[str, ...]]
MAX_TOKENS: Final[int]
"""Upper limit of the output tokens of one request."""
MAX_DIMENSIONS: Final[int]
MAX_CHUNK_TOKENS: Final[int]
MODEL_BYTES: Final[int]
"""Upper limit of the bytes of the served model's name."""
MAX_CACHE_BLOCKS: Final[int]
MAX_BLOCK_TOKENS: Final[int]
ERROR_FAULT_STATUSES: Final[tuple[int, int]]
"""Lowest and highest status of the fault "status"."""

class Stats(NamedTuple):
    """Counters since the start, at most 100 ms old; exact once the server has stopped."""

    requests: int
    """Requests for answers; requests for models, health and metrics are not counted."""
    events: int
    tokens: int
    sends: int
    wakes: int
    connections: int
    dropped_rows: int
    """Rows that were dropped because they were not taken in time: a tape of this server would be incomplete."""
    open_streams: int
    """Number of answers in progress."""
    peak_streams: int
    open_connections: int
    cpu_user_ns: int
    cpu_system_ns: int

class EventColumns(NamedTuple):
    """A block of events in the order in which they were sent; each column is packed native numbers."""

    request_id: bytes
    """int64: number of the request."""
    event: bytes
    """int32: number of the event within the request, from 0, comments included."""
    arrival_ns: bytes
    """int64: CLOCK_MONOTONIC just before send()."""
    kind: bytes
    """uint8: an index into parsers.KINDS."""
    tokens: bytes
    """int32."""
    size: bytes
    """int32: bytes of the event without the framing of chunks."""
    coalesced: bytes
    """uint8: 1 if a later event was in the same write."""

class RequestRow(NamedTuple):
    """What was done for one request. Times are CLOCK_MONOTONIC in ns just before send(); 0: it did not happen."""

    request: int
    received_ns: int
    """Arrival of its last byte: the kernel's stamp if kernel_clock."""
    headers_ns: int
    first_event_ns: int
    first_token_ns: int
    last_token_ns: int
    end_ns: int
    bytes_received: int
    bytes_sent: int
    cached_tokens: int
    """Tokens of the prompt that were cached; -1: the server has no prefix cache."""
    prompt_tokens: int
    asked_tokens: int
    output_tokens: int
    events: int
    output_events: int
    """Number of events that held tokens."""
    connection: int
    status: int
    """Status of the response; 0: there was none."""
    endpoint: str
    outcome: int
    """An index into the tape's OUTCOMES."""
    kernel_clock: bool
    reused: bool
    stream: bool
    done_marker: bool
    id: str
    """Id of the response; empty if it has none."""
    model: str

def words(count: int) -> list[str]:
    """Return the words of an answer of `count` tokens, in order."""

def draws(distribution: Distribution, seed: int, request: int, count: int) -> list[int]:
    """Return the first `count` draws of a distribution for a request, in ns."""

class Server:
    """A simulated LLM server in a native thread of this process. It listens once it is made.

    `SimulatorConfig` documents the arguments, and has defaults and checks for them.

    Raises:
        OSError: It cannot listen; the errno says why. With EPROTO, TLS is not possible, and the message says why.
        ValueError: A setting is out of its range.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        model: str,
        seed: int,
        ttft: Distribution,
        itl: Distribution,
        default_tokens: int,
        dimensions: int,
        role: RolePlace,
        finish: Finish,
        line_end: LineEnd,
        framing: Framing,
        error_shape: Shape,
        stream_error: StreamError,
        ping: Ping,
        done: bool,
        space: bool,
        empty_choice: bool,
        continuous_usage: bool,
        chunk_extensions: bool,
        trailers: bool,
        tokens_per_chunk: int,
        reasoning_tokens: int,
        headers_ns: int,
        keepalive_ns: int,
        interim: bool,
        split_bytes: int,
        close_after: int,
        idle_close_ns: int,
        fault: Fault,
        fault_after: int,
        fault_share: float,
        fault_status: int,
        retry_after_s: int,
        truth: bool,
        prefix_cache: int = 0,
        block_tokens: int = 512,
        unix_path: bytes = b"",
        certificate_file: bytes | None = None,
        key_file: bytes | None = None,
    ) -> None: ...
    @property
    def port(self) -> int:
        """Port that it listens at; with port 0, the one that the kernel chose."""

    def start(self) -> None:
        """Start the thread. Call it once."""

    def stop(self) -> None:
        """End the thread and all connections; open requests end as cancelled. Rows can still be taken."""

    def __enter__(self) -> Server: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def stats(self) -> Stats:
        """Return the counters."""

    def take_events(self) -> list[EventColumns]:
        """Return the events since the last call. The last 100 ms may be missing until the server has stopped."""

    def take_requests(self) -> list[RequestRow]:
        """Return the requests that ended since the last call."""
