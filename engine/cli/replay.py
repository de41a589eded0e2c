"""``tokentape replay``: a trace goes in, a tape comes out."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("trace", type=click.Path(path_type=Path), required=False)
@click.option("--url", metavar="URL", help="The server: its root, its /v1, or the API's whole URL.")
@click.option("--simulate", is_flag=True, help="Start the simulated server and replay against it.")
@click.option("--sample", is_flag=True, help="Replay the sample trace that comes with the program.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the tape will lie.  [default: <trace>-<time>.tape]")
@click.option("--endpoint", default="chat", show_default=True, help="chat, completions or embeddings.")
@click.option("--model", "-m", help="The model to name in requests.  [default: the first that the server lists]")
@click.option("--speed", default="1", show_default=True, help="Divide all times of the trace by this.")
@click.option("--start", metavar="TIME", help="Begin at this time of the trace, as in 60s.")
@click.option("--end", metavar="TIME", help="Leave out what arrives at this time of the trace or later.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N requests.")
@click.option("--workers", type=click.IntRange(min=1, max=64), default=1, show_default=True, help="Processes that send.")
@click.option("--tokenizer", metavar="DIR", help="Makes prompt lengths exact, and counts tokens that the server does not.")
@click.option("--prompt-form", type=click.Choice(["text", "token-ids"]), help="What prompts are.  [default: text]")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other prompts.")
@click.option("--format", "trace_format", metavar="NAME", help="The trace's format.  [default: found by its content]")
@click.option("--skip-bad-rows", is_flag=True, help="Leave out rows of the trace that cannot be read, and count them.")
@click.option("--stream/--no-stream", default=True, help="Ask for a stream of events.  [default: stream]")
@click.option("--usage/--no-usage", default=True, help="Ask for token counts in the stream.  [default: usage]")
@click.option(
    "--ignore-eos/--no-ignore-eos",
    default=True,
    help="Ask for exactly the recorded output lengths; some servers refuse the field.  [default: ignore-eos]",
)
@click.option("--header", "-H", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header for every request.")
@click.option("--api-key-env", metavar="NAME", help="The environment variable that holds the API key.")
@click.option("--connect-timeout", default="10s", show_default=True, help="For a connection to be made.")
@click.option("--read-timeout", default="300s", show_default=True, help="For a stream to be silent.")
@click.option("--grace", default="30s", show_default=True, help="For open streams to end after Ctrl-C.")
@click.option("--preopen", default="200ms", show_default=True, help="Open connections this long before they are needed.")
@click.option("--spin", default="0", show_default=True, help="Poll this long before each due time: less late, more CPU.")
@click.option("--reuse/--no-reuse", default=True, help="Keep connections for further requests.  [default: reuse]")
@click.option("--kernel-stamps/--user-stamps", default=True, help="Whose receive stamps.  [default: the kernel's]")
@click.option("--keep-bodies", is_flag=True, help="Keep request bodies and response texts on the tape.")
@click.option("--max-failures", default="1%", show_default=True, help="Exit with 4 when more requests fail: 5 or 2%.")
@click.option("--slo", "slos", multiple=True, metavar="METRIC:TIME", help="For the goodput, as in ttft:300ms.")
@click.option("--output", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
              help="How the summary is printed.")  # fmt: skip
@click.option("--ttft", metavar="DIST", help="Of the simulated server: 50ms, normal:50ms:5ms, …")
@click.option("--itl", metavar="DIST", help="Of the simulated server, likewise.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.pass_context
def replay(ctx: click.Context, /, **given: Any) -> None:
    """Replay TRACE against a server, stamp every token, write a tape and sum it up.

    TRACE is a recorded trace of any known format. Each request leaves when the trace says, divided by --speed;
    one that would be late is sent late and recorded as late.
    """
    from ._replay import run_replay

    ctx.exit(run_replay(given))
