"""Parsing of --listen, the address at which ``serve`` and ``record`` listen."""

from ...errors import UserError


def parse_listen(text: str) -> tuple[str, int]:
    """Parse ``127.0.0.1:8080``, ``[::1]:8080``, ``:8080`` or ``8080`` into an address and a port.

    Raises:
        UserError: The text has none of these forms.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port) > 65535:
        raise UserError(f"--listen {text!r}: write HOST:PORT, as in 127.0.0.1:8080")
    if host == "localhost":
        host = "127.0.0.1"
    return host or ("0.0.0.0" if ":" in text else "127.0.0.1"), int(port)
