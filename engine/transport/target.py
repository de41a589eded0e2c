"""The target of requests, parsed from a URL."""

import os
import re
import ssl
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ... import __version__
from ..errors import UserError
from .addresses import Address, resolve, unix_address
from .api_paths import base_path, join_path, with_model
from .proxies import Proxy, find_proxy
from .route import DIRECT, Route, TransportOptions

SECRET_NAMES = ("key", "token", "secret", "password", "sig")
"""Parts of names of query parameters that would put a secret into every row of the tape."""

PORTS = {"http": 80, "https": 443}
"""Default ports by scheme."""

FORMS = "http://HOST:PORT, https://HOST or unix:/PATH/OF.SOCKET"


@dataclass(frozen=True)
class Target:
    """A server and the path of its API.

    Attributes:
        host: Host in the URL, without brackets; ``localhost`` for a Unix socket.
        port: TCP port.
        path: Path of every request, with the URL's query.
        models_path: Path of the server's list of models.
        other_path: Path to try if `path` is not found; None if the URL is unambiguous (`join_path`).
        dialled: Address of connections: the server's, or the proxy's.
        scheme: ``http`` or ``https``.
        unix: Path of the server's Unix socket; None: it listens at host and port.
        proxy: The proxy, or None.
        cacert, insecure: Trusted certificates; see TransportOptions.
    """

    host: str
    port: int
    path: str
    models_path: str
    dialled: Address
    scheme: str = "http"
    unix: str | None = None
    proxy: Proxy | None = None
    cacert: str | None = None
    insecure: bool = False
    other_path: str | None = None

    @property
    def sockaddr(self) -> bytes:
        """Resolved address as the kernel's ``struct sockaddr``."""
        return self.dialled.sockaddr

    @property
    def address(self) -> str:
        """Resolved address as text, such as ``127.0.0.1:8000``."""
        return self.dialled.shown

    @property
    def authority(self) -> str:
        """Value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def below_v1(self) -> bool:
        """Whether the API's path keeps its ``/v1`` below the base of the URL."""
        return "/v1/" in self.path

    @property
    def root(self) -> str:
        """The URL up to the path."""
        return f"{self.scheme}://{self.authority}" if self.unix is None else f"unix:{self.unix}:"

    @property
    def url(self) -> str:
        """The complete URL of requests."""
        return self.root + self.path

    def of_model(self, model: str) -> "Target":
        """Return the target with the model's name in the API's path, if it has one."""
        other = self.other_path
        return replace(self, path=with_model(self.path, model), other_path=other and with_model(other, model))

    def request_target(self, path: str) -> str:
        """Return the target of the request line: the path, or for a proxy the complete URL (RFC 9112, 3.2.2)."""
        return self.root + path if self.proxy is not None and self.scheme == "http" else path

    @property
    def proxy_headers(self) -> dict[str, str]:
        """Return headers for a proxy that reads the request."""
        if self.proxy is None or self.scheme != "http" or not self.proxy.authorization:
            return {}
        return {"Proxy-Authorization": self.proxy.authorization}

    @property
    def tunnel(self) -> bytes:
        """Return the request that opens a tunnel through the proxy (RFC 9110, 9.3.6); empty: no tunnel is needed."""
        if self.proxy is None or self.scheme != "https":
            return b""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [
            f"CONNECT {host}:{self.port} HTTP/1.1",
            f"Host: {host}:{self.port}",
            f"User-Agent: tokentape/{__version__}",
        ]
        if self.proxy.authorization:
            lines.append(f"Proxy-Authorization: {self.proxy.authorization}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the secrets that must not be written to any file."""
        return () if self.proxy is None else self.proxy.secrets

    def moved(self, scheme: str, port: int, path: str) -> "Target":
        """Return the target at another port of the same host, or over TLS."""
        proxy = None if self.proxy is None else find_proxy(scheme, self.host, os.environ)
        dialled = candidates(None, proxy, self.host, port)[0]
        return replace(self, scheme=scheme, port=port, path=path, proxy=proxy, dialled=dialled)

    def route(self) -> Route:
        """Return the route that workers take to this target."""
        if self.scheme == "http":
            return Route(self.sockaddr.hex(), self.address)
        store = ssl.get_default_verify_paths()
        return Route(
            self.sockaddr.hex(), self.address, self.tunnel.decode("ascii"), self.host,
            ca_file=self.cacert, store_file=store.cafile, store_dir=store.capath, insecure=self.insecure,
        )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return the target's entry in the manifest."""
        facts: dict[str, Any] = {"url": self.url, "address": self.address}
        if self.proxy is not None:
            facts["proxy"] = self.proxy.url
        if self.scheme == "https":
            facts["tls_verified"] = not self.insecure
        return facts

    def notes(self) -> list[str]:
        """Return notes for the user before the run."""
        notes = []
        if self.proxy is not None:
            what = "this machine's own server " if self.host in ("localhost", "127.0.0.1", "::1") else ""
            notes.append(
                f"requests go to {what}through the proxy {self.proxy.url} of {self.proxy.variable}, whose time "
                "is part of every latency; use --no-proxy to avoid it"
            )
        if self.scheme == "https" and self.insecure:
            notes.append("TLS certificates are not verified (--insecure): another server could answer")
        return notes


def find_target(url: str, endpoint_path: str, options: TransportOptions = DIRECT) -> Target:
    """Parse a URL and resolve its host, once and before the start.

    Args:
        url: The server's root, its ``/v1``, or the API's URL. For a Unix socket ``unix:/run/llm.sock``, or with
            a path ``unix:/run/llm.sock:/v1``, which is the same as ``http+unix://%2Frun%2Fllm.sock/v1``.
        endpoint_path: The API's path below the root, such as ``/v1/chat/completions``.
        options: How connections are made.

    Raises:
        UserError: The URL has none of these forms, or the host has no address.
    """
    unix, parts = _take_apart(url)
    if parts.username or parts.password:
        raise UserError("a password in a URL would be written to logs; give the key with --api-key-env")
    try:
        port = parts.port or PORTS[parts.scheme]
    except ValueError as error:
        raise UserError(f"{url!r}: {error}; write {FORMS}") from None
    if not (parts.path + parts.query).isascii() or any(c <= " " for c in parts.path + parts.query):
        raise UserError(f"{url!r}: the path contains characters that HTTP does not allow; write them as %XX")
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if any(word in name.lower() for word in SECRET_NAMES):
            raise UserError(
                f"the URL's parameter {name!r} would be written to the tape; give keys with --api-key-env or --header"
            )
    host = _ascii(parts.hostname or "")
    proxy = find_proxy(parts.scheme, host, os.environ) if options.proxy and unix is None else None
    path = join_path(parts.path, endpoint_path)
    other = join_path(parts.path, endpoint_path, below_v1=True)
    query = f"?{parts.query}" if parts.query else ""
    return Target(
        host=host,
        port=port,
        path=path + query,
        models_path=models_path(path, endpoint_path),
        dialled=candidates(unix, proxy, host, port)[0],
        scheme=parts.scheme,
        unix=unix,
        proxy=proxy,
        cacert=options.cacert,
        insecure=options.insecure,
        other_path=None if other == path else other + query,
    )


def models_path(path: str, endpoint_path: str) -> str:
    """Return the path of a server's list of models, next to the path of one of its APIs."""
    has_v1 = not endpoint_path.startswith("/v1/") or path.endswith(endpoint_path)  # Azure's deployments have none
    return base_path(path, endpoint_path) + ("/v1/models" if has_v1 else "/models")


def _take_apart(url: str) -> tuple[str | None, SplitResult]:
    """Return the path of a Unix socket or None, and the rest as an http URL."""
    if found := re.match(r"unix:(?://(?=/))?([^:]*)(?::(/.*))?$", url):
        return found[1], urlsplit(f"http://localhost{found[2] or ''}")
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
    except ValueError as error:
        raise UserError(f"{url!r}: {error}; write {FORMS}") from None
    if parts.scheme == "http+unix" and parts.netloc:
        return unquote(parts.netloc), parts._replace(scheme="http", netloc="localhost")
    if parts.scheme not in PORTS or not parts.hostname:
        raise UserError(f"{url!r} is not a URL; write {FORMS}")
    return None, parts


def _ascii(host: str) -> str:
    """Return an internationalized name in the form of DNS and HTTP; other names unchanged."""
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise UserError(f"the host {host!r} is not a valid DNS name ({error})") from None


def candidates(unix: str | None, proxy: Proxy | None, host: str, port: int) -> list[Address]:
    """Return the addresses to connect to: the socket's, the proxy's, or the host's.

    Raises:
        UserError: There is no address.
    """
    if unix is not None:
        return [unix_address(unix)]
    if proxy is None:
        return resolve(host, port)
    try:
        return resolve(proxy.host, proxy.port)
    except UserError as error:
        raise UserError(f"the proxy of {proxy.variable}: {error}; use --no-proxy to avoid it") from None
