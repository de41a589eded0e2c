"""``tokentape profile``: send requests at a rate or a concurrency, with the options of GenAI-Perf."""

import sys
from pathlib import Path
from typing import Any

import click

from ..common.grouped_command import GroupedCommand, config_text
from .profile_options import profile_options

GROUPS = {"Most used": ("models", "urls", "streaming", "concurrency", "request_rate")}
EXAMPLES = (
    (
        "Keep eight requests in flight, with 550 input tokens and 100 output tokens each:",
        "tokentape profile -m M -u http://127.0.0.1:8000 --streaming --concurrency 8 --osl 100",
    ),
    (
        "Send 20 requests per second as a Poisson process for a minute, and check an objective:",
        "tokentape profile -m M --streaming --request-rate 20 --arrival poisson --duration 60s --slo ttft:300ms",
    ),
    ("Try it on the simulated server:", "tokentape profile --simulate --streaming --request-count 100"),
)


@click.command(
    cls=GroupedCommand,
    groups=GROUPS,
    examples=EXAMPLES,
    short_help="Send synthetic or given requests at a rate or a concurrency.",
)
@profile_options
@click.pass_context
def profile(ctx: click.Context, /, **given: Any) -> None:
    """Send requests to a server at a rate or a concurrency, stamp every token, write a tape and print its
    summary.

    Accepts the options of NVIDIA's GenAI-Perf, and writes the files of GenAI-Perf next to the tape.
    """
    dump = given.pop("dump_config")
    given.pop("config")
    if dump is not None:
        _dump(dump, config_text(ctx, given))
        return
    from .profile_command import run_profile

    ctx.exit(run_profile(given))


def _dump(path: Path, text: str) -> None:
    if str(path) == "-":
        sys.stdout.write(text)
        return
    from ...errors import UserError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
