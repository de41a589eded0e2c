"""The protocol between the controller and the workers.

Two sockets connect them. The **channel** is a stream: first the setup, then requests to the worker (frames of
``cext/channel/feed.h``) and measurements to the controller (frames of ``cext/channel/outbox.h``). The **control**
socket carries one small packet per command. Workers import this module, so it needs only the standard library.
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
"""Length in bytes of the JSON that follows, which has the setup and the names and lengths of the int64 columns."""

FEED_HEADER = struct.Struct("<qq")
"""Row of the shard, and length of its request in bytes."""

FEED_END = FEED_HEADER.pack(-1, 0)

FRAME_HEADER = struct.Struct("<IIQ")
"""Type, number of rows, and number of bytes that follow."""

EVENTS, REQUESTS, STATUS, WANTS = 1, 2, 3, 4

COMMAND = struct.Struct("<cq")
READY, GO, STOP, CANCEL = b"r", b"g", b"s", b"c"


@dataclass(frozen=True)
class Setup:
    """Settings of a worker; most fields are described in ``Reactor``."""

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
    """Return the first message to a worker. Columns are buffers of int64, or None if the run has no such column. They
    have the names of ``Reactor``'s parameters and one value per row of the shard; ``slot_opens_ns`` has one per slot,
    and ``fan_in_row`` and ``fan_in_parent`` have one per pair."""
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
    """Read the setup and the columns by name, in a worker.

    Raises:
        EOFError: The controller closed the channel.
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
            raise EOFError("the controller closed the channel before the start")
        view = view[got:]
    return data
