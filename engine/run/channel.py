"""The protocol between the controller and the workers.

Two sockets connect them. The **channel** is a stream: first the setup, then requests one way and measurements the
other, as the frames of ``cext/channel/feed.h`` and ``cext/channel/outbox.h``. The **control** socket carries a small
packet a command.
This module is imported by workers: it needs nothing but the standard library.
"""

import json
import socket
import struct
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..transport.route import Route

if TYPE_CHECKING:
    from ...cext.parsers import Kind, Role

SETUP_HEADER = struct.Struct("<Q")
"""Bytes of the JSON that follows: the setup, and the names and lengths of the int64 columns that come after it."""

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
    """A worker's settings; see ``Reactor`` for the meaning of most fields."""

    route: Route
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
    max_in_flight: int = 0
    max_prefilling: int = 0
    stop_ns: int = 0
    lines: bool = False  # streams are lines of JSON
    send_order_worker: int = 0
    send_order_workers: int = 0
    realtime: bool = False


def send_setup(
    channel: socket.socket,
    setup: Setup,
    due_ns: Any,
    request_ids: Any,
    parent: Any = None,
    think_ns: Any = None,
    *,
    cancel_after_ns: Any = None,
    slot_opens_ns: Any = None,
    fan_in_row: Any = None,
    fan_in_parent: Any = None,
) -> None:
    """The controller's first words. The columns are buffers of int64, or None where the run has none: what ``Reactor``
    takes under these names, with a value per row of the shard but for ``slot_opens_ns``, which has one per slot, and
    for ``fan_in_row`` and ``fan_in_parent``, which have one per pair."""
    columns = {
        "due_ns": due_ns,
        "request_ids": request_ids,
        "parent": parent,
        "think_ns": think_ns,
        "cancel_after_ns": cancel_after_ns,
        "slot_opens_ns": slot_opens_ns,
        "fan_in_row": fan_in_row,
        "fan_in_parent": fan_in_parent,
    }
    given = {name: column for name, column in columns.items() if column is not None}
    lengths = {name: len(column) for name, column in given.items()}
    text = json.dumps({"setup": asdict(setup), "columns": lengths}).encode()
    channel.sendall(SETUP_HEADER.pack(len(text)) + text)
    for column in given.values():
        channel.sendall(memoryview(column).cast("B") if len(column) else b"")


def receive_setup(channel: socket.socket) -> tuple[Setup, dict[str, "memoryview[int]"]]:
    """The setup and the columns that came with it, by name, as a worker reads them.

    Raises:
        EOFError: The controller went away.
    """
    (length,) = SETUP_HEADER.unpack(_receive(channel, SETUP_HEADER.size))
    told = json.loads(_receive(channel, length))
    columns = {name: memoryview(_receive(channel, rows * 8)).cast("q") for name, rows in told["columns"].items()}
    return Setup(**told["setup"] | {"route": Route(**told["setup"]["route"])}), columns


def _receive(channel: socket.socket, length: int) -> bytearray:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        got = channel.recv_into(view)
        if not got:
            raise EOFError("the controller went away before the start")
        view = view[got:]
    return data
