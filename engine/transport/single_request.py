"""Sending one request from Python before a run, over the same transport as the run."""

import http.client
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    from .addresses import Address
    from .target import Target

LONGEST_BODY = 1 << 20
"""Number of bytes that are read of a response."""


@dataclass(frozen=True)
class Answer:
    """A server's response."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def exchange(
    target: "Target", method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes | None, timeout_s: float
) -> Answer:
    """Send one request to a target's server and read the response.

    Args:
        path: Path instead of the target's.
        headers: Headers in addition to Host.
        timeout_s: Time limit of each step: to connect, and between two bytes.

    Raises:
        UserError: The proxy or the server's certificate cannot be used; the message says what to change.
        OSError, http.client.HTTPException: There was no response.
    """
    host = target.host if target.unix is None else "localhost"
    connection = http.client.HTTPConnection(host, target.port, timeout=timeout_s)
    connection.sock = handshake(target, dial(target.dialled, timeout_s))
    given = {"Host": target.authority, "Accept-Encoding": "identity", **target.proxy_headers, **dict(headers)}
    try:
        connection.request(method, target.request_target(path), body, given)
        response = connection.getresponse()
        return Answer(response.status, response.reason, dict(response.getheaders()), response.read(LONGEST_BODY))
    finally:
        connection.close()


def dial(address: "Address", timeout_s: float) -> socket.socket:
    """A connection to an address.

    Raises:
        OSError: The connection failed.
    """
    connection = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(address.name)
    except BaseException:
        connection.close()
        raise
    return connection


def handshake(target: "Target", connection: socket.socket) -> socket.socket:
    """Prepare a new connection for its first request: CONNECT to a proxy, and the TLS handshake.

    Raises:
        UserError: The proxy refuses the tunnel, or TLS fails.
        OSError, http.client.HTTPException: The connection breaks.
    """
    try:
        if target.tunnel:
            connection.sendall(target.tunnel)
            with http.client.HTTPResponse(connection, method="CONNECT") as response:
                response.begin()
                if not 200 <= response.status < 300:
                    assert target.proxy is not None
                    raise UserError(_refused(target.proxy.variable, target.proxy.url, response.status, response.reason))
        if target.scheme == "https":
            return tls_context(target.cacert, insecure=target.insecure).wrap_socket(
                connection, server_hostname=target.host
            )
    except ssl.SSLError as error:
        connection.close()
        raise UserError(f"{target.address}: {_tls_problem(error)}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _refused(variable: str, url: str, status: int, reason: str) -> str:
    advice = f"put its user and password into {variable}" if status == 407 else "or use --no-proxy"
    return f"the proxy {url} refuses the tunnel with {status} {reason}; {advice}"


def tls_context(cacert: str | None, *, insecure: bool) -> ssl.SSLContext:
    """Return TLS settings for Python's sockets that equal the core's (``cext/net/tls.c``).

    Args:
        cacert: File of certificates to trust instead of the system's.
        insecure: Trust any certificate.

    Raises:
        UserError: The file has no certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif cacert is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(cacert)
        except (OSError, ssl.SSLError) as error:
            reason = "it has no certificates in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
            raise UserError(f"--cacert {cacert}: {reason}") from None
    return context


def _tls_problem(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        message = str(error.verify_message).rstrip(".")
        return (
            f"the server's certificate is not trusted: {message}; give the certificates to trust with --cacert FILE, "
            "or trust any certificate with --insecure"
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    plain = "; it may be a plain http port" if "wrong version" in reason or "packet length" in reason else ""
    return f"the TLS handshake failed: {reason}{plain}"
