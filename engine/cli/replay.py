"""``tokentape replay``: a trace goes in, a tape comes out."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.summary_output import print_summaries, summary_options
from .common.transport_options import transport_options, transport_settings

if TYPE_CHECKING:
    from ..workloads.options import ReplayOptions


@click.command(short_help="Replay a trace against a server and write a tape.")
@click.argument("trace", type=click.Path(path_type=Path), required=False)
@click.option(
    "--url", metavar="URL", help="The server: its root, its /v1, or the API's whole URL; or unix:/PATH/OF.SOCKET."
)
@click.option("--simulate", is_flag=True, help="Start the simulated server and replay against it.")
@click.option("--sample", is_flag=True, help="Replay the sample trace that comes with the program.")
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), help="Where the tape will lie.  [default: <trace>-<time>.tape]"
)
@click.option(
    "--endpoint",
    default="chat",
    show_default=True,
    help="The API: chat, completions, responses, messages, ollama_chat, tgi, template, … (docs/endpoints.md).",
)
@click.option(
    "--request-template",
    "template",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For --endpoint template, an API of your own at the URL's path: the body of a request in Jinja2.",
)
@click.option(
    "--response-field",
    "response_fields",
    multiple=True,
    metavar="ROLE=PATH",
    help="For the same: where an answer says what, as in text=choices[].text.",
)
@click.option(
    "--stream-framing",
    "framing",
    type=click.Choice(["sse", "ndjson"]),
    default="sse",
    show_default=True,
    help="For the same: how its streams come.",
)
@click.option("--model", "-m", help="The model to name in requests.  [default: the first that the server lists]")
@click.option("--speed", default="1", show_default=True, help="Divide all times of the trace by this.")
@click.option("--start", metavar="TIME", help="Begin at this time of the trace, as in 60s.")
@click.option("--end", metavar="TIME", help="Leave out what arrives at this time of the trace or later.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N requests.")
@click.option(
    "--sessions",
    type=click.Choice(["open", "closed", "hybrid"]),
    default="open",
    show_default=True,
    help="When later turns leave: at recorded times, a think time after the turn before, or at the later of both.",
)
@click.option(
    "--think", default="recorded", show_default=True, metavar="TIME", help="Between turns: recorded, none, or a time."
)
@click.option(
    "--history",
    type=click.Choice(["recorded", "live"]),
    default="recorded",
    show_default=True,
    help="Whether later turns hold as much text as was recorded, or what this server really replied.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["stop", "continue"]),
    default="stop",
    show_default=True,
    help="What becomes of the turns after one that failed.",
)
@click.option(
    "--workers", type=click.IntRange(min=1, max=64), default=1, show_default=True, help="Processes that send."
)
@click.option(
    "--tokenizer",
    metavar="NAME",
    help="A folder or a hub's name: makes prompt lengths exact, and counts tokens that the server does not.",
)
@click.option("--prompt-form", type=click.Choice(["text", "token-ids"]), help="What prompts are.  [default: text]")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other prompts.")
@click.option(
    "--cache-namespace",
    type=click.Choice(["fresh", "shared"]),
    default="shared",
    show_default=True,
    help="fresh: prompts that share no prefix with another run's, so that no cache is warm.",
)
@click.option("--trace-format", metavar="NAME", help="The trace's format.  [default: found by its content]")
@click.option(
    "--map",
    "trace_map",
    metavar="COLUMNS",
    help="The columns of any other CSV, JSONL or Parquet, as in timestamp=ts:ms,input_tokens=in,output_tokens=out.",
)
@click.option("--skip-bad-rows", is_flag=True, help="Leave out rows of the trace that cannot be read, and count them.")
@click.option("--stream/--no-stream", default=True, help="Ask for a stream of events.  [default: stream]")
@click.option("--usage/--no-usage", default=True, help="Ask for token counts in the stream.  [default: usage]")
@click.option(
    "--ignore-eos/--no-ignore-eos",
    default=True,
    help="Ask for exactly the recorded output lengths; some servers refuse the field.  [default: ignore-eos]",
)
@transport_options
@click.option("--grace", default="30s", show_default=True, help="For open streams to end after Ctrl-C.")
@click.option("--keep-bodies", is_flag=True, help="Keep request bodies and response texts on the tape.")
@summary_options
@click.option("--ttft", metavar="DIST", help="Of the simulated server: 50ms, normal:50ms:5ms, …")
@click.option("--itl", metavar="DIST", help="Of the simulated server, likewise.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.pass_context
def replay(ctx: click.Context, /, **given: Any) -> None:
    """Replay TRACE against a server, stamp every token, write a tape and sum it up.

    TRACE is a recorded trace of any known format. Each request leaves when the trace says, divided by --speed;
    one that would be late is sent late and recorded as late.
    """
    ctx.exit(_run(given))


def _options(given: dict[str, Any]) -> "ReplayOptions":
    from ..errors import UserError
    from ..workloads.options import ReplayOptions
    from .common.duration_options import option_ns

    if (given["url"] is None) == (not given["simulate"]):
        raise UserError("say where to: either --url URL, or --simulate for the simulated server")
    _check_speed(given["speed"])
    simulator: list[str] = []
    for name in ("ttft", "itl"):
        if given[name] is not None:
            if given["url"] is not None:
                raise UserError(f"--{name} is the simulated server's; it goes with --simulate, not with --url")
            simulator += [f"--{name}", given[name]]
    form = given["prompt_form"]
    return ReplayOptions(
        url=given["url"],
        simulator=simulator,
        start_ns=option_ns(given, "start") if given["start"] else None,
        end_ns=option_ns(given, "end") if given["end"] else None,
        prompt_form=None if form is None else form.replace("-", "_"),
        think=given["think"] if given["think"] in ("recorded", "none") else option_ns(given, "think"),
        go_on_after_failure=given["on_failure"] == "continue",
        **transport_settings(given),
        **{
            name: given[name]
            for name in (
                "endpoint", "model", "speed", "limit", "sessions", "history", "workers", "tokenizer",
                "template", "response_fields", "framing",
                "seed", "cache_namespace", "trace_format", "trace_map", "skip_bad_rows",
                "stream", "usage", "ignore_eos", "keep_bodies",
            )
        },
    )  # fmt: skip


def _check_speed(text: str) -> None:
    from fractions import Fraction

    from ..errors import UserError

    try:
        factor = Fraction(text)
    except (ValueError, ZeroDivisionError):
        factor = Fraction(0)
    if factor <= 0:
        raise UserError(f"--speed is {text}; it must be a number above 0, as in 2 or 0.5")


def _out_for(trace: Path) -> Path:
    return Path(f"{trace.stem}-{time.strftime('%Y%m%d-%H%M%S')}.tape")


def _run(given: dict[str, Any]) -> int:
    """Replay, seal, sum up, print; returns the exit code."""
    from ... import traces
    from ..errors import UserError

    trace = given["trace"]
    if (trace is None) == (not given["sample"]):
        raise UserError("say what to replay: a TRACE file, or --sample for the one that comes with the program")
    options = _options(given)
    trace = trace or traces.sample_path()
    return run_replay(trace, given["out"] or _out_for(trace), options, given)


def run_replay(trace: Path, out: Path, options: "ReplayOptions", given: dict[str, Any]) -> int:
    """Replay a trace with progress, seal, sum up, print; returns the exit code.

    Args:
        trace: The trace.
        out: Where the tape will lie.
        options: How.
        given: Words of the command line: slos, max_failures, format_ and quiet.
    """
    from ..measure.slo import parse_slo
    from ..workloads.replay_run import replay as replay_trace
    from .common.watched_run import EXIT_INTERRUPTED, note, summed_up, watched

    slos = [parse_slo(slo) for slo in given["slos"]]
    command = ["tokentape", *sys.argv[1:]]
    tape = watched(
        out,
        given["quiet"],
        lambda show: replay_trace(trace, out, options, command=command, on_status=show, on_note=note),
    )
    if tape is None:
        return EXIT_INTERRUPTED
    summary = summed_up(tape, slos, given["max_failures"])
    print_summaries([summary], given["format_"])
    click.echo(f"the tape is {out}", err=True)
    return summary.verdict.exit_code
