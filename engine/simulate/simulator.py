"""The simulated server: what it is asked to be, and its life within this process."""

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

if TYPE_CHECKING:  # names that the compiled module has for type checkers only
    from ...cext.server import Distribution, Fault, Finish, Framing, LineEnd, Ping, RolePlace, Shape, StreamError

LAW_FORMS = "50ms, uniform:40ms:60ms, normal:50ms:5ms or lognormal:50ms:10ms"


def _law_of(name: str, text: str) -> Distribution:
    """The law of a setting; its name goes before what is wrong."""
    try:
        return parse_law(text)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def parse_law(text: str) -> Distribution:
    """A law of durations: a constant, ``uniform:LOW:HIGH``, ``normal:MEAN:SD`` or ``lognormal:MEAN:SD``.

    Mean and standard deviation are those of the resulting duration. A normal draw below zero is zero.

    Raises:
        UserError: The text has none of these forms.
    """
    parts = text.split(":")
    if len(parts) == 1:
        return ("constant", float(duration_ns(text)), 0.0)
    name = parts[0].strip()
    if len(parts) != 3 or name not in {"uniform", "normal", "lognormal"}:
        raise UserError(f"{text!r} is not a law of durations; write {LAW_FORMS}")
    first, second = (float(duration_ns(part)) for part in parts[1:])
    if name == "uniform":
        if second < first:
            raise UserError(f"{text!r}: the lower end comes first, as in uniform:40ms:60ms")
        return ("uniform", first, second)
    if name == "normal":
        return ("normal", first, second)
    if first == 0:
        raise UserError(f"{text!r}: the mean of a lognormal law is above zero")
    return ("lognormal", first, second)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """Options of a simulated server. The defaults make a well-behaved server, similar to llama.cpp and vLLM.

    All settings apply to every API, but for ``finish``, ``empty_choice``, ``continuous_usage`` and ``stream_error``,
    which are variants of OpenAI's chat and completions.

    Attributes:
        host: A numeric address, or a name that has one.
        port: 0 lets the kernel choose.
        model: Served at ``/v1/models``, and the name for requests that name none; other names are echoed.
        seed: With the number of a request it decides all that is drawn for it.
        ttft: From the last byte of a request to its first token: the text of a law (`parse_law`).
        itl: Time between two tokens, in the same form.
        default_tokens: Output tokens of a request that does not say how many.
        dimensions: Of an embedding, when the request does not say.
        headers: When the response's head leaves: a duration after the request as text, or ``first``: with the first
            event. Never later than that.
        role: The role chunk of a chat: ``before`` the first token in a write of its own, ``with`` it in one segment,
            ``early`` with the head, or ``none``.
        finish: The finish reason: ``alone`` in its chunk, on the ``last`` content chunk, or in one chunk with the
            ``usage``, which is then sent unasked.
        line_end: Of the event stream: ``lf``, ``crlf`` or ``cr``.
        framing: Of the stream's body: ``chunked``, ``length`` (Content-Length) or ``close``.
        done: Whether ``data: [DONE]`` ends the stream.
        space: Whether a space follows ``data:``.
        empty_choice: Begin a chat with an event whose ``choices`` are empty (Azure).
        continuous_usage: Usage on every chunk. A request may ask for it as well.
        tokens_per_chunk: The first chunk has one token, those after it so many; it leaves when its last token is due.
        reasoning_tokens: Number of reasoning tokens at the beginning, for APIs that tell them from output.
        keepalive: A comment after so long a silence within a stream, as text; None: never. Not with framing ``length``.
        ping: The comment: ``ping`` (``: ping``) or ``bare`` (``:``).
        chunk_extensions: Put an extension on each chunk of the body.
        trailers: Send a trailer field after chunked streams.
        interim: Send ``100 Continue`` before each head.
        split_bytes: Cut each write into writes of this size; 0: do not.
        close_after: ``Connection: close`` with the so-manieth answer of a connection; 0: never.
        idle_close: Close connections that are idle for so long, as text; None: never.
        fault: What goes wrong: an error ``status`` instead of an answer; a ``redirect`` to the same path under
            ``/redirected``; an ``error`` event within the stream; the connection ``cut`` or ``reset``; a ``stall``
            (silence); ``silent``: no answer ever; ``length``: a Content-Length of 100 bytes too many.
        fault_after: Tokens before an ``error``, ``cut``, ``reset`` or ``stall``; a shorter answer goes well. An answer
            that is no stream breaks in the middle of its body.
        fault_share: The share of the requests that it happens to, drawn with the seed.
        fault_status: 400 to 599.
        error_shape: The body of a ``status``: the ``api``'s own, ``openai``, ``fastapi``, ``text`` or ``html``.
        stream_error: An ``error`` event of a chat or completion (other APIs have their own form): as ``data`` with
            ``[DONE]`` after it, as an ``event`` named error, or as an ``error:`` ``field``.
        retry_after_s: The Retry-After of 429 and 503; None: none.
        prefix_cache: Blocks of an LRU cache of prompts' prefixes; 0: there is none. With it the usage tells the cached
            tokens, and TTFT is the draw times the share of the prompt that is not cached.
        block_tokens: Of one such block.
        uds: Listen at a Unix socket with this path instead of at host and port.
        tls_cert, tls_key: Speak TLS with this certificate (with its chain) and its key, PEM files.
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
        raise UserError(f"{name.replace('_', '-')} is {value}; it must be from {least} to {most}")


def _core_settings(config: SimulatorConfig, truth: bool) -> dict[str, Any]:
    """The settings as the core takes them; the mistakes are the user's."""
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
        raise UserError(f"fault-share is {config.fault_share}; it must be from 0 to 1")
    if config.retry_after_s is not None:
        _within(config, "retry_after_s", 0, 2**31 - 1)
    if not config.model or len(config.model.encode()) > MODEL_BYTES or set(config.model) & set('"\\\n\r\t'):
        raise UserError(f"model {config.model!r}: 1 to {MODEL_BYTES} bytes without quotes and backslashes are expected")
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
        raise UserError("a certificate needs its key; pass both --tls-cert and --tls-key")
    if config.uds is not None and config.tls_cert is not None:
        raise UserError("TLS is not spoken at a Unix socket; leave out --uds, or --tls-cert and --tls-key")
    settings = _core_settings(config, truth)
    try:
        return Server(**settings)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE if config.uds is not None:
                advice = "there is such a file already; give another --uds, or remove it"
            case errno.ENOENT if config.uds is not None:
                advice = "its folder is not there"
            case errno.EPROTO | errno.ENAMETOOLONG:
                raise UserError(error.strerror or str(error)) from None
            case errno.EADDRINUSE:
                advice = "the port is in use; give another --port, or 0 to have one chosen"
            case errno.EACCES if config.uds is not None:
                advice = "its folder may not be written to"
            case errno.EACCES:
                advice = "the port may not be used; ports from 1024 on are free to all"
            case errno.EADDRNOTAVAIL:
                advice = "the address is not one of this machine's"
            case _:
                raise
        raise UserError(f"cannot listen at {place}: {advice}") from None


class Simulator:
    """A simulated server in this process, and its tape if one is wanted.

    It listens from its making on; `start` makes it answer, `stop` seals the tape. Also a context manager.

    Args:
        config: What it is to be.
        truth: Where the server's own tape will lie; None: it keeps none.
        command: The command line, for the tape's manifest.

    Raises:
        UserError: A setting cannot be, the address cannot be listened at, or the tape's path is taken.
    """

    def __init__(self, config: SimulatorConfig, truth: Path | None = None, command: tuple[str, ...] = ()) -> None:
        self.config = config
        self.tape: Tape | None = None
        """The server's tape, once it has stopped."""
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
        """URL or port at which it listens."""
        return self._server.port

    @property
    def url(self) -> str:
        """The server's root."""
        if self.config.uds is not None:
            return f"unix:{self.config.uds}"
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{'http' if self.config.tls_cert is None else 'https'}://{host}:{self.port}"

    def stats(self) -> Stats:
        """Its counters, at most 100 ms old."""
        return self._server.stats()

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()
        if self._truth is not None:
            self._truth.start()

    def stop(self) -> None:
        """Cut what runs, and seal the tape. Stopping twice is allowed.

        Raises:
            RuntimeError: The tape would lack rows, because they were made faster than they could be written.
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
                raise RuntimeError(f"{self._truth.path}: {stats.dropped_rows} rows were made faster than written")

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
