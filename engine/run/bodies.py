"""The bodies: composed just ahead of their time, in a thread of the controller, and fed to a worker."""

import socket
import threading
from collections.abc import Callable, Iterable

from ...traces.prompts import Prompts
from ..endpoints import Body, Completion
from ..plan import Plan
from .channel import FEED_END, FEED_HEADER

BATCH_BYTES = 65536
"""Small requests are written together; what waits to be written stays around this size."""


class Composer:
    """Makes the HTTP request of any row of a plan. Pure: the same row gives the same bytes in every process."""

    def __init__(self, plan: Plan, prompts: Prompts, body: Body, head: bytes) -> None:
        self._prompts, self._body, self._head = prompts, body, head
        self._completion = Completion(body)
        self._output_tokens = plan.output_tokens.tolist()

    def body(self, row: int) -> bytes:
        """The JSON body of a row: the recorded one where there is one."""
        recorded = self._prompts.body(row)
        if recorded is not None:
            return self._completion.whole(recorded, self._output_tokens[row])
        return self._body.render(self._prompts.compose(row), self._output_tokens[row])

    def request(self, row: int) -> bytes:
        """Head and body of a row."""
        body = self.body(row)
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)


class Feeder(threading.Thread):
    """Writes one worker's requests into its channel, in order; the socket's back pressure paces it.

    Args:
        channel: The controller's end. Its other direction is read elsewhere.
        rows: The plan's rows of the worker's shard, ascending.
        composer: Makes the requests.
        keep: Called with (row, request) of each, or None.
    """

    def __init__(
        self,
        channel: socket.socket,
        rows: Iterable[int],
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

    def _feed(self) -> None:
        pieces: list[bytes] = []
        size = 0
        for place, row in enumerate(self._rows):
            if self._stopped.is_set():
                break
            request = self._composer.request(row)
            if self._keep:
                self._keep(row, request)
            pieces += (FEED_HEADER.pack(place, len(request)), request)
            size += len(request)
            if size >= BATCH_BYTES:
                self._channel.sendall(b"".join(pieces))
                pieces, size = [], 0
        pieces.append(FEED_END)
        self._channel.sendall(b"".join(pieces))
