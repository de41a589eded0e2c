"""A worker process in the controller: the process and its sockets."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..plan import Shard
from .channel import COMMAND
from .feeder import FollowerFeeder
from .frame_reader import FrameReader

READY_S = 60.0
"""Longest time that a worker may take to start."""


@dataclass
class WorkerProcess:
    """A worker: its process, the controller's ends of the sockets, and its latest status."""

    number: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    control: socket.socket
    wanted: socket.socket
    shard: Shard
    frames: FrameReader
    status: Any = None
    longest_turn_ns: int = 0
    done: bool = False
    problem: str | None = None
    follower_feeder: FollowerFeeder | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the plan, ascending."""
        return self.shard.rows

    def command(self, letter: bytes, argument: int = 0) -> None:
        """Send a command. Ignored if the worker has ended, which is noticed from its closed channel."""
        try:
            self.control.send(COMMAND.pack(letter, argument))
        except (BrokenPipeError, ConnectionResetError):
            return


def spawn(number: int, shard: Shard, send_order_fd: int) -> WorkerProcess:
    """Start a worker; its ends of the sockets are open only in it.

    Args:
        number: The worker's number.
        shard: The rows that the worker sends.
        send_order_fd: Shared memory page that keeps the workers' sends in one order.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    wanted, their_wanted = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fds = [*(end.fileno() for end in (theirs, their_control, their_wanted)), send_order_fd]
    for end in (ours, theirs, wanted):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    process = subprocess.Popen(
        # -P: a file such as json.py in the user's folder must not be imported
        [sys.executable, "-P", "-m", "tokentape.engine.run.worker", *map(str, fds)],
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # the controller handles Ctrl-C
    )
    for end in (theirs, their_control, their_wanted):
        end.close()
    return WorkerProcess(number, process, ours, control, wanted, shard, FrameReader(ours))


@contextmanager
def shared_page(size: int) -> Iterator[int]:
    """Return a descriptor of a zero-filled file in memory, which exists until the last process closes it."""
    fd = os.memfd_create("tokentape-order")
    try:
        os.ftruncate(fd, size)
        yield fd
    finally:
        os.close(fd)
