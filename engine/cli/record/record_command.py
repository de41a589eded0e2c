"""The work of ``tokentape record``, apart from its options."""

import selectors
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import click

from ...errors import UserError
from ...record.recorder import Recorder, RecordOptions
from ...units import duration_ns, size_bytes
from ..common.listen_address import parse_listen
from ..serve.serve_command import announce

LOOK_EVERY_S = 0.1


def run_recorder(given: dict[str, Any]) -> None:
    """Record until SIGINT or SIGTERM, let open requests end, and seal the tape. A second signal cuts open requests."""
    host, port = parse_listen(given["listen"])
    rotate_ns, rotate_bytes = parse_rotation(given["rotate"])
    options = RecordOptions(
        url=given["url"],
        host=host,
        port=port,
        keep_bodies=given["keep_bodies"],
        anonymize=given["anonymize"],
        rotate_ns=rotate_ns,
        rotate_bytes=rotate_bytes,
        connect_timeout_ns=duration_ns(given["connect_timeout"]),
    )
    grace_ns = duration_ns(given["grace"])
    out = given["out"] or Path(f"record-{time.strftime('%Y%m%d-%H%M%S')}.tape")
    waker, woken = socket.socketpair()
    for end in (waker, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    recorder = Recorder(options, out, sys.argv, lambda note: click.echo(f"note: {note}", err=True))
    try:
        recorder.start()
        if given["announce_fd"] is None:
            click.echo(f"recording {recorder.url} -> {recorder.server_url} into {out}", err=True)
        else:
            announce(given["announce_fd"], int(recorder.url.rpartition(":")[2]))
        with selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            selector.select()
            woken.recv(64)
            _wait_for_open(recorder, selector, grace_ns)
    finally:
        tapes = recorder.stop()
    rows = sum(tape.manifest["rows"]["requests"] for tape in tapes)
    stats = recorder.stats()
    for count, what in (
        (stats.dropped_rows, "rows are lost, because requests ended faster than rows could be written"),
        (stats.dropped_bodies, "bodies were too large to keep"),
        (stats.unfollowed, "connections did not use HTTP/1, and were forwarded without being recorded"),
    ):
        if count:
            click.echo(f"note: {count:,} {what}", err=True)
    names = ", ".join(str(tape.path) for tape in tapes)
    click.echo(f"{rows:,} requests recorded; {'the tape is' if len(tapes) == 1 else 'the tapes are'} {names}", err=True)


def _wait_for_open(recorder: Recorder, selector: selectors.DefaultSelector, grace_ns: int) -> None:
    recorder.drain()
    deadline_ns = time.monotonic_ns() + grace_ns
    asked_ns = time.monotonic_ns()
    while time.monotonic_ns() < deadline_ns and not selector.select(LOOK_EVERY_S):
        stats = recorder.stats()
        if stats.at_ns > asked_ns + 10**8 and stats.open_connections == 0:
            return


def parse_rotation(texts: tuple[str, ...]) -> tuple[int | None, int | None]:
    """Parse the values of ``--rotate``, such as ``1h`` and ``1GB``.

    Returns:
        The time in ns and the size in bytes; None for one that is not given.

    Raises:
        UserError: A text is neither a time nor a size, is 0, or is a second time or size.
    """
    found: dict[str, int] = {}
    for text in texts:
        kind = "size" if text.strip().upper().endswith("B") else "time"
        value = size_bytes(text) if kind == "size" else duration_ns(text)
        if not value:
            raise UserError(f"--rotate {text}: it must be above 0")
        if kind in found:
            raise UserError(f"--rotate {text}: another {kind} is already given; pass at most one time and one size")
        found[kind] = value
    return found.get("time"), found.get("size")
