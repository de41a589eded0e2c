"""What controller and workers say to each other.

Two sockets connect them. The **channel** is a stream: first the setup, then requests one way and measurements the
other, as the frames of ``cext/feed.h`` and ``cext/outbox.h``. The **control** socket carries a small packet a command.
This module is imported by workers: it needs nothing but the standard library.
"""

import json
import socket
import struct
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...cext.parsers import Kind, Role

SETUP_HEADER = struct.Struct("<QQ")
"""Bytes of the setup's JSON, number of rows; then the JSON, the due times and the request ids (int64 each), and with
``follows`` the parents and the think times."""

FEED_HEADER = struct.Struct("<qq")
"""Row of the shard, bytes of its request."""

FEED_END = FEED_HEADER.pack(-1, 0)

FRAME_HEADER = struct.Struct("<IIQ")
"""Type, rows, bytes that follow."""

EVENTS, REQUESTS, STATUS, WANTS = 1, 2, 3, 4

COMMAND = struct.Struct("<cq")
READY, GO, STOP, CANCEL = b"r", b"g", b"s", b"c"


@dataclass(frozen=True)
class Setup:
    """What a worker is told before the start; see ``Reactor`` for the meaning of most fields."""

    address: str  # struct sockaddr, in hex
    fields: "dict[str, Role]"
    types: "dict[str, Kind]"
    connect_timeout_ns: int
    read_timeout_ns: int
    idle_timeout_ns: int
    horizon_ns: int
    spin_ns: int
    feed_limit: int
    max_connections: int
    reuse: bool
    stamps: bool
    keep_text: bool
    needs_end: bool
    follows: bool
    floors: bool
    live_history: bool
    go_on_after_failure: bool
    lines: bool = False  # streams are lines of JSON


def send_setup(channel: socket.socket, setup: Setup, *columns: Any) -> None:
    """The controller's first words. The columns are buffers of int64 of one length: due times, request ids, and with
    ``setup.follows`` parents and think times."""
    text = json.dumps(asdict(setup)).encode()
    channel.sendall(SETUP_HEADER.pack(len(text), len(columns[0])))
    channel.sendall(text)
    for column in columns:
        channel.sendall(memoryview(column).cast("B") if len(column) else b"")


def receive_setup(channel: socket.socket) -> tuple[Setup, list["memoryview[int]"]]:
    """The setup and its columns, as a worker reads them.

    Raises:
        EOFError: The controller went away.
    """
    length, rows = SETUP_HEADER.unpack(_receive(channel, SETUP_HEADER.size))
    setup = Setup(**json.loads(_receive(channel, length)))
    return setup, [memoryview(_receive(channel, rows * 8)).cast("q") for _ in range(4 if setup.follows else 2)]


def _receive(channel: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        got = channel.recv_into(view)
        if not got:
            raise EOFError("the controller went away before the start")
        view = view[got:]
    return data
