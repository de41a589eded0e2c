"""Addresses of servers: name resolution, and the kernel's ``struct sockaddr``."""

import os
import socket
import struct
from dataclasses import dataclass
from typing import Any

from ..errors import UserError

LONGEST_UNIX_PATH = 107
"""Size of ``sun_path`` in bytes, without its NUL (unix(7))."""


@dataclass(frozen=True)
class Address:
    """Address of a connection.

    Attributes:
        family: Address family, such as ``socket.AF_INET``.
        name: Address for ``socket.connect``.
        sockaddr: Address as the kernel's ``struct sockaddr``.
        shown: Address as text, such as ``127.0.0.1:8000``.
    """

    family: int
    name: tuple[Any, ...] | str
    sockaddr: bytes
    shown: str


def resolve(host: str, port: int) -> list[Address]:
    """Return all addresses of a host, in the order in which to try them.

    Raises:
        UserError: The host has no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"the host {host!r} has no address ({reason}); check its spelling") from None
    return [Address(family, name, _sockaddr(family, name), _shown(family, name)) for family, _, _, _, name in found]


def unix_address(path: str) -> Address:
    """Return the address of a Unix socket.

    Raises:
        UserError: The path is empty or too long.
    """
    encoded = os.fsencode(path)
    if not encoded or len(encoded) > LONGEST_UNIX_PATH or b"\0" in encoded:
        raise UserError(f"a Unix socket's path has 1 to {LONGEST_UNIX_PATH} bytes, and {path!r} has {len(encoded)}")
    return Address(socket.AF_UNIX, path, struct.pack("=H", socket.AF_UNIX) + encoded + b"\0", f"unix:{path}")


def _shown(family: int, name: tuple[Any, ...]) -> str:
    return f"[{name[0]}]:{name[1]}" if family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


def _sockaddr(family: int, name: tuple[Any, ...]) -> bytes:
    """Return the kernel's struct sockaddr_in or sockaddr_in6 (``<netinet/in.h>``)."""
    packed = socket.inet_pton(family, str(name[0]).partition("%")[0])
    port = struct.pack("!H", name[1])
    if family == socket.AF_INET:
        return struct.pack("=H", family) + port + packed + bytes(8)
    flow, scope = name[2], name[3]
    return struct.pack("=H", family) + port + struct.pack("!I", flow) + packed + struct.pack("=I", scope)
