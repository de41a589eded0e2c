"""The setup, as the controller says it and a worker hears it."""

import dataclasses
import socket
import threading

import numpy as np
import pytest
from tokentape.engine.run.channel import Route, Setup, receive_setup, send_setup

SETUP = Setup(
    route=Route("02001f907f0000010000000000000000", "127.0.0.1:8080"),
    fields={"choices[].delta.content": "text"},
    types={"error": "error"},
    connect_timeout_ns=1,
    read_timeout_ns=2,
    idle_timeout_ns=3,
    horizon_ns=4,
    spin_ns=5,
    feed_limit=6,
    max_connections=7,
    reuse=True,
    stamps=False,
    keep_text=True,
    needs_end=False,
    follows=False,
    floors=False,
    live_history=False,
    go_on_after_failure=False,
    max_in_flight=8,
    max_prefilling=9,
    stop_ns=10,
)


@pytest.mark.parametrize("rows", [0, 1, 100_000])
@pytest.mark.parametrize(
    "also", [(), ("parent", "think_ns"), ("cancel_after_ns", "slot_opens_ns"), ("fan_in_row", "fan_in_parent")]
)
def test_a_setup_arrives_as_it_was_sent(rows: int, also: tuple[str, ...]) -> None:
    ours, theirs = socket.socketpair()
    lengths = dict.fromkeys(("due_ns", "request_ids", *also), rows)
    if "slot_opens_ns" in lengths:
        lengths["slot_opens_ns"] = 3
    columns = {name: np.arange(n, dtype=np.int64) * 7 + place for place, (name, n) in enumerate(lengths.items())}
    with ours, theirs:
        sender = threading.Thread(target=send_setup, args=(ours, SETUP), kwargs=columns)
        sender.start()
        setup, received = receive_setup(theirs)
        sender.join()
    assert dataclasses.asdict(setup) == dataclasses.asdict(SETUP)
    assert {name: column.tolist() for name, column in received.items()} == {
        name: column.tolist() for name, column in columns.items()
    }


@pytest.mark.parametrize("sent", [b"", b"\x05", b"\x05" + bytes(7) + b"{}"])
def test_a_controller_that_goes_away_is_an_end(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(sent)
        with pytest.raises(EOFError, match="closed the channel before the start"):
            receive_setup(theirs)
