"""``tokentape record``: a proxy that writes a tape of real traffic."""

from pathlib import Path
from typing import Any

import click


@click.command(short_help="Pass real traffic on and write a tape of it.")
@click.option("--listen", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT",
              help="Where clients connect; :8080 is all addresses of the machine, port 0 has one chosen.")  # fmt: skip
@click.option("--url", required=True, metavar="URL", help="The server's root, as in http://127.0.0.1:8000.")
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="NAME",
              help="Where the tape will lie.  [default: record-<time>.tape]")  # fmt: skip
@click.option("--keep-bodies", is_flag=True,
              help="STORE WHAT IS SAID: every request body byte for byte, its headers (never credentials), the text of"
                   " every response and servers' error messages. Without it: times, lengths, models.")  # fmt: skip
@click.option("--anonymize", is_flag=True,
              help="Store salted hashes of the prompts' blocks, so that shared prefixes can be replayed; the salt is"
                   " never written, and no text is.")  # fmt: skip
@click.option("--rotate", multiple=True, metavar="TIME|SIZE",
              help="Begin another tape (NAME-00001, …) after so long or so much: 1h, 1GB, or both.")  # fmt: skip
@click.option("--grace", default="30s", show_default=True, help="For open requests to end after Ctrl-C.")
@click.option("--connect-timeout", default="10s", show_default=True, help="For a connection to the server to be made.")
@click.option("--announce-fd", type=int, hidden=True, help="Write the port and a line end there when listening.")
def record(**given: Any) -> None:
    """Pass requests on to a server as they come, and write a tape of them.

    Point clients at the address of --listen instead of the server. Every chat, completions and embeddings request
    gets a row with its times, whatever becomes of it; everything else goes through unrecorded. Ends on Ctrl-C or
    SIGTERM: no new connections, open requests may end, the tape is sealed. It is a trace: tokentape replay NAME.
    """
    from .record_command import run_recorder

    run_recorder(given)
