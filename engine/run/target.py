"""Where requests go: the URL taken apart, the address that answers, the model that it serves."""

import http.client
import json
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from ..errors import UserError

SECRET_NAMES = ("key", "token", "secret", "password", "sig")
"""A query parameter whose name holds one of these would put a secret into every row of the tape."""


@dataclass(frozen=True)
class Target:
    """A server and the path of its API.

    Attributes:
        host: As written in the URL, without brackets.
        port: TCP port.
        path: Of every request, with the URL's query.
        models_path: Where the server lists its models.
        sockaddr: The resolved address as the kernel's ``struct sockaddr``.
        address: The same for people, as in ``127.0.0.1:8000``.
    """

    host: str
    port: int
    path: str
    models_path: str
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
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
    except ValueError as error:
        raise UserError(f"{url!r}: {error}; write http://HOST:PORT") from None
    if parts.scheme == "https":
        raise UserError(f"{url}: https is not spoken yet; use the server's http port, or a local proxy that ends TLS")
    if parts.scheme != "http" or not parts.hostname:
        raise UserError(f"{url!r} is not a URL; write http://HOST:PORT")
    if parts.username or parts.password:
        raise UserError("a URL with a password would end up in logs; give the key with --api-key-env")
    try:
        port = parts.port or 80
    except ValueError as error:
        raise UserError(f"{url!r}: {error}; write http://HOST:PORT") from None
    if not (parts.path + parts.query).isascii() or any(c <= " " for c in parts.path + parts.query):
        raise UserError(f"{url!r}: the path holds characters that HTTP does not allow; write them as %XX")
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if any(word in name.lower() for word in SECRET_NAMES):
            raise UserError(
                f"the URL's {name!r} would end up on the tape; give a key with --api-key-env or in a --header"
            )
    family, address = _addresses(parts.hostname, port)[0]
    path = join_path(parts.path, endpoint_path)
    return Target(
        host=parts.hostname,
        port=port,
        path=f"{path}?{parts.query}" if parts.query else path,
        models_path=path.removesuffix(endpoint_path.removeprefix("/v1")) + "/models",
        sockaddr=_sockaddr(family, address),
        address=_shown(family, address),
    )


def _addresses(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"the host {host!r} has no address ({reason}); is it spelled right?") from None
    return [(family, name) for family, _, _, _, name in found]


def _shown(family: int, name: tuple[object, ...]) -> str:
    return f"[{name[0]}]:{name[1]}" if family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


def join_path(base: str, endpoint_path: str) -> str:
    """The API's path below a base that may already hold a part of it (``/v1``) or all of it.

    A base that ends like the API without the ``/v1`` is whole as well: Azure's deployments have none.
    """
    base = base.rstrip("/")
    if base.endswith((endpoint_path, endpoint_path.removeprefix("/v1"))):
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


def reachable(target: Target, timeout_s: float) -> Target:
    """Open one connection and close it, so that a server that is not there is told before the start.

    A name may have several addresses (``localhost`` is ``::1`` and ``127.0.0.1``) and the server listen at one.

    Returns:
        The target, at the first of its host's addresses that takes connections.

    Raises:
        UserError: It cannot be reached.
    """
    problems: dict[str, None] = {}
    for family, name in _addresses(target.host, target.port):
        address = _shown(family, name)
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(timeout_s)
                probe.connect(name)
        except ConnectionRefusedError:
            problems[f"{address} refuses connections: is the server running, and is that its port?"] = None
        except TimeoutError:
            problems[f"{address} does not answer: no connection after {timeout_s:g} s"] = None
        except OSError as error:
            problems[f"{address} cannot be reached: {error.strerror or error}"] = None
        else:
            return replace(target, sockaddr=_sockaddr(family, name), address=address)
    raise UserError("; ".join(problems))


def served_model(target: Target, headers: Iterable[tuple[str, str]], timeout_s: float) -> str:
    """The first model that the server lists (``GET /v1/models``).

    Raises:
        UserError: It lists none; the message asks for ``--model``, or for a key where the server does.
    """
    advice = "name the model with --model"
    where = f"GET {target.models_path}"
    host = target.address.rpartition(":")[0].strip("[]")
    connection = http.client.HTTPConnection(host, target.port, timeout=timeout_s)
    try:
        connection.request("GET", target.models_path, headers={"Host": target.authority} | dict(headers))
        response = connection.getresponse()
        body = response.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        timed_out = isinstance(error, TimeoutError)
        reason = f"no answer after {timeout_s:g} s" if timed_out else str(error) or type(error).__name__
        raise UserError(f"{target.address} does not answer {where} ({reason}); {advice}") from None
    finally:
        connection.close()
    if response.status in (401, 403):
        advice = "give the server's key with --api-key-env"
    if response.status != 200:
        raise UserError(f"{target.address} answers {where} with {response.status} {response.reason}; {advice}")
    try:
        return str(json.loads(body)["data"][0]["id"])
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UserError(
            f"{target.address} answers {where} with something that is no list of models; "
            f"is it an LLM server's URL? If so, {advice}"
        ) from None
