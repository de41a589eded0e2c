"""What ``replay`` and ``profile`` share: how the server is reached, who one is to it, and how requests are timed."""

from collections.abc import Callable
from typing import Any

import click

CREDENTIALS: tuple[tuple[list[str], dict[str, Any]], ...] = (
    (["--header", "-H", "headers"], {"multiple": True, "metavar": "'NAME: VALUE'",
        "help": "A header for every request."}),
    (["--api-key-env"], {"metavar": "NAME", "help": "The environment variable that holds the API key."}),
    (["--api-key-file"], {"metavar": "FILE", "help": "The file that holds the API key: one line."}),
)  # fmt: skip
CONNECTION: tuple[tuple[list[str], dict[str, Any]], ...] = (
    (["--cacert"], {"metavar": "FILE", "help": "Certificates to trust (PEM) instead of the system's."}),
    (["--insecure"], {"is_flag": True, "help": "Trust any certificate; the verdict will say so."}),
    (["--no-proxy"], {"is_flag": True,
        "help": "Do not go through the proxy that http_proxy or https_proxy names."}),
    (["--connection-reuse"], {"type": click.Choice(["pooled", "never"]), "default": "pooled", "show_default": True,
        "help": "Keep connections for further requests, or make one for each."}),
)  # fmt: skip
TIMING: tuple[tuple[list[str], dict[str, Any]], ...] = (
    (["--connect-timeout"], {"default": "10s", "show_default": True, "metavar": "TIME",
        "help": "For a connection to be made."}),
    (["--read-timeout"], {"default": "300s", "show_default": True, "metavar": "TIME",
        "help": "For a stream to be silent."}),
    (["--preopen"], {"default": "200ms", "show_default": True, "metavar": "TIME",
        "help": "Open connections this long before they are needed."}),
    (["--spin"], {"default": "0", "show_default": True, "metavar": "TIME",
        "help": "Poll this long before each due time: less late, more CPU."}),
    (["--realtime"], {"is_flag": True,
        "help": "Send at real-time priority, all cores kept awake: late by microseconds even at p99.9. As root."}),
    (["--kernel-stamps/--user-stamps"], {"default": True, "help": "Whose receive stamps.  [default: the kernel's]"}),
)  # fmt: skip
"""Names and settings, as ``click.option`` takes them."""


def transport_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds all of them to a command."""
    for names, settings in reversed((*CREDENTIALS, *CONNECTION, *TIMING)):
        command = click.option(*names, **settings)(command)
    return command


def transport_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of SendOptions that these options give, and ``--grace``, whose words differ from verb to verb.

    Raises:
        UserError: A time is none.
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
