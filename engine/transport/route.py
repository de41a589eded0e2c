"""Routes to a server: the user's options, and a worker's settings. Workers import no other module of this folder."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class TransportOptions:
    """Options of connections.

    Attributes:
        cacert: A file of certificates (PEM) to trust instead of the system's.
        insecure: Trust any certificate.
        proxy: Use the proxy of the environment variables.
    """

    cacert: str | None = None
    insecure: bool = False
    proxy: bool = True


DIRECT = TransportOptions(proxy=False)
"""Straight to the server, whose certificate the system's store must know."""


@dataclass(frozen=True)
class Route:
    """A worker's route to its server; most fields are described in ``Reactor``."""

    address: str  # struct sockaddr, in hex
    shown: str  # the same as text
    tunnel: str = ""
    tls_host: str | None = None
    ca_file: str | None = None
    store_file: str | None = None
    store_dir: str | None = None
    insecure: bool = False


def encoded(text: str | None) -> bytes | None:
    """Return a name or a path as bytes for the kernel and OpenSSL."""
    return None if text is None else os.fsencode(text)
