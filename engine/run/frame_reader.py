"""Reading frames from a worker's channel (``cext/channel/outbox.h``) in one buffer that is reused."""

import socket
from collections.abc import Iterator

from .channel import FRAME_HEADER

ROOM = 1 << 20
"""Initial size of the buffer in bytes; it grows for a longer frame."""


class FrameReader:
    """Reader of one worker's channel.

    The buffer is reused because the page faults of a new one would cost more than the read.

    Args:
        channel: The controller's end; other threads write to it.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._buffer = bytearray(ROOM)
        self._filled = 0

    def read(self) -> bool:
        """Read once what is available; return False if the worker has ended."""
        try:
            got = self._channel.recv_into(memoryview(self._buffer)[self._filled :])
        except ConnectionResetError:
            return False
        self._filled += got
        return got > 0

    def frames(self) -> Iterator[tuple[int, int, memoryview]]:
        """Yield the complete frames: type, rows, payload. A payload is valid until the next ``read``."""
        view = memoryview(self._buffer)
        at = 0
        missing = 0
        while self._filled - at >= FRAME_HEADER.size:
            type_, rows, length = FRAME_HEADER.unpack_from(view, at)
            end = at + FRAME_HEADER.size + length
            if end > self._filled:
                missing = end - self._filled
                break
            yield type_, rows, view[at + FRAME_HEADER.size : end]
            at = end
        self._keep(at, missing)

    def _keep(self, start: int, missing: int) -> None:
        """Move an incomplete frame to the front of the buffer, and make space for the rest of it."""
        rest = self._buffer[start : self._filled]
        self._filled = len(rest)
        if self._filled + missing > len(self._buffer):
            self._buffer = bytearray(2 * (self._filled + missing))
        self._buffer[: self._filled] = rest
