"""The worker process: one uvloop event loop with one reactor, and nothing that could delay them.

Run as ``python -m tokentape.engine.run.worker CHANNEL_FD CONTROL_FD WANTED_FD ORDER_FD``. It imports no Arrow
and no tokenizer, writes no file and collects no garbage.
"""

import gc
import importlib
import os
import signal
import socket
import sys

import uvloop

from ...cext.parsers import Dialect
from ...cext.reactor import Reactor, die_with_parent, wake_exactly
from ..scheduling import go_realtime
from ..transport.route import encoded
from .channel import CANCEL, COMMAND, GO, READY, STOP, receive_setup

AHEAD_NS = 100_000_000
"""Time before its due time at which a follower's request is requested; composing a long one takes milliseconds."""

STAY_NS = 5_000_000
"""Longest time in one call of the reactor. A command waits at most this long, or for the 20 ms of a tick."""


def main(channel_fd: int, control_fd: int, wanted_fd: int, send_order_fd: int) -> None:
    """Serve one run: read the setup, report ready, start, and end when all measurements are handed over."""
    die_with_parent(signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the controller gets the signal too and decides
    wake_exactly()
    channel = socket.socket(fileno=channel_fd)
    control = socket.socket(fileno=control_fd)
    setup, columns = receive_setup(channel)
    route = setup.route
    if route.tls_host is not None:
        importlib.import_module("ssl")  # so that the core finds the OpenSSL that Python bundles, if any
    reactor = Reactor(
        columns["due_ns"],
        columns["request_ids"],
        parent=columns.get("parent"),
        think_ns=columns.get("think_ns"),
        cancel_after_ns=columns.get("cancel_after_ns"),
        slot_opens_ns=columns.get("slot_opens_ns"),
        fan_in_row=columns.get("fan_in_row"),
        fan_in_parent=columns.get("fan_in_parent"),
        address=bytes.fromhex(route.address),
        tunnel=route.tunnel.encode("ascii"),
        tls_host=encoded(route.tls_host),
        ca_file=encoded(route.ca_file),
        store_file=encoded(route.store_file),
        store_dir=encoded(route.store_dir),
        insecure=route.insecure,
        channel_fd=channel_fd,
        dialect=Dialect(setup.fields, setup.types),
        connect_timeout_ns=setup.connect_timeout_ns,
        read_timeout_ns=setup.read_timeout_ns,
        idle_timeout_ns=setup.idle_timeout_ns,
        horizon_ns=setup.horizon_ns,
        spin_ns=setup.spin_ns,
        feed_limit=setup.feed_limit,
        max_connections=setup.max_connections,
        reuse=setup.reuse,
        stamps=setup.stamps,
        keep_text=setup.keep_text,
        needs_end=setup.needs_end,
        lines=setup.lines,
        follower_feed_fd=wanted_fd,
        ahead_ns=AHEAD_NS,
        floors=setup.floors,
        live_history=setup.live_history,
        go_on_after_failure=setup.go_on_after_failure,
        max_in_flight=setup.max_in_flight,
        max_prefilling=setup.max_prefilling,
        stop_ns=setup.stop_ns,
        send_order_fd=send_order_fd,
        send_order_worker=setup.send_order_worker,
        send_order_workers=setup.send_order_workers,
    )
    for column in columns.values():
        column.release()
    loop = uvloop.new_event_loop()

    def turn() -> None:
        if reactor.run(STAY_NS):
            loop.stop()

    def obey() -> None:
        packet = control.recv(COMMAND.size)
        if not packet:  # the controller has ended, so the worker ends too
            loop.stop()
            return
        command, argument = COMMAND.unpack(packet)
        if command == GO:
            reactor.begin(argument)
        elif command in (STOP, CANCEL):
            reactor.stop()
            if command == CANCEL:
                reactor.cancel()
            turn()

    if setup.realtime:
        go_realtime()
    gc.collect()
    gc.freeze()
    gc.disable()
    loop.add_reader(reactor.fileno(), turn)
    loop.add_reader(control_fd, obey)
    control.send(COMMAND.pack(READY, os.getpid()))
    try:
        loop.run_forever()
    finally:
        loop.remove_reader(reactor.fileno())
        loop.remove_reader(control_fd)
        loop.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
