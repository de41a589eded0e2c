"""Options that ``replay`` and ``profile`` share: credentials, connections and timing."""

from collections.abc import Callable
from typing import Any

import click

CREDENTIALS: tuple[tuple[list[str], dict[str, Any]], ...] = (
    (["--header", "-H", "headers"], {"multiple": True, "metavar": "'NAME: VALUE'",
        "help": "Header to send with every request. May be given several times."}),
    (["--api-key-env"], {"metavar": "NAME", "help": "Environment variable that holds the API key."}),
    (["--api-key-file"], {"metavar": "FILE", "help": "File that holds the API key in one line."}),
)  # fmt: skip
CONNECTION: tuple[tuple[list[str], dict[str, Any]], ...] = (
    (["--cacert"], {"metavar": "FILE", "help": "File of certificates (PEM) to trust instead of the system's."}),
    (["--insecure"], {"is_flag": True, "help": "Accept any certificate. The verdict reports it."}),
    (["--no-proxy"], {"is_flag": True,
        "help": "Ignore the proxies that http_proxy and https_proxy name."}),
    (["--connection-reuse"], {"type": click.Choice(["pooled", "never"]), "default": "pooled", "show_default": True,
        "help": "pooled: reuse connections for further requests; never: open one for each request."}),
)  # fmt: skip
TIMING: tuple[tuple[list[str], dict[str, Any]], ...] = (
    (["--connect-timeout"], {"default": "10s", "show_default": True, "metavar": "TIME",
        "help": "Timeout for opening a connection."}),
    (["--read-timeout"], {"default": "300s", "show_default": True, "metavar": "TIME",
        "help": "Timeout for silence within a response."}),
    (["--preopen"], {"default": "200ms", "show_default": True, "metavar": "TIME",
        "help": "Open connections this long before they are needed."}),
    (["--spin"], {"default": "0", "show_default": True, "metavar": "TIME",
        "help": "Poll for this long before each due time. Lowers lateness, costs CPU."}),
    (["--realtime"], {"is_flag": True,
        "help": "Send at real-time priority and keep CPU cores awake. Lowers lateness at p99.9. Needs root."}),
    (["--kernel-stamps/--user-stamps"], {"default": True,
        "help": "Take receive stamps from the kernel, or from the process that reads.  [default: kernel-stamps]"}),
)  # fmt: skip
"""Names and settings of each option, in the form of ``click.option``."""


def transport_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of credentials, connections and timing to a command."""
    for names, settings in reversed((*CREDENTIALS, *CONNECTION, *TIMING)):
        command = click.option(*names, **settings)(command)
    return command


def transport_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of SendOptions that these options and ``--grace`` set.

    Each verb defines ``--grace`` itself, because its help differs.

    Raises:
        UserError: A value is not a duration.
    """
    from .duration_options import option_ns

    names = ("headers", "api_key_env", "api_key_file", "cacert", "insecure", "kernel_stamps", "realtime")
    return {
        **{name: given[name] for name in names},
        "proxy": not given["no_proxy"],
        "reuse": given["connection_reuse"] == "pooled",
        "connect_timeout_ns": option_ns(given, "connect_timeout", above_0=True),
        "read_timeout_ns": option_ns(given, "read_timeout", above_0=True),
        "grace_ns": option_ns(given, "grace"),
        "preopen_ns": option_ns(given, "preopen"),
        "spin_ns": option_ns(given, "spin"),
    }
