"""What ``replay`` and ``profile`` share: how the server is reached, and who one is to it."""

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
"""Names and settings, as ``click.option`` takes them."""


def transport_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds both to a command."""
    for names, settings in reversed((*CREDENTIALS, *CONNECTION)):
        command = click.option(*names, **settings)(command)
    return command


def transport_settings(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of SendOptions that these options give."""
    names = ("headers", "api_key_env", "api_key_file", "cacert", "insecure")
    return {
        **{name: given[name] for name in names},
        "proxy": not given["no_proxy"],
        "reuse": given["connection_reuse"] == "pooled",
    }
