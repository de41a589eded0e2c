"""The setup, as the controller says it and a worker hears it."""

import dataclasses
import socket
import threading

import numpy as np
import pytest
from tokentape.engine.run.channel import Setup, receive_setup, send_setup

SETUP = Setup(
    address="02001f907f0000010000000000000000",
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
)


@pytest.mark.parametrize("rows", [0, 1, 100_000])
def test_a_setup_arrives_as_it_was_sent(rows: int) -> None:
    ours, theirs = socket.socketpair()
    due = np.arange(rows, dtype=np.int64) * 7
    ids = np.arange(rows, dtype=np.int64)[::-1].copy()
    with ours, theirs:
        sender = threading.Thread(target=send_setup, args=(ours, SETUP, due, ids))
        sender.start()
        setup, (due_ns, request_ids) = receive_setup(theirs)
        sender.join()
    assert dataclasses.asdict(setup) == dataclasses.asdict(SETUP)
    assert due_ns.tolist() == due.tolist()
    assert request_ids.tolist() == ids.tolist()


@pytest.mark.parametrize("sent", [b"", b"\x05", b"\x05" + bytes(15) + b"{}"])
def test_a_controller_that_goes_away_is_an_end(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(sent)
        with pytest.raises(EOFError, match="went away before the start"):
            receive_setup(theirs)
