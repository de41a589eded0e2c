"""``tokentape trace generate``: generate a trace from a model of the load."""

import sys
from pathlib import Path

import click

from ..common.grouped_command import GroupedCommand, GroupedOption
from .trace_options import format_option, option_ns, print_notes, write_trace


@click.command(
    cls=GroupedCommand,
    short_help="Generate a trace from a model of the load.",
    examples=[
        ("Generate an hour of traffic:", "tokentape trace generate model.json --duration 1h -o new.parquet"),
        (
            "Generate 10 minutes at 20 requests per second:",
            "tokentape trace generate model.json --duration 10m --rate 20 -o new.parquet",
        ),
        ("Generate from a folder of ServeGen:", "tokentape trace generate servegen --rate 20 -o new.parquet"),
    ],
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--output", "--out", "-o", "out", cls=GroupedOption, group="Options", required=True,
              metavar="OUT.parquet", type=click.Path(path_type=Path, dir_okay=False),
              help="File to write the trace to.")  # fmt: skip
@click.option("--duration", cls=GroupedOption, group="Options", default="1h", show_default=True, metavar="DURATION",
              help="Length of the trace, such as 10m or 1h. A shorter model is repeated.")  # fmt: skip
@click.option("--rate", cls=GroupedOption, group="Options", type=float, metavar="RPS",
              help="Mean rate in requests per second; all clients are scaled by one factor.  "
              "[default: the model's rate]")  # fmt: skip
@click.option("--start", cls=GroupedOption, group="Options", default="0", show_default=True, metavar="DURATION",
              help="Begin this long after the start of the model, such as 30m.")  # fmt: skip
@click.option("--seed", cls=GroupedOption, group="Options", type=click.IntRange(min=0), default=0, show_default=True,
              metavar="N", help="Seed of the random numbers. Another seed gives another trace.")  # fmt: skip
@format_option
def generate(model: Path, out: Path, duration: str, start: str, rate: float | None, seed: int, format_: str) -> None:
    """Generate a trace from MODEL, and print its statistics.

    MODEL is a file that `tokentape trace fit` wrote, or a folder of ServeGen's chunk-*-trace.csv files. The same model,
    options and seed give the same trace.
    """
    from ....traces.model import generate as generate_trace
    from ....traces.model import read_model
    from ....traces.stats import stats
    from .trace_table import print_stats, stats_json

    made = generate_trace(
        read_model(model),
        duration_ns=option_ns("duration", duration),
        start_ns=option_ns("start", start),
        rate_rps=rate,
        seed=seed,
    )
    write_trace(made, out)
    if format_ == "json":
        print_notes(made)
        click.echo(stats_json(stats(made)), nl=False)
    else:
        print_stats(stats(made), sys.stdout)
