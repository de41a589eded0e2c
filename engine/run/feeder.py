"""Threads of the controller that compose requests just ahead of their time and feed them to a worker."""

import queue
import socket
import threading
from collections.abc import Callable, Iterable

from ..requests.composer import Composer
from .channel import FEED_END, FEED_HEADER

BATCH_BYTES = 65536
"""Small requests are collected up to this size before they are written."""


class Feeder(threading.Thread):
    """Thread that writes a worker's requests to its channel, in order. The socket's back pressure limits it.

    Args:
        channel: The controller's end; another thread reads it.
        rows: Indices in the worker's shard, and the plan's rows, ascending.
        composer: Composes the requests.
        keep: Called with (row, request) for each request, or None.
    """

    def __init__(
        self,
        channel: socket.socket,
        rows: Iterable[tuple[int, int]],
        composer: Composer,
        keep: Callable[[int, bytes], None] | None = None,
    ) -> None:
        super().__init__(name="feeder", daemon=True)
        self._channel, self._rows, self._composer, self._keep = channel, rows, composer, keep
        self._stopped = threading.Event()
        self.error: BaseException | None = None

    def stop(self) -> None:
        """Stop composing. A request that is being written is completed; the worker reads and ignores it."""
        self._stopped.set()

    def run(self) -> None:
        """Compose and write requests until the end."""
        try:
            self._feed()
        except (BrokenPipeError, ConnectionResetError):
            return  # the worker has ended: the controller notices that too and reports the reason
        except BaseException as error:
            self.error = error
            self._end()

    def _end(self) -> None:
        try:
            self._channel.sendall(FEED_END)
        except (BrokenPipeError, ConnectionResetError):
            return  # as above

    def _row(self, place: int, row: int) -> bytes:
        request = self._composer.request(row)
        if self._keep:
            self._keep(row, request)
        return FEED_HEADER.pack(place, len(request)) + request

    def _feed(self) -> None:
        pieces: list[bytes] = []
        size = 0
        for place, row in self._rows:
            if self._stopped.is_set():
                break
            piece = self._row(place, row)
            pieces.append(piece)
            size += len(piece)
            if size >= BATCH_BYTES:
                self._channel.sendall(b"".join(pieces))
                pieces, size = [], 0
        pieces.append(FEED_END)
        self._channel.sendall(b"".join(pieces))


class FollowerFeeder(Feeder):
    """Thread that writes the requests that follow others, when the worker requests them."""

    def __init__(
        self, channel: socket.socket, composer: Composer, keep: Callable[[int, bytes], None] | None = None
    ) -> None:
        super().__init__(channel, (), composer, keep)
        self._asked: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()

    def ask(self, place: int, row: int) -> None:
        """Queue a row that the worker needs soon.

        Args:
            place: Index in the worker's shard.
            row: Row of the plan.
        """
        self._asked.put((place, row))

    def stop(self) -> None:
        """Stop composing, and end the thread."""
        super().stop()
        self._asked.put(None)

    def _feed(self) -> None:
        while (asked := self._asked.get()) is not None:
            self._channel.sendall(self._row(*asked))
