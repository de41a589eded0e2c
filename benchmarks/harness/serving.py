"""The server that all clients are measured against: the program's own native one, on a core of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S = 30


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    port: int
    model: str
    pid: int
    cacert: Path | None = None
    """The certificate to trust, when it speaks TLS."""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key, by the openssl command."""
    cert, key = folder / "host.pem", folder / "host.key"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    command = ["openssl", *options.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@contextmanager
def served(
    core: int,
    *,
    ttft: str = "50ms",
    itl: str = "10ms",
    truth: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[Served]:
    """Starts ``tokentape serve`` on a core, and ends it after the block; then its truth is sealed.

    Args:
        core: Its number.
        ttft, itl: When tokens are due, as on the command line.
        truth: Where its own tape goes, or None.
        certificate: With its key, to speak TLS.
    """
    ours, theirs = os.pipe()
    command = ["taskset", "-c", str(core), sys.executable, "-m", "tokentape.engine.cli.main", "serve", "--port", "0"]
    command += ["--ttft", ttft, "--itl", itl, "--announce-fd", str(theirs)]
    if truth is not None:
        command += ["--truth", str(truth)]
    if certificate is not None:
        command += ["--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
    process = subprocess.Popen(
        command, pass_fds=(theirs,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    os.close(theirs)
    try:
        with os.fdopen(ours) as announced:
            line = announced.readline().strip()
        if not line:
            assert process.stderr
            raise RuntimeError(f"the server did not start: {process.stderr.read().decode()[-1000:]}")
        port = int(line)
        if certificate is None:
            yield Served(f"http://127.0.0.1:{port}", port, "simulated", process.pid)
        else:
            yield Served(f"https://127.0.0.1:{port}", port, "simulated", process.pid, certificate[0])
    finally:
        process.terminate()
        try:
            process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
