"""``tokentape trace scale``: a trace made from a trace, with what became of its look."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .trace_options import Reading, format_option, option_ns, reading_options, write_trace

if TYPE_CHECKING:
    from ....traces.table import Trace


@click.command(short_help="Make another trace of one, and compare the two.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--output", "--out", "-o", "out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              metavar="OUT.parquet", help="The trace to write.")  # fmt: skip
@click.option("--merge", "others", multiple=True, type=click.Path(path_type=Path), metavar="TRACE",
              help="Another trace beside it, with sessions and blocks of its own; may be repeated.")  # fmt: skip
@click.option("--dequantize", type=click.Choice(["uniform", "even"]),
              help="Spread requests that share a coarse timestamp over its step.")  # fmt: skip
@click.option("--model", metavar="PATTERN", help="Only requests to models of this name; * and ? stand for others.")
@click.option("--session", metavar="PATTERN", help="Likewise for sessions.")
@click.option("--input-tokens", metavar="MIN:MAX", help="Only prompts of so many tokens; either may be left out.")
@click.option("--output-tokens", metavar="MIN:MAX", help="Likewise for outputs.")
@click.option("--window", metavar="FROM:TO", help="Only what arrives in it, as in 600s:1200s; either may be left out.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N requests.")
@click.option("--idle-cap", metavar="TIME", help="Cut think times and gaps without any arrival to this.")
@click.option("--speed", metavar="FACTOR", help="Divide all times by this.")
@click.option("--rate", type=float, metavar="RPS", help="Thin or multiply sessions to about so many requests per s.")
@click.option("--thin", type=float, metavar="SHARE", help="Keep each session with this probability.")
@click.option("--multiply", type=int, metavar="N", help="Each session N times, with fresh blocks, at other times.")
@click.option("--loop", type=int, metavar="N", help="The trace N times, one after the other.")
@click.option("--cache-namespace", type=click.Choice(["same", "new"]), default="same", show_default=True,
              help="Block ids of each round of --loop: the same, or its own.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides all draws.")
@format_option
@reading_options
def scale(trace: Path, out: Path, format_: str, reading: Reading, **given: Any) -> None:
    """Make a trace from TRACE and print its look before and after.

    Options apply in the order in which they stand below, whatever their order on the command line. Speed and rate are
    different knobs: --speed hastens the users, --rate makes them fewer or more and leaves all times as they are.
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
        raise UserError(f"--{wanted[0]} and --{wanted[1]} do not go together; --rate thins and multiplies as needed")
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
        raise UserError("say what to make of the trace: --rate, --thin, --window, --loop, …; see --help")
    return made


def _bounds(given: dict[str, Any], name: str, parse: Any) -> tuple[int | None, int | None]:
    from ...errors import UserError

    if not given[name]:
        return None, None
    low, colon, high = given[name].partition(":")
    if not colon:
        wanted = "600s:1200s" if name == "window" else "100:2000"
        raise UserError(f"--{name.replace('_', '-')} is {given[name]!r}; write both ends, as in {wanted}, or one")
    return parse(name, low) if low else None, parse(name, high) if high else None


def _tokens(name: str, text: str) -> int:
    from ...errors import UserError

    if not (text.isascii() and text.isdigit()):
        raise UserError(f"--{name.replace('_', '-')}: {text!r} is not a number of tokens")
    return int(text)
