"""The proxy that the environment asks for, as curl reads it."""

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..errors import UserError

DEFAULT_PORT = 1080
"""Port of a proxy whose URL has none, as in curl."""


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy.

    Attributes:
        host: A name or an address, without brackets.
        port: TCP port.
        variable: The environment variable that names it.
        authorization: The value of Proxy-Authorization; empty: none is sent.
    """

    host: str
    port: int
    variable: str
    authorization: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the secrets that must not be written to any file."""
        if not self.authorization:
            return ()
        encoded = self.authorization.removeprefix("Basic ")
        password = base64.b64decode(encoded).decode().partition(":")[2]
        return (encoded, password) if password else (encoded,)


def find_proxy(scheme: str, host: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy for a server, or None.

    ``http_proxy`` or ``https_proxy``, else ``all_proxy``, in small or capital letters, unless ``no_proxy`` names the
    host (https://curl.se/docs/manpage.html, "ENVIRONMENT"). Nothing is special about this machine's own addresses.

    Args:
        scheme: ``http`` or ``https``, of the server.
        host: As in the URL, without brackets.
        environment: As ``os.environ``.

    Raises:
        UserError: The variable holds no URL of an http proxy.
    """
    if _is_excepted(host, environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
        return None
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
        if name == "HTTP_PROXY" and "REQUEST_METHOD" in environment:
            continue  # within a CGI it is the client's Proxy header
        if environment.get(name, "").strip():
            return _read(environment[name].strip(), name)
    return None


def _read(text: str, variable: str) -> Proxy:
    advice = f"{variable} is to be http://HOST:PORT; --no-proxy goes without it"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise UserError(f"{variable} holds no URL; {advice}") from None
    if parts.scheme != "http":
        raise UserError(f"{variable} names a proxy of the kind {parts.scheme!r}, and http is spoken alone; {advice}")
    if not parts.hostname:
        raise UserError(f"{variable} names no host; {advice}")
    authorization = ""
    if parts.username is not None:
        words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(words.encode()).decode()
    return Proxy(parts.hostname, port or DEFAULT_PORT, variable, authorization)


def _is_excepted(host: str, exceptions: str) -> bool:
    host = host.lower().rstrip(".")
    address = _address(host)
    for entry in re.split(r"[\s,]+", exceptions.lower()):
        name = entry.strip("[]").removeprefix("*").strip(".")
        if entry == "*" or (name and (host == name or (address is None and host.endswith(f".{name}")))):
            return True
        if address is not None and "/" in entry:
            try:
                if address in ipaddress.ip_network(entry, strict=False):
                    return True
            except ValueError:
                continue  # no network: an entry that matches nothing
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
