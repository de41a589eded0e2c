"""``tokentape trace fit``: fit a model of the load to a trace."""

from pathlib import Path

import click

from ..common.grouped_command import GroupedCommand, GroupedOption
from .trace_options import Reading, option_ns, print_notes, reading_options


@click.command(
    cls=GroupedCommand,
    short_help="Fit a model of the load to a trace.",
    examples=[
        ("Fit a model to a trace:", "tokentape trace fit trace.jsonl -o model.json"),
        ("Follow changes of the rate within minutes:", "tokentape trace fit trace.jsonl --window 60s -o model.json"),
        (
            "Generate an hour of traffic from the model:",
            "tokentape trace generate model.json --duration 1h -o new.parquet",
        ),
    ],
)
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--output", "--out", "-o", "out", cls=GroupedOption, group="Options", required=True, metavar="MODEL.json",
              type=click.Path(path_type=Path, dir_okay=False), help="File to write the model to.")  # fmt: skip
@click.option("--window", cls=GroupedOption, group="Options", default="600s", show_default=True, metavar="DURATION",
              help="Length of the time windows, such as 60s; the model has one rate per window. Shorter windows "
                  "follow changes of the "
              "rate more closely but hold fewer requests.")  # fmt: skip
@reading_options
def fit(trace: Path, out: Path, window: str, reading: Reading) -> None:
    """Fit a model of the load to TRACE. `tokentape trace generate` makes similar traces from the model.

    A session of 20 requests or more is one client; all other requests together are one more client. For each client
    and time window the model holds the recorded rate, the recorded lengths, and a Gamma or Weibull distribution of the
    gaps between arrivals with the recorded burstiness.
    """
    from ....traces.model import fit as fit_model
    from ....traces.model import write_model

    read = reading.read(trace)
    print_notes(read)
    model = fit_model(read, window_ns=option_ns("window", window))
    write_model(model, out)
    clients = "1 client" if len(model.clients) == 1 else f"{len(model.clients):,} clients"
    click.echo(f"{clients}, {model.span_s:,.0f} s, {model.rate_rps():,.2f} requests/s on average")
    click.echo(f"the model is {out}", err=True)
