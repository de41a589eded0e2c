"""``tokentape record``: forward real traffic through a proxy and write a tape of it."""

from pathlib import Path
from typing import Any

import click

from ..common.grouped_command import GroupedCommand

EXAMPLES = (
    (
        "Record traffic to a server, bodies included, and replay it against another build:",
        "tokentape record --url http://127.0.0.1:8000 -o prod.tape --keep-bodies",
    ),
    ("Record without any text, but with shared prefixes:", "tokentape record --url http://127.0.0.1:8000 --anonymize"),
    ("Begin a new tape every hour:", "tokentape record --url http://127.0.0.1:8000 -o prod.tape --rotate 1h"),
)
GROUPS = {
    "Most used": ("url", "listen", "out", "keep_bodies", "anonymize"),
    "Further options": ("rotate", "grace", "connect_timeout"),
}


@click.command(
    cls=GroupedCommand,
    groups=GROUPS,
    examples=EXAMPLES,
    short_help="Forward real traffic to a server and write a tape of it.",
)
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Address at which clients connect. :8080 listens at every address of the machine; port 0 chooses a free one.",
)
@click.option("--url", required=True, metavar="URL", help="Root of the server, such as http://127.0.0.1:8000.")
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), metavar="NAME", help="Tape to write.  [default: record-<time>.tape]"
)
@click.option(
    "--keep-bodies",
    is_flag=True,
    help="STORE ALL TEXT: request bodies byte for byte, their headers (never credentials), response texts and"
    " error messages. Without this option, the tape has only times, lengths and models.",
)
@click.option(
    "--anonymize",
    is_flag=True,
    help="Store salted hashes of prompt blocks, so that shared prefixes can be replayed. No text is stored, and"
    " the salt is not written.",
)
@click.option(
    "--rotate",
    multiple=True,
    metavar="TIME|SIZE",
    help="Begin another tape (NAME-00001, …) after this time or size: 1h, 1GB, or both.",
)
@click.option("--grace", default="30s", show_default=True, help="Time that open requests have to end after Ctrl-C.")
@click.option(
    "--connect-timeout", default="10s", show_default=True, help="Timeout for opening a connection to the server."
)
@click.option(
    "--announce-fd", type=int, hidden=True, help="Write the port and a line end to this descriptor when listening."
)
def record(**given: Any) -> None:
    """Forward requests to a server unchanged, and write a tape of them.

    Point clients at the address of --listen in place of the server. Every chat, completions and embeddings request
    gets a row with its times, whatever its outcome; other requests are forwarded without being recorded. On Ctrl-C or
    SIGTERM the recorder takes no new connections, lets open requests end, and seals the tape. A tape is a trace:
    tokentape replay NAME.
    """
    from .record_command import run_recorder

    run_recorder(given)
