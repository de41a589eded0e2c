"""Threads of the controller that compose requests just ahead of their time and feed them to a worker."""

import queue
import socket
import threading
from collections.abc import Callable, Iterable

from ..requests.composer import Composer
from .channel import FEED_END, FEED_HEADER

BATCH_BYTES = 65536
"""Small requests are written together; what waits to be written stays around this size."""


class Feeder(threading.Thread):
    """Writes one worker's requests into its channel, in order; the socket's back pressure paces it.

    Args:
        channel: The controller's end. Its other direction is read elsewhere.
        rows: Places in the worker's shard and the plan's rows there, ascending.
        composer: Makes the requests.
        keep: Called with (row, request) of each, or None.
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
        """Compose no more. What is being written is still written: the worker reads and forgets it."""
        self._stopped.set()

    def run(self) -> None:
        """The thread's work."""
        try:
            self._feed()
        except (BrokenPipeError, ConnectionResetError):
            return  # the worker is gone: the controller sees the same end on its side and says why
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
    """Writes the requests that follow others, as the worker asks for them."""

    def __init__(
        self, channel: socket.socket, composer: Composer, keep: Callable[[int, bytes], None] | None = None
    ) -> None:
        super().__init__(channel, (), composer, keep)
        self._asked: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()

    def ask(self, place: int, row: int) -> None:
        """The worker needs a row soon.

        Args:
            place: Of the worker's shard.
            row: Of the plan.
        """
        self._asked.put((place, row))

    def stop(self) -> None:
        """Compose no more, and end."""
        super().stop()
        self._asked.put(None)

    def _feed(self) -> None:
        while (asked := self._asked.get()) is not None:
            self._channel.sendall(self._row(*asked))
