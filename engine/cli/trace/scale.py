"""``tokentape trace scale``: change the rate, times or selection of a trace, and compare before and after."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..common.grouped_command import GroupedCommand, GroupedOption
from .trace_options import Reading, format_option, option_ns, reading_options, write_trace

if TYPE_CHECKING:
    from ....traces.table import Trace


_MOST_USED, _SELECT, _GROW, _TIMES = "Most used", "Selecting requests", "Adding requests", "Changing times"


@click.command(
    cls=GroupedCommand,
    short_help="Change the rate, times or selection of a trace.",
    examples=[
        ("Keep about 2 requests per second:", "tokentape trace scale trace.jsonl --rate 2 -o out.parquet"),
        ("Cut out ten minutes:", "tokentape trace scale trace.jsonl --window 10m:20m -o out.parquet"),
        (
            "Undo coarse timestamps and run at twice the speed:",
            "tokentape trace scale trace.jsonl --dequantize uniform --speed 2 -o out.parquet",
        ),
    ],
)
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--output", "--out", "-o", "out", cls=GroupedOption, group=_MOST_USED, required=True,
              metavar="OUT.parquet", type=click.Path(path_type=Path, dir_okay=False),
              help="File to write the new trace to.")  # fmt: skip
@click.option("--rate", cls=GroupedOption, group=_MOST_USED, type=float, metavar="RPS",
              help="Keep or copy whole sessions to reach about this mean rate in requests per second. Times within a "
              "session stay as they are.")  # fmt: skip
@click.option("--speed", cls=GroupedOption, group=_MOST_USED, metavar="FACTOR",
              help="Divide all times by this factor: 2 is twice as fast, think times included.")  # fmt: skip
@click.option("--window", cls=GroupedOption, group=_MOST_USED, metavar="FROM:TO",
              help="Keep only requests that arrive in this part of the trace, such as 600s:1200s. Leave out FROM or TO "
              "for the start or end.")  # fmt: skip
@click.option("--limit", cls=GroupedOption, group=_MOST_USED, type=click.IntRange(min=1), metavar="N",
              help="Keep only the first N requests.")  # fmt: skip
@click.option("--model", cls=GroupedOption, group=_SELECT, metavar="PATTERN",
              help="Keep only requests to models whose name matches; * and ? are wildcards.")  # fmt: skip
@click.option("--session", cls=GroupedOption, group=_SELECT, metavar="PATTERN",
              help="Keep only sessions whose name matches; * and ? are wildcards.")  # fmt: skip
@click.option("--input-tokens", cls=GroupedOption, group=_SELECT, metavar="MIN:MAX",
              help="Keep only requests with a prompt of MIN to MAX tokens, such as 100:2000, 100: or :2000."
              )  # fmt: skip
@click.option("--output-tokens", cls=GroupedOption, group=_SELECT, metavar="MIN:MAX",
              help="Keep only requests with an output of MIN to MAX tokens, such as 100:2000, 100: or :2000."
              )  # fmt: skip
@click.option("--thin", cls=GroupedOption, group=_SELECT, type=float, metavar="SHARE",
              help="Keep each session with this probability, such as 0.5.")  # fmt: skip
@click.option("--merge", "others", cls=GroupedOption, group=_GROW, multiple=True, type=click.Path(path_type=Path),
              metavar="TRACE", help="Add another trace that starts at the same time, with separate sessions and "
                  "prefix blocks. "
              "May be repeated.")  # fmt: skip
@click.option("--multiply", cls=GroupedOption, group=_GROW, type=int, metavar="N",
              help="Send each session N times. Copies start up to 10 minutes later and have separate prefix blocks."
              )  # fmt: skip
@click.option("--loop", cls=GroupedOption, group=_GROW, type=int, metavar="N",
              help="Repeat the whole trace N times, one after another.")  # fmt: skip
@click.option("--cache-namespace", cls=GroupedOption, group=_GROW, type=click.Choice(["same", "new"]), default="same",
              show_default=True, help="With --loop: whether each repetition has the same prefix blocks (the cache "
              "stays warm) or new ones.")  # fmt: skip
@click.option("--dequantize", cls=GroupedOption, group=_TIMES, type=click.Choice(["uniform", "even"]),
              help="Spread requests that share a coarse timestamp over its step: at random (uniform) or at equal "
              "distances (even).")  # fmt: skip
@click.option("--idle-cap", cls=GroupedOption, group=_TIMES, metavar="DURATION",
              help="Shorten think times and gaps without arrivals to at most this, such as 60s.")  # fmt: skip
@click.option("--seed", cls=GroupedOption, group="Options", type=click.IntRange(min=0), default=0, show_default=True,
              metavar="N", help="Seed of the random numbers. Another seed gives another trace.")  # fmt: skip
@format_option
@reading_options
def scale(trace: Path, out: Path, format_: str, reading: Reading, **given: Any) -> None:
    """Write a changed copy of TRACE, and print the statistics before and after.

    --speed makes each user faster; --rate changes the number of users, and keeps the times within each session. The
    options always apply in this order: merge, dequantize, model, session, input and output tokens, window, limit, idle
    cap, speed, rate (or thin, or multiply), loop.
    """
    from ....traces.stats import stats
    from .trace_table import print_before_and_after, stats_json

    before = reading.read(trace)
    others = [reading.read(other) for other in given.pop("others")]
    after = _scaled(before, others, given)
    write_trace(after, out)
    looks = stats(before), stats(after)
    if format_ == "json":
        click.echo(stats_json(*looks), nl=False)
    else:
        print_before_and_after(*looks, sys.stdout)


def _scaled(made: "Trace", others: "list[Trace]", given: dict[str, Any]) -> "Trace":
    from ....traces import transform
    from ...errors import UserError

    wanted = [name for name in ("rate", "thin", "multiply") if given[name] is not None]
    if len(wanted) > 1:
        raise UserError(
            f"--{wanted[0]} and --{wanted[1]} cannot be combined; --rate alone leaves out or copies sessions as needed"
        )
    seed = given["seed"]
    if others:
        made = transform.merge([made, *others])
    if given["dequantize"]:
        made = transform.dequantize(made, given["dequantize"], seed=seed)
    if any(given[name] for name in ("model", "session", "input_tokens", "output_tokens")):
        made = transform.select(
            made,
            model=given["model"],
            session=given["session"],
            input_tokens=_bounds(given, "input_tokens", _tokens),
            output_tokens=_bounds(given, "output_tokens", _tokens),
        )
    if given["window"]:
        start, end = _bounds(given, "window", option_ns)
        made = transform.window(made, start or 0, end)
    if given["limit"]:
        made = transform.limit(made, given["limit"])
    if given["idle_cap"]:
        made = transform.idle_cap(made, option_ns("idle_cap", given["idle_cap"]))
    if given["speed"]:
        made = transform.speed(made, given["speed"])
    for name in wanted:
        made = getattr(transform, name)(made, given[name], seed=seed)
    if given["loop"] is not None:
        made = transform.loop(made, given["loop"], namespace=given["cache_namespace"])
    if not made.transforms:
        raise UserError("nothing to change: give at least one of --rate, --speed, --window, --limit, …; see --help")
    return made


def _bounds(given: dict[str, Any], name: str, parse: Any) -> tuple[int | None, int | None]:
    from ...errors import UserError

    if not given[name]:
        return None, None
    low, colon, high = given[name].partition(":")
    if not colon:
        wanted = "600s:1200s" if name == "window" else "100:2000"
        raise UserError(
            f"--{name.replace('_', '-')} is {given[name]!r}; write two values with a colon, as in {wanted}; one "
            f"of them may be left out"
        )
    return parse(name, low) if low else None, parse(name, high) if high else None


def _tokens(name: str, text: str) -> int:
    from ...errors import UserError

    if not (text.isascii() and text.isdigit()):
        raise UserError(f"--{name.replace('_', '-')}: {text!r} is not a number of tokens")
    return int(text)
