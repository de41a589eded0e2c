"""The connection check before a run."""

import http.client
import os
from dataclasses import replace

from ...cext.reactor import check_tls
from ..errors import UserError
from .route import encoded
from .single_request import dial, handshake, tls_context
from .target import Target, candidates


def check_connection(target: Target, timeout_s: float) -> Target:
    """Open and close one connection, so that an unreachable server is reported before the run.

    A name may have several addresses (``localhost`` is ``::1`` and ``127.0.0.1``), of which the server may use only
    one. The connection includes the proxy and the TLS handshake, as in a run.

    Returns:
        The target with the first of its host's addresses that accepts connections.

    Raises:
        UserError: The server cannot be reached.
    """
    if target.scheme == "https":
        _check_tls(target)
    problems: dict[str, None] = {}
    for address in candidates(target.unix, target.proxy, target.host, target.port):
        who = address.shown if target.proxy is None else f"the proxy {address.shown} ({target.proxy.variable})"
        try:
            connection = dial(address, timeout_s)
        except OSError as error:
            problems[f"{who} {_why_not(error, target, timeout_s)}"] = None
            continue
        found = replace(target, dialled=address)
        try:
            handshake(found, connection).close()
        except (OSError, http.client.HTTPException) as error:
            raise UserError(f"{who} closed the connection before the first request: {_words(error)}") from None
        return found
    raise UserError("; ".join(problems))


def _check_tls(target: Target) -> None:
    """Return whether the workers can use TLS."""
    route = target.route()
    tls_context(target.cacert, insecure=target.insecure)
    try:
        check_tls(
            os.fsencode(target.host),
            ca_file=encoded(route.ca_file),
            store_file=encoded(route.store_file),
            store_dir=encoded(route.store_dir),
            insecure=route.insecure,
        )
    except OSError as error:
        raise UserError(str(error)) from None


def _why_not(error: OSError, target: Target, timeout_s: float) -> str:
    if isinstance(error, ConnectionRefusedError):
        where = "port" if target.unix is None else "socket"
        return f"refuses connections: check that the server is running and that this is its {where}"
    if isinstance(error, TimeoutError):
        return f"does not respond: no connection after {timeout_s:g} s"
    if isinstance(error, FileNotFoundError):
        return "does not exist: check that the server is running and that this is its socket"
    return f"cannot be reached: {_words(error)}"


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
