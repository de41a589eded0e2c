"""``tokentape.record``: forward traffic through a proxy in a Python program and write a tape of it."""

from __future__ import annotations

import atexit
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from os import PathLike
    from types import TracebackType

    from tokentape.engine.record.recorder import Recorder
    from tokentape.tape import Tape

_POLL_S = 0.02
_COUNTER_AGE_NS = 100_000_000
"""Maximum age of the proxy's counters, in ns."""


class Recording:
    """A recording proxy that is running. Stop it with `stop`, or use it as a context manager.

    The end of the program stops it too, without waiting for open requests.
    """

    def __init__(self, recorder: Recorder, grace_ns: int) -> None:
        self._recorder, self._grace_ns = recorder, grace_ns
        self._tapes: list[Tape] | None = None
        recorder.start()
        atexit.register(self._stop, 0)

    def __repr__(self) -> str:
        state = "running" if self._tapes is None else "stopped"
        return f"<Recording {self.url} -> {self.server_url} into {self._recorder.out}, {state}>"

    @property
    def url(self) -> str:
        """Root of the proxy: point clients here instead of at the server."""
        return self._recorder.url

    @property
    def server_url(self) -> str:
        """Root of the server that requests are forwarded to."""
        return self._recorder.server_url

    @property
    def tapes(self) -> list[Tape]:
        """The sealed tapes in order of time. There are several if the recording was rotated.

        Raises:
            UserError: The recording has not been stopped yet.
        """
        if self._tapes is None:
            from tokentape.engine.errors import UserError

            raise UserError("the recording is still running; call stop() first, or read the tape after the with block")
        return self._tapes

    @property
    def tape(self) -> Tape:
        """The sealed tape. The first tape if the recording was rotated.

        Raises:
            UserError: The recording has not been stopped yet.
        """
        return self.tapes[0]

    def stop(self, *, grace: str | timedelta | None = None) -> Tape:
        """Accept no new connections, let open requests end, seal the tape. Stopping twice is allowed.

        Args:
            grace: Time for open requests to end; then they are cut. None: the `grace` that was given to `record`.

        Returns:
            The first tape; `tapes` has all tapes.

        Raises:
            TapeFull: The disk was full. The recording ended at that moment; its journal can be recovered.
        """
        from tokentape._values import nanoseconds

        return self._stop(self._grace_ns if grace is None else nanoseconds("grace", grace))

    def _stop(self, grace_ns: int) -> Tape:
        if self._tapes is None:
            from tokentape.tape import measured

            atexit.unregister(self._stop)
            try:
                self._drain(grace_ns)
            finally:  # also on Ctrl-C while requests end
                self._tapes = [measured(tape) for tape in self._recorder.stop()]
        return self.tape

    def _drain(self, grace_ns: int) -> None:
        self._recorder.drain()
        asked_ns = time.monotonic_ns()
        while time.monotonic_ns() - asked_ns < grace_ns:
            stats = self._recorder.stats()
            if stats.at_ns > asked_ns + _COUNTER_AGE_NS and stats.open_connections == 0:
                return
            time.sleep(_POLL_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the recording. After an exception, do not wait for open requests."""
        self._stop(self._grace_ns if kind is None else 0)


def record(
    out: str | PathLike[str],
    *,
    url: str,
    host: str = "127.0.0.1",
    port: int = 0,
    keep_bodies: bool = False,
    anonymize: bool = False,
    rotate_every: str | timedelta | None = None,
    rotate_size: str | int | None = None,
    grace: str | timedelta = "30s",
    connect_timeout: str | timedelta = "10s",
    half_closed: str | timedelta = "300s",
    on_note: Callable[[str], object] | None = None,
) -> Recording:
    """Start a proxy that forwards requests to a server, and records them on a tape.

    Chat, completions and embeddings requests get a row each, whatever their outcome; other requests are forwarded
    without being recorded (docs/record.md). The tape is a trace: ``tokentape.replay("prod.tape", …)``.

    Example:
        with tokentape.record("prod.tape", url="http://127.0.0.1:8000") as recording:
            client = openai.OpenAI(base_url=recording.url + "/v1", api_key="-")
            ...
        print(len(recording.tape.requests))

    Args:
        out: Folder of the new tape; it must not exist. With rotation, further tapes get numbers.
        url: Root of the server, as in "http://127.0.0.1:8000".
        host: Address to listen at.
        port: Port to listen at. 0: a free one. The command line's default is 8080.
        keep_bodies: Store all text: request bodies, headers without credentials, response texts, error messages.
        anonymize: Store salted hashes of the prompts' blocks, so that shared prefixes can be replayed, and no text.
        rotate_every: Begin another tape after this time.
        rotate_size: Begin another tape when the journal has this size: a text as in "1GB", or bytes.
        grace: Time that open requests have to end when the recording is stopped.
        connect_timeout: Timeout for opening a connection to the server.
        half_closed: Timeout for silence of the server after the client has closed its side of the connection.
        on_note: Called, from any thread, with each note for the user. None: the logger "tokentape", at level INFO.

    Returns:
        The running proxy, with `url`, `stop()` and, once stopped, `tape`. Use it as a context manager.

    Raises:
        UserError: A parameter cannot be used, the address cannot be listened at, or `out` exists.
    """
    from tokentape._values import errors_with_parameters, nanoseconds, note_with, optional_nanoseconds, size
    from tokentape.engine.record.recorder import Recorder, RecordOptions

    options = RecordOptions(
        url=url,
        host=host,
        port=port,
        keep_bodies=keep_bodies,
        anonymize=anonymize,
        rotate_ns=optional_nanoseconds("rotate_every", rotate_every, above_0=True),
        rotate_bytes=size("rotate_size", rotate_size),
        connect_timeout_ns=nanoseconds("connect_timeout", connect_timeout, above_0=True),
        half_closed_ns=nanoseconds("half_closed", half_closed, above_0=True),
    )
    grace_ns = nanoseconds("grace", grace)
    with errors_with_parameters():
        return Recording(Recorder(options, Path(out), (), note_with(on_note)), grace_ns)
