"""``tokentape replay``: replay a trace and write a tape."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common.grouped_command import GroupedCommand
from .common.summary_output import print_summaries, summary_options
from .common.transport_options import transport_options, transport_settings

if TYPE_CHECKING:
    from ..workloads.options import ReplayOptions


EXAMPLES = (
    ("Replay the sample trace against the simulated server:", "tokentape replay --sample --simulate --speed 4"),
    (
        "Replay the first two minutes of a trace, four times as fast:",
        "tokentape replay conversation_trace.jsonl --url http://127.0.0.1:8000 --end 120s --speed 4 --out run.tape",
    ),
    (
        "Replay sessions, with each turn 2 s after the end of the turn before:",
        "tokentape replay sessions.parquet --url http://127.0.0.1:8000 --sessions closed --think 2s",
    ),
    (
        "Replay a file of no known format by naming its columns:",
        "tokentape replay log.csv --map timestamp=ts:ms,input_tokens=in,output_tokens=out --url http://127.0.0.1:8000",
    ),
)
GROUPS = {
    "Most used": ("url", "simulate", "out", "model", "speed"),
    "Trace": ("sample", "start", "end", "limit", "trace_format", "trace_map", "skip_bad_rows"),
    "Sessions": ("sessions", "think", "history", "on_failure"),
    "Requests": (
        "endpoint", "tokenizer", "prompt_form", "seed", "cache_namespace", "stream", "usage", "ignore_eos", "template",
        "response_fields", "framing",
    ),
    "Server": ("headers", "api_key_env", "api_key_file", "cacert", "insecure", "no_proxy", "connection_reuse"),
    "Timing": (
        "workers", "connect_timeout", "read_timeout", "grace", "preopen", "spin", "realtime", "kernel_stamps",
    ),
    "Results": ("slos", "format_", "max_failures", "keep_bodies", "quiet"),
    "Simulated server": ("ttft", "itl"),
}  # fmt: skip


@click.command(
    cls=GroupedCommand, groups=GROUPS, examples=EXAMPLES, short_help="Replay a trace against a server and write a tape."
)
@click.argument("trace", type=click.Path(path_type=Path), required=False)
@click.option(
    "--url",
    metavar="URL",
    help="URL of the server: its root, its base URL (…/v1), or the whole URL of the API; or unix:/PATH/OF.SOCKET. See "
    "docs/transport.md.",
)
@click.option("--simulate", is_flag=True, help="Start the simulated server and replay against it.")
@click.option("--sample", is_flag=True, help="Replay the sample trace that comes with the package.")
@click.option("--out", "-o", type=click.Path(path_type=Path), help="Tape to write.  [default: <trace>-<time>.tape]")
@click.option(
    "--endpoint",
    default="chat",
    show_default=True,
    help="API of the server: chat, completions, responses, messages, ollama_chat, tgi, template, … "
    "(docs/endpoints.md).",
)
@click.option(
    "--request-template",
    "template",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --endpoint template: Jinja2 template of a request's body.",
)
@click.option(
    "--response-field",
    "response_fields",
    multiple=True,
    metavar="ROLE=PATH",
    help="With --endpoint template: where a part of a response is, such as text=choices[].text. May be given several "
    "times.",
)
@click.option(
    "--stream-framing",
    "framing",
    type=click.Choice(["sse", "ndjson"]),
    default="sse",
    show_default=True,
    help="With --endpoint template: framing of streams, as server-sent events or as lines of JSON.",
)
@click.option("--model", "-m", help="Model to name in requests.  [default: the first that the server lists]")
@click.option(
    "--speed",
    default="1",
    show_default=True,
    help="Divide all times of the trace by this factor: 2 is twice as fast; 0.5 and 1/3 are slower.",
)
@click.option("--start", metavar="TIME", help="Skip requests before this time of the trace, such as 60s.")
@click.option("--end", metavar="TIME", help="Skip requests at or after this time of the trace, such as 120s.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Send only the first N requests.")
@click.option(
    "--sessions",
    type=click.Choice(["open", "closed", "hybrid"]),
    default="open",
    show_default=True,
    help="When later turns of a session are sent. open: at their recorded times; closed: a think time after the end "
    "of the turn before; hybrid: at the later of the two.",
)
@click.option(
    "--think",
    default="recorded",
    show_default=True,
    metavar="TIME",
    help="Think time between turns, with --sessions closed or hybrid: recorded, none, or a time such as 2s.",
)
@click.option(
    "--history",
    type=click.Choice(["recorded", "live"]),
    default="recorded",
    show_default=True,
    help="Prompts of later turns. recorded: prompts of the recorded lengths; live: prompts with the replies of "
    "this server.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["stop", "continue"]),
    default="stop",
    show_default=True,
    help="After a failed turn: stop its session, or still send the turns after it.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1, max=64),
    default=1,
    show_default=True,
    help="Number of processes that send. One process receives about ten thousand tokens per second.",
)
@click.option(
    "--tokenizer",
    metavar="NAME",
    help="Folder or hub name of the model's tokenizer. Makes prompt lengths exact, and counts tokens that the server "
    "does not count.",
)
@click.option("--prompt-form", type=click.Choice(["text", "token-ids"]), help="Form of prompts.  [default: text]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the prompts.")
@click.option(
    "--cache-namespace",
    type=click.Choice(["fresh", "shared"]),
    default="shared",
    show_default=True,
    help="fresh: prompts share no prefix with those of other runs, so that the server's prefix cache is cold.",
)
@click.option("--trace-format", metavar="NAME", help="Format of the trace.  [default: found by its content]")
@click.option(
    "--map",
    "trace_map",
    metavar="COLUMNS",
    help="Columns of a CSV, JSON Lines or Parquet file of no known format, such as "
    "timestamp=ts:ms,input_tokens=in,output_tokens=out.",
)
@click.option("--skip-bad-rows", is_flag=True, help="Skip rows of the trace that cannot be read, and count them.")
@click.option("--stream/--no-stream", default=True, help="Request streamed responses.  [default: stream]")
@click.option("--usage/--no-usage", default=True, help="Request token counts in streams.  [default: usage]")
@click.option(
    "--ignore-eos/--no-ignore-eos",
    default=True,
    help="Request exactly the recorded output lengths (ignore_eos). Some servers refuse the field.  [default: "
    "ignore-eos]",
)
@transport_options
@click.option(
    "--grace",
    default="30s",
    show_default=True,
    metavar="TIME",
    help="Time that open streams have to end after Ctrl-C.",
)
@click.option("--keep-bodies", is_flag=True, help="Keep request bodies and response texts on the tape.")
@summary_options
@click.option(
    "--ttft",
    metavar="DIST",
    help="Time to first token of the simulated server: a duration (50ms) or a distribution (normal:50ms:5ms).",
)
@click.option(
    "--itl",
    metavar="DIST",
    help="Time between two tokens of the simulated server: a duration (10ms) or a distribution (normal:10ms:1ms).",
)
@click.option("--quiet", "-q", is_flag=True, help="Do not show progress.")
@click.pass_context
def replay(ctx: click.Context, /, **given: Any) -> None:
    """Replay TRACE against a server, stamp every token, write a tape and print its summary.

    TRACE is a recorded trace of any known format (tokentape trace formats), or a tape. Each request is sent at its
    recorded time, divided by --speed. A request that cannot be sent on time is sent late and recorded as late.
    """
    ctx.exit(_run(given))


def _options(given: dict[str, Any]) -> "ReplayOptions":
    from ..errors import UserError
    from ..workloads.options import ReplayOptions
    from .common.duration_options import option_ns

    if (given["url"] is None) == (not given["simulate"]):
        raise UserError("name the server with --url URL, or use --simulate for the simulated server")
    _check_speed(given["speed"])
    simulator: list[str] = []
    for name in ("ttft", "itl"):
        if given[name] is not None:
            if given["url"] is not None:
                raise UserError(f"--{name} is for the simulated server; use --simulate instead of --url")
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
    """Replay a trace, print the summary, and return the exit code."""
    from ... import traces
    from ..errors import UserError

    trace = given["trace"]
    if (trace is None) == (not given["sample"]):
        raise UserError("name a TRACE file, or use --sample for the trace that comes with the package")
    options = _options(given)
    trace = trace or traces.sample_path()
    return run_replay(trace, given["out"] or _out_for(trace), options, given)


def run_replay(trace: Path, out: Path, options: "ReplayOptions", given: dict[str, Any]) -> int:
    """Replay a trace with progress, print the summary, and return the exit code.

    Args:
        trace: Path of the trace.
        out: Path of the new tape.
        options: Options of the replay.
        given: Values of the command line: slos, max_failures, format_ and quiet.
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
