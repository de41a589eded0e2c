"""``tokentape.serve``: the simulated server within a Python program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from datetime import timedelta
    from os import PathLike
    from types import TracebackType
    from typing import Literal

    from tokentape.cext.server import Stats
    from tokentape.engine.simulate.simulator import Simulator
    from tokentape.tape import Tape


class SimulatedServer:
    """A simulated server that is running. Stop it with `stop`, or use it as a context manager."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._tape: Tape | None = None
        simulator.start()

    def __repr__(self) -> str:
        return f"<SimulatedServer {self.url}>"

    @property
    def url(self) -> str:
        """URL of the server's root, or "unix:/PATH" for a Unix socket."""
        return self._simulator.url

    @property
    def port(self) -> int:
        """Port at which the server listens."""
        return self._simulator.port

    def stats(self) -> Stats:
        """Return the server's counters, at most 100 ms old."""
        return self._simulator.stats()

    @property
    def tape(self) -> Tape:
        """The server's own tape: when each request arrived, and when each event was sent.

        Raises:
            UserError: The server was started without `truth`, or has not been stopped yet.
        """
        from tokentape.engine.errors import UserError

        if self._tape is None:
            if self._simulator.tape is None:
                raise UserError("there is no sealed tape; start the server with truth='NAME' and call stop()")
            from tokentape.tape import measured

            self._tape = measured(self._simulator.tape)
        return self._tape

    def stop(self) -> None:
        """Close all connections, and seal the server's tape. Stopping twice is allowed.

        Raises:
            RuntimeError: The tape lacks rows, because requests ended faster than rows could be written.
        """
        self._simulator.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    uds: str | PathLike[str] | None = None,
    tls_cert: str | PathLike[str] | None = None,
    tls_key: str | PathLike[str] | None = None,
    model: str = "simulated",
    ttft: str | timedelta = "50ms",
    itl: str | timedelta = "10ms",
    seed: int = 0,
    default_tokens: int = 128,
    dimensions: int = 64,
    truth: str | PathLike[str] | None = None,
    headers: str | timedelta = "0s",
    role: Literal["before", "with", "early", "none"] = "before",
    finish: Literal["alone", "last", "usage"] = "alone",
    line_end: Literal["lf", "crlf", "cr"] = "lf",
    framing: Literal["chunked", "length", "close"] = "chunked",
    done: bool = True,
    space: bool = True,
    empty_choice: bool = False,
    continuous_usage: bool = False,
    tokens_per_chunk: int = 1,
    reasoning_tokens: int = 0,
    keepalive: str | timedelta | None = None,
    ping: Literal["ping", "bare"] = "ping",
    chunk_extensions: bool = False,
    trailers: bool = False,
    interim: bool = False,
    split_bytes: int = 0,
    close_after: int = 0,
    idle_close: str | timedelta | None = None,
    fault: Literal["none", "status", "redirect", "error", "cut", "reset", "stall", "silent", "length"] = "none",
    fault_after: int = 1,
    fault_share: float = 1.0,
    fault_status: int = 500,
    error_shape: Literal["api", "openai", "fastapi", "text", "html"] = "api",
    stream_error: Literal["data", "event", "field"] = "data",
    retry_after_s: int | None = 1,
    prefix_cache: int = 0,
    block_tokens: int = 512,
) -> SimulatedServer:
    """Start a simulated server in this process: LLM APIs with meaningless words at exact times.

    Token k of a response is due at `ttft` plus k draws of `itl` after the request. The server runs in native threads
    that do not run Python code. For a measurement, run it in another process (``tokentape serve``), or leave out
    ``url`` in `replay` and `profile`, which then start the server in another process.

    Example:
        with tokentape.serve(ttft="20ms", itl="5ms") as server:
            tape = tokentape.profile("load.tape", url=server.url, concurrency=4, request_count=100)

    Args:
        host: Address to listen at.
        port: Port to listen at. 0: a free one. The command line's default is 8000.
        uds: Path of a Unix socket to listen at instead.
        tls_cert: File with a certificate and its chain (PEM). The server then uses TLS.
        tls_key: File with the certificate's key (PEM).
        model: Model that /v1/models lists. Requests may name any other model; the response repeats the name.
        ttft: Time to the first token: a duration, or a distribution as in "uniform:40ms:60ms", "normal:50ms:5ms",
            "lognormal:50ms:10ms".
        itl: Time between two tokens: a duration or a distribution.
        seed: Seed of all random draws.
        default_tokens: Output tokens of a request that does not set a maximum.
        dimensions: Length of an embedding.
        truth: Folder of the server's own tape. None: no tape.
        headers: When the response headers are sent: a time after the request, or "first": with the first event.
        role: When the role chunk of a chat is sent: right before the first token ("before"), in one write with it
            ("with"), with the response headers ("early"), or never ("none").
        finish: Where the finish reason is: in a separate chunk ("alone"), in the last content chunk ("last"), or with
            the usage ("usage").
        line_end: Line ending of server-sent events.
        framing: Framing of a stream's body: "chunked", "length" (Content-Length) or "close".
        done: End streams with [DONE].
        space: Put a space after "data:".
        empty_choice: Begin a chat with an event without choices, as Azure does.
        continuous_usage: Send the usage in every chunk.
        tokens_per_chunk: Tokens in each chunk after the first.
        reasoning_tokens: Number of reasoning tokens before the visible output.
        keepalive: Send a comment after this time without an event in a stream. None: never.
        ping: Form of the keep-alive comment: ": ping" or a bare ":".
        chunk_extensions: Add a chunk extension to each chunk of the body.
        trailers: Send a trailer field after chunked bodies.
        interim: Send 100 Continue before each response.
        split_bytes: Split each write into writes of this size in bytes. 0: do not split.
        close_after: Close a connection after this number of responses. 0: never.
        idle_close: Close connections that are idle for this time. None: never.
        fault: Fault to inject: an error status, a redirect, an error event in the stream, the connection cut or reset,
            silence in the stream or from the start, a Content-Length that is too long.
        fault_after: Number of tokens to send before the fault.
        fault_share: Share of the requests that have the fault, from 0 to 1.
        fault_status: Status of the fault "status", from 400 to 599.
        error_shape: Form of the error body: "api" is the form that the API defines; the others imitate other servers.
        stream_error: Form of the fault "error": data and [DONE], an event named error, or an error field.
        retry_after_s: Seconds in Retry-After with 429 and 503. None: no header.
        prefix_cache: Size of an LRU cache of prompt prefixes, in blocks. Cached tokens are in the usage and shorten
            TTFT. 0: no cache.
        block_tokens: Tokens per block of the prefix cache.

    Returns:
        The running server, with `url` and `stop()`. Use it as a context manager.

    Raises:
        UserError: A setting cannot be used, the address cannot be listened at, or `truth` exists.
    """
    from tokentape._values import duration_text, errors_with_parameters, text_path
    from tokentape.engine.simulate.simulator import Simulator, SimulatorConfig

    config = SimulatorConfig(
        host=host,
        port=port,
        uds=text_path(uds),
        tls_cert=text_path(tls_cert),
        tls_key=text_path(tls_key),
        model=model,
        ttft=duration_text("ttft", ttft),
        itl=duration_text("itl", itl),
        seed=seed,
        default_tokens=default_tokens,
        dimensions=dimensions,
        headers=duration_text("headers", headers),
        role=role,
        finish=finish,
        line_end=line_end,
        framing=framing,
        done=done,
        space=space,
        empty_choice=empty_choice,
        continuous_usage=continuous_usage,
        tokens_per_chunk=tokens_per_chunk,
        reasoning_tokens=reasoning_tokens,
        keepalive=None if keepalive is None else duration_text("keepalive", keepalive),
        ping=ping,
        chunk_extensions=chunk_extensions,
        trailers=trailers,
        interim=interim,
        split_bytes=split_bytes,
        close_after=close_after,
        idle_close=None if idle_close is None else duration_text("idle_close", idle_close),
        fault=fault,
        fault_after=fault_after,
        fault_share=fault_share,
        fault_status=fault_status,
        error_shape=error_shape,
        stream_error=stream_error,
        retry_after_s=retry_after_s,
        prefix_cache=prefix_cache,
        block_tokens=block_tokens,
    )
    with errors_with_parameters():
        return SimulatedServer(Simulator(config, None if truth is None else Path(truth)))
