"""The simulated server as a separate process, started for one run (``--simulate``)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import UserError
from ..scheduling import giving_way


@contextmanager
def simulated_server(options: Sequence[str] = ()) -> Iterator[str]:
    """Start ``tokentape serve`` on a free port of 127.0.0.1, yield its URL, and end it afterwards.

    Args:
        options: Command line options of ``tokentape serve``.

    Raises:
        UserError: It ended before it listened; its messages are on standard error.
    """
    ours, theirs = os.pipe()
    command = [sys.executable, "-P", "-m", "tokentape.engine.cli.main", "serve", "--port", "0"]
    with giving_way():  # it shares the machine with the client that times it
        process = subprocess.Popen(
            [*command, "--announce-fd", str(theirs), "--parent-pid", str(os.getpid()), *options],
            pass_fds=(theirs,),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # this process handles Ctrl-C, so that open streams can end
        )
    os.close(theirs)
    try:
        with os.fdopen(ours) as announced:
            port = announced.readline().strip()
        if not port:
            raise UserError(f"the simulator did not start (exit status {process.wait()})")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
