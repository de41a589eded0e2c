"""Frames out of a worker's channel (``cext/channel/outbox.h``), cut in one buffer that is used over and over."""

import socket
from collections.abc import Iterator

from .channel import FRAME_HEADER

ROOM = 1 << 20
"""Bytes of the buffer at first; a longer frame makes it grow."""


class FrameReader:
    """Reads one worker's channel.

    A fresh buffer for each read would cost more in page faults than the reading itself.

    Args:
        channel: The controller's end. Its other direction is written elsewhere.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._buffer = bytearray(ROOM)
        self._filled = 0

    def read(self) -> bool:
        """Read what is there, once; False: the worker is gone."""
        try:
            got = self._channel.recv_into(memoryview(self._buffer)[self._filled :])
        except ConnectionResetError:
            return False
        self._filled += got
        return got > 0

    def frames(self) -> Iterator[tuple[int, int, memoryview]]:
        """The whole frames that have been read: type, rows, payload. A payload is only good until the next ``read``."""
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
        """Move the beginning of a frame to the front, and see that the rest of it will have room."""
        rest = self._buffer[start : self._filled]
        self._filled = len(rest)
        if self._filled + missing > len(self._buffer):
            self._buffer = bytearray(2 * (self._filled + missing))
        self._buffer[: self._filled] = rest
