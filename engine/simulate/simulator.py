"""The simulated server: its options, and running it in this process."""

from __future__ import annotations

import errno
import math
import os
import socket
import time
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ...cext.server import (
    ERROR_FAULT_STATUSES,
    MAX_BLOCK_TOKENS,
    MAX_CACHE_BLOCKS,
    MAX_CHUNK_TOKENS,
    MAX_DIMENSIONS,
    MAX_TOKENS,
    MODEL_BYTES,
    Server,
    Stats,
)
from ..errors import UserError
from ..host import clock_pair, host
from ..tape.read import Tape
from ..units import duration_ns
from .truth import TruthWriter

if TYPE_CHECKING:  # names that exist only for type checkers, in the compiled module's stub
    from ...cext.server import Distribution, Fault, Finish, Framing, LineEnd, Ping, RolePlace, Shape, StreamError

LAW_FORMS = "50ms, uniform:40ms:60ms, normal:50ms:5ms or lognormal:50ms:10ms"


def _law_of(name: str, text: str) -> Distribution:
    """Parse the distribution of a setting; an error begins with the setting's name."""
    try:
        return parse_law(text)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def parse_law(text: str) -> Distribution:
    """Parse a distribution of durations: a constant, ``uniform:LOW:HIGH``, ``normal:MEAN:SD`` or ``lognormal:MEAN:SD``.

    Mean and standard deviation are those of the resulting duration. A negative draw of a normal distribution becomes 0.

    Raises:
        UserError: The text has none of these forms.
    """
    parts = text.split(":")
    if len(parts) == 1:
        return ("constant", float(duration_ns(text)), 0.0)
    name = parts[0].strip()
    if len(parts) != 3 or name not in {"uniform", "normal", "lognormal"}:
        raise UserError(f"{text!r} is not a distribution of durations; write {LAW_FORMS}")
    first, second = (float(duration_ns(part)) for part in parts[1:])
    if name == "uniform":
        if second < first:
            raise UserError(f"{text!r}: write the lower bound first, as in uniform:40ms:60ms")
        return ("uniform", first, second)
    if name == "normal":
        return ("normal", first, second)
    if first == 0:
        raise UserError(f"{text!r}: the mean of a lognormal distribution must be above 0")
    return ("lognormal", first, second)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """Options of a simulated server. The defaults make a well-behaved server, similar to llama.cpp and vLLM.

    All settings apply to every API, except ``finish``, ``empty_choice``, ``continuous_usage`` and ``stream_error``,
    which are variants of OpenAI's chat and completions.

    Attributes:
        host: An IP address, or a name that resolves to one.
        port: Port; 0: a free port.
        model: Model in ``/v1/models``, and in responses to requests without a model. A request's own name is echoed.
        seed: Seed; with a request's number it determines all random draws for that request.
        ttft: Time from the last byte of a request to its first token: a distribution as text (`parse_law`).
        itl: Time between two tokens: a distribution as text.
        default_tokens: Output tokens of a request that sets no limit.
        dimensions: Dimensions of an embedding if the request sets none.
        headers: When the response's head is sent: a duration after the request as text, or ``first``: with the first
            event, which is the latest possible time.
        role: The role chunk of a chat: ``before`` the first token in a separate write, ``with`` it in one segment,
            ``early`` with the head, or ``none``.
        finish: The finish reason: ``alone`` in a chunk, in the ``last`` content chunk, or in one chunk with the
            ``usage``, which is then sent even if not requested.
        line_end: Line ending of the event stream: ``lf``, ``crlf`` or ``cr``.
        framing: Framing of the stream's body: ``chunked``, ``length`` (Content-Length) or ``close``.
        done: Whether ``data: [DONE]`` ends the stream.
        space: Whether a space follows ``data:``.
        empty_choice: Begin a chat with an event whose ``choices`` are empty (Azure).
        continuous_usage: Usage in every chunk. A request may enable it too.
        tokens_per_chunk: Tokens of each chunk after the first, which has one. A chunk leaves at its last token's time.
        reasoning_tokens: Number of reasoning tokens at the beginning, for APIs that mark them.
        keepalive: Silence in a stream before a comment is sent, as text; None: never. Not with framing ``length``.
        ping: Form of the comment: ``ping`` (``: ping``) or ``bare`` (``:``).
        chunk_extensions: Put an extension on each chunk of the body.
        trailers: Send a trailer field after chunked streams.
        interim: Send ``100 Continue`` before each head.
        split_bytes: Size into which each write is split; 0: writes are not split.
        close_after: Number of responses after which a connection is closed (``Connection: close``); 0: never.
        idle_close: Idle time after which a connection is closed, as text; None: never.
        fault: Simulated fault: an error ``status`` instead of a response; a ``redirect`` to the same path under
            ``/redirected``; an ``error`` event within the stream; the connection ``cut`` or ``reset``; a ``stall``
            (silence); ``silent``: no response at all; ``length``: a Content-Length that is 100 bytes too large.
        fault_after: Tokens before an ``error``, ``cut``, ``reset`` or ``stall``; a shorter response has no fault. A
            response that is not streamed breaks in the middle of its body.
        fault_share: Share of requests with the fault, drawn with the seed.
        fault_status: HTTP status of a ``status`` fault, 400 to 599.
        error_shape: Form of a ``status`` body: that of the ``api``, ``openai``, ``fastapi``, ``text`` or ``html``.
        stream_error: Form of an ``error`` event of a chat or completion: ``data`` with ``[DONE]`` after it, an
            ``event`` named error, or an ``error:`` ``field``. Other APIs have one fixed form.
        retry_after_s: Retry-After header of 429 and 503, in s; None: no header.
        prefix_cache: Size in blocks of an LRU cache of prompt prefixes; 0: no cache. With a cache the usage has the
            cached tokens, and TTFT is the draw times the share of the prompt that is not cached.
        block_tokens: Tokens of a cache block.
        uds: Path of a Unix socket to listen at instead of host and port.
        tls_cert, tls_key: Certificate (with its chain) and key for TLS, as PEM files.
    """

    host: str = "127.0.0.1"
    port: int = 0
    model: str = "simulated"
    seed: int = 0
    ttft: str = "50ms"
    itl: str = "10ms"
    default_tokens: int = 128
    dimensions: int = 64
    headers: str = "0"
    role: RolePlace = "before"
    finish: Finish = "alone"
    line_end: LineEnd = "lf"
    framing: Framing = "chunked"
    done: bool = True
    space: bool = True
    empty_choice: bool = False
    continuous_usage: bool = False
    tokens_per_chunk: int = 1
    reasoning_tokens: int = 0
    keepalive: str | None = None
    ping: Ping = "ping"
    chunk_extensions: bool = False
    trailers: bool = False
    interim: bool = False
    split_bytes: int = 0
    close_after: int = 0
    idle_close: str | None = None
    fault: Fault = "none"
    fault_after: int = 1
    fault_share: float = 1.0
    fault_status: int = 500
    error_shape: Shape = "api"
    stream_error: StreamError = "data"
    retry_after_s: int | None = 1
    prefix_cache: int = 0
    block_tokens: int = 512
    uds: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None


def _within(config: SimulatorConfig, name: str, least: int, most: int) -> None:
    value = getattr(config, name)
    if not least <= value <= most:
        raise UserError(f"{name.replace('_', '-')} is {value}; write a number from {least} to {most}")


def _core_settings(config: SimulatorConfig, truth: bool) -> dict[str, Any]:
    """Return the settings in the core's form, or raise UserError for an invalid one."""
    _within(config, "port", 0, 65535)
    _within(config, "seed", 0, 2**64 - 1)
    _within(config, "default_tokens", 1, MAX_TOKENS)
    _within(config, "dimensions", 1, MAX_DIMENSIONS)
    _within(config, "tokens_per_chunk", 1, MAX_CHUNK_TOKENS)
    _within(config, "prefix_cache", 0, MAX_CACHE_BLOCKS)
    _within(config, "block_tokens", 1, MAX_BLOCK_TOKENS)
    for name in ("reasoning_tokens", "fault_after", "split_bytes", "close_after"):
        _within(config, name, 0, 2**31 - 1)
    _within(config, "fault_status", *ERROR_FAULT_STATUSES)
    if not (math.isfinite(config.fault_share) and 0 <= config.fault_share <= 1):
        raise UserError(f"fault-share is {config.fault_share}; write a number from 0 to 1")
    if config.retry_after_s is not None:
        _within(config, "retry_after_s", 0, 2**31 - 1)
    if not config.model or len(config.model.encode()) > MODEL_BYTES or set(config.model) & set('"\\\n\r\t'):
        raise UserError(f"model {config.model!r}: write 1 to {MODEL_BYTES} bytes without quotes and backslashes")
    settings = {field.name: getattr(config, field.name) for field in fields(config)}
    for name in ("headers", "keepalive", "idle_close", "uds", "tls_cert", "tls_key"):
        del settings[name]
    return settings | {
        "host": _numeric(config.host),
        "ttft": _law_of("ttft", config.ttft),
        "itl": _law_of("itl", config.itl),
        "headers_ns": -1 if config.headers == "first" else duration_ns(config.headers),
        "keepalive_ns": 0 if config.keepalive is None else duration_ns(config.keepalive),
        "idle_close_ns": 0 if config.idle_close is None else duration_ns(config.idle_close),
        "retry_after_s": -1 if config.retry_after_s is None else config.retry_after_s,
        "truth": truth,
        "unix_path": os.fsencode(config.uds or ""),
        "certificate_file": None if config.tls_cert is None else os.fsencode(config.tls_cert),
        "key_file": None if config.tls_key is None else os.fsencode(config.tls_key),
    }


def _numeric(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UserError(f"the host {host!r} has no address ({error.strerror})") from None
    return str(found[0][4][0])


def _listen(config: SimulatorConfig, truth: bool) -> Server:
    place = config.uds or f"{config.host}:{config.port}"
    if (config.tls_cert is None) != (config.tls_key is None):
        raise UserError("--tls-cert and --tls-key must be given together")
    if config.uds is not None and config.tls_cert is not None:
        raise UserError("TLS is not available on a Unix socket; omit --uds, or --tls-cert and --tls-key")
    settings = _core_settings(config, truth)
    try:
        return Server(**settings)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE if config.uds is not None:
                advice = "the file exists; give another --uds, or remove the file"
            case errno.ENOENT if config.uds is not None:
                advice = "its folder does not exist"
            case errno.EPROTO | errno.ENAMETOOLONG:
                raise UserError(error.strerror or str(error)) from None
            case errno.EADDRINUSE:
                advice = "the port is in use; give another --port, or 0 to have one chosen"
            case errno.EACCES if config.uds is not None:
                advice = "its folder is not writable"
            case errno.EACCES:
                advice = "you may not use this port; every user may use ports from 1024 on"
            case errno.EADDRNOTAVAIL:
                advice = "the address does not belong to this machine"
            case _:
                raise
        raise UserError(f"cannot listen at {place}: {advice}") from None


class Simulator:
    """A simulated server in this process, with its tape of true times if requested.

    The server listens once it is constructed; `start` makes it answer, `stop` seals the tape. It is a context manager.

    Args:
        config: Options of the server.
        truth: Path of the server's tape; None: no tape.
        command: The command line, for the tape's manifest.

    Raises:
        UserError: A setting is invalid, the address cannot be used, or the tape's path exists.
    """

    def __init__(self, config: SimulatorConfig, truth: Path | None = None, command: tuple[str, ...] = ()) -> None:
        self.config = config
        self.tape: Tape | None = None
        """The server's tape; None until it has stopped."""
        self._server = _listen(config, truth is not None)
        self._truth: TruthWriter | None = None
        if truth is not None:
            pair = clock_pair()
            manifest = {
                "role": "server",
                "command": list(command),
                "options": {field.name: getattr(config, field.name) for field in fields(config)},
                "host": host(),
                "clocks": [pair],
            }
            self._truth = TruthWriter(self._server, truth, manifest, pair, self.url)

    @property
    def port(self) -> int:
        """Port at which the server listens."""
        return self._server.port

    @property
    def url(self) -> str:
        """URL of the server."""
        if self.config.uds is not None:
            return f"unix:{self.config.uds}"
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{'http' if self.config.tls_cert is None else 'https'}://{host}:{self.port}"

    def stats(self) -> Stats:
        """The server's counters, at most 100 ms old."""
        return self._server.stats()

    def start(self) -> None:
        """Start to answer requests."""
        self._server.start()
        if self._truth is not None:
            self._truth.start()

    def stop(self) -> None:
        """Cut open connections and seal the tape. Further calls have no effect.

        Raises:
            RuntimeError: Rows are missing, because they were produced faster than they could be written.
        """
        self._server.stop()
        if self._truth is not None and self.tape is None:
            stats = self._server.stats()
            self.tape = self._truth.stop(
                stats=stats._asdict(),
                clocks=[self._truth.pair, clock_pair()],
                finished_unix_ns=time.time_ns(),
            )
            if stats.dropped_rows:
                raise RuntimeError(
                    f"{self._truth.path}: {stats.dropped_rows} rows were lost: they came faster than they were written"
                )

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
