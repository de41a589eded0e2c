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
    """Open one connection and close it, so that an unreachable server is reported before the run.

    A name may have several addresses (``localhost`` is ``::1`` and ``127.0.0.1``) and the server listen at one. The
    connection goes as far as a run's do: through the proxy, and to the end of the handshake of TLS.

    Returns:
        The target, at the first of its host's addresses that takes connections.

    Raises:
        UserError: It cannot be reached.
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
            raise UserError(f"{who} broke off before the first request: {_words(error)}") from None
        return found
    raise UserError("; ".join(problems))


def _check_tls(target: Target) -> None:
    """Return whether the workers will be able to speak TLS."""
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
        return f"refuses connections: is the server running, and is that its {where}?"
    if isinstance(error, TimeoutError):
        return f"does not answer: no connection after {timeout_s:g} s"
    if isinstance(error, FileNotFoundError):
        return "is not there: is the server running, and is that its socket?"
    return f"cannot be reached: {_words(error)}"


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
