"""The work of ``tokentape serve``, apart from its options."""

import os
import selectors
import signal
import socket
import sys
from typing import Any

import click

from ...errors import UserError
from ...simulate.simulator import Simulator, SimulatorConfig
from ..common.listen_address import parse_listen


def run_server(given: dict[str, Any]) -> None:
    """Serve until SIGINT, SIGTERM, or the end of the process --parent-pid; then seal the tape."""
    truth, announce_fd, parent_pid = (given.pop(name) for name in ("truth", "announce_fd", "parent_pid"))
    if listen := given.pop("listen"):
        given["host"], given["port"] = parse_listen(listen)
    parent_fd = None if parent_pid is None else _watch(parent_pid)
    # Handlers are installed before the address is announced, so that no early signal is lost. A signal wakes the
    # selector.
    waker, woken = socket.socketpair()
    for end in (waker, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    simulator = Simulator(SimulatorConfig(**given), truth, tuple(sys.argv))
    with simulator, selectors.DefaultSelector() as selector:
        if announce_fd is None:
            click.echo(f"listening on {simulator.url}", err=True)
        else:
            announce(announce_fd, simulator.port)
        selector.register(woken, selectors.EVENT_READ)
        if parent_fd is not None:
            selector.register(parent_fd, selectors.EVENT_READ)
        selector.select()


def _watch(pid: int) -> int:
    """Return a descriptor that becomes readable when the process ends."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise UserError(f"--parent-pid {pid}: this process has already ended") from None


def announce(descriptor: int, port: int) -> None:
    """Write the port to a descriptor of the parent process, and close the descriptor."""
    try:
        with os.fdopen(descriptor, "w") as parent:
            parent.write(f"{port}\n")
    except OSError as error:
        raise UserError(f"--announce-fd {descriptor} cannot be written: {error.strerror}") from None
