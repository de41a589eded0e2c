"""Where requests go: the URL taken apart, the address found, the head that every request has."""

import http.client
import json
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from ... import __version__
from ..errors import UserError


@dataclass(frozen=True)
class Target:
    """A server and the path of its API.

    Attributes:
        host: As written in the URL, without brackets.
        port: TCP port.
        path: Of every request.
        sockaddr: The resolved address as the kernel's ``struct sockaddr``.
        address: The same for people, as in ``127.0.0.1:8000``.
    """

    host: str
    port: int
    path: str
    sockaddr: bytes
    address: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL that requests go to."""
        return f"http://{self.authority}{self.path}"


def find_target(url: str, endpoint_path: str) -> Target:
    """Take a URL apart and resolve its host, once and before the start.

    Args:
        url: The server's root, or its ``/v1``, or the API's whole URL.
        endpoint_path: The API's path below the root, as in ``/v1/chat/completions``.

    Raises:
        UserError: It is no http URL, or the host has no address.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme == "https":
        raise UserError(f"{url}: https is not spoken yet; use the server's http port, or a local proxy that ends TLS")
    if parts.scheme != "http" or not parts.hostname:
        raise UserError(f"{url!r} is not a URL; write http://HOST:PORT")
    if parts.username or parts.password:
        raise UserError("a URL with a password would end up in logs; give the key with --api-key-env")
    try:
        port = parts.port or 80
    except ValueError as error:
        raise UserError(f"{url!r}: {error}") from None
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise UserError(f"{url}: the host {parts.hostname!r} has no address ({error})") from None
    family, _, _, _, name = found[0]
    address = f"[{name[0]}]:{port}" if family == socket.AF_INET6 else f"{name[0]}:{port}"
    return Target(parts.hostname, port, join_path(parts.path, endpoint_path), _sockaddr(family, name), address)


def join_path(base: str, endpoint_path: str) -> str:
    """The API's path below a base that may already hold a part of it (``/v1``) or all of it."""
    base = base.rstrip("/")
    if base.endswith(endpoint_path):
        return base
    for cut in range(len(endpoint_path), 0, -1):
        if endpoint_path[cut : cut + 1] == "/" and base.endswith(endpoint_path[:cut]):
            return base + endpoint_path[cut:]
    return base + endpoint_path


def _sockaddr(family: int, name: tuple[object, ...]) -> bytes:
    """struct sockaddr_in or sockaddr_in6 of the kernel (``<netinet/in.h>``)."""
    packed = socket.inet_pton(family, str(name[0]).partition("%")[0])
    port = struct.pack("!H", name[1])
    if family == socket.AF_INET:
        return struct.pack("=H", family) + port + packed + bytes(8)
    flow, scope = name[2], name[3]
    return struct.pack("=H", family) + port + struct.pack("!I", flow) + packed + struct.pack("=I", scope)


def check_reachable(target: Target, timeout_s: float) -> None:
    """Open one connection and close it, so that a server that is not there is told before the start.

    Raises:
        UserError: It cannot be reached.
    """
    try:
        socket.create_connection((target.host, target.port), timeout=timeout_s).close()
    except ConnectionRefusedError:
        raise UserError(f"{target.address} refuses connections: is the server running, and is that its port?") from None
    except TimeoutError:
        raise UserError(f"{target.address} does not answer: no connection after {timeout_s:g} s") from None
    except OSError as error:
        raise UserError(f"{target.address} cannot be reached: {error.strerror or error}") from None


def served_model(target: Target, headers: Iterable[tuple[str, str]], timeout_s: float) -> str:
    """The first model that the server lists (``GET /v1/models``).

    Raises:
        UserError: It lists none; the message asks for ``--model``.
    """
    advice = "name the model with --model"
    connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout_s)
    try:
        connection.request("GET", "/v1/models", headers=dict(headers))
        response = connection.getresponse()
        body = response.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"{target.address} does not tell which models it serves ({reason}); {advice}") from None
    finally:
        connection.close()
    if response.status != 200:
        raise UserError(f"{target.address} answers GET /v1/models with {response.status} {response.reason}; {advice}")
    try:
        return str(json.loads(body)["data"][0]["id"])
    except (ValueError, LookupError, TypeError):
        raise UserError(f"{target.address} lists no model at /v1/models; {advice}") from None


def request_headers(headers: Iterable[str], api_key_env: str | None) -> list[tuple[str, str]]:
    """The user's headers and key.

    Args:
        headers: Each as ``Name: value``.
        api_key_env: The environment variable that holds the key.

    Raises:
        UserError: A header has no colon or a forbidden character; the variable is not set.
    """
    pairs = []
    for header in headers:
        name, colon, value = header.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not name or any(c in name for c in ' \t"(),/;<=>?@[]{}'):
            raise UserError(f"{header!r} is not a header; write 'Name: value'")
        if not (name + value).isascii() or not (name + value).isprintable():
            raise UserError(f"the header {name!r} holds characters that HTTP does not allow")
        if name.lower() in ("content-length", "transfer-encoding", "host", "connection"):
            raise UserError(f"the header {name!r} is set by the program itself")
        pairs.append((name, value))
    if api_key_env is not None:
        key = os.environ.get(api_key_env, "").strip()
        if not key:
            raise UserError(f"the environment variable {api_key_env} holds no key")
        if not key.isascii() or not key.isprintable():
            raise UserError(f"the key in {api_key_env} holds characters that HTTP does not allow")
        pairs.append(("Authorization", f"Bearer {key}"))
    return pairs


def request_head(target: Target, headers: Iterable[tuple[str, str]], stream: bool) -> bytes:
    """All of a request's head but the length: ends with ``Content-Length: ``.

    ``Accept-Encoding: identity`` because a proxy that compresses a stream holds it back.
    """
    own = {
        "Host": target.authority,
        "User-Agent": f"tokentape/{__version__}",
        "Accept": "text/event-stream" if stream else "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    given = list(headers)
    taken = {name.lower() for name, _ in given}
    lines = [f"POST {target.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in own.items() if name.lower() not in taken]
    lines += [f"{name}: {value}" for name, value in given]
    return ("\r\n".join(lines) + "\r\nContent-Length: ").encode("ascii")
