"""The proxy of the environment variables, with curl's rules."""

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..errors import UserError

DEFAULT_PORT = 1080
"""Default port of a proxy, as in curl."""


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy.

    Attributes:
        host: Host name or address, without brackets.
        port: TCP port.
        variable: The environment variable with its URL.
        authorization: Value of Proxy-Authorization; empty: no such header.
    """

    host: str
    port: int
    variable: str
    authorization: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """URL without user and password."""
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
    """Return the proxy for a server, or None.

    ``http_proxy`` or ``https_proxy``, else ``all_proxy``, in small or capital letters, unless ``no_proxy`` names the
    host (https://curl.se/docs/manpage.html, "ENVIRONMENT"). Addresses of this machine are not treated specially.

    Args:
        scheme: Scheme of the server, ``http`` or ``https``.
        host: Host in the URL, without brackets.
        environment: Environment variables, as in ``os.environ``.

    Raises:
        UserError: The variable is not the URL of an http proxy.
    """
    if _is_excepted(host, environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
        return None
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
        if name == "HTTP_PROXY" and "REQUEST_METHOD" in environment:
            continue  # in a CGI program it would be the client's Proxy header
        if environment.get(name, "").strip():
            return _read(environment[name].strip(), name)
    return None


def _read(text: str, variable: str) -> Proxy:
    advice = f"set {variable} to http://HOST:PORT, or use --no-proxy"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise UserError(f"{variable} is not a URL; {advice}") from None
    if parts.scheme != "http":
        raise UserError(f"{variable} names a {parts.scheme!r} proxy, and only http proxies are supported; {advice}")
    if not parts.hostname:
        raise UserError(f"{variable} has no host; {advice}")
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
                continue  # not a network: the entry matches nothing
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
