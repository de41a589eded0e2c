"""``tokentape trace generate``: a trace from a model."""

import sys
from pathlib import Path

import click

from .trace_options import format_option, option_ns, say_notes, write_trace


@click.command(short_help="Generate a trace from a model of the load.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--output", "--out", "-o", "out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              metavar="OUT.parquet", help="The trace to write.")  # fmt: skip
@click.option("--duration", default="1h", show_default=True, help="Of the trace; the model repeats as needed.")
@click.option("--start", default="0", show_default=True, help="Where in the model's time to begin.")
@click.option("--rate", type=float, metavar="RPS", help="Scale all clients to this mean rate.  [default: the model's]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides all draws.")
@format_option
def generate(model: Path, out: Path, duration: str, start: str, rate: float | None, seed: int, format_: str) -> None:
    """Generate a trace from MODEL: what `trace fit` wrote, or a folder of ServeGen's chunk-*-trace.csv files.

    The same model, options and seed make the same trace.
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
        say_notes(made)
        click.echo(stats_json(stats(made)), nl=False)
    else:
        print_stats(stats(made), sys.stdout)
