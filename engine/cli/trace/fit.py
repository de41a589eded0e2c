"""``tokentape trace fit``: the model of a trace's load."""

from pathlib import Path

import click

from .trace_options import Reading, option_ns, reading_options, say_notes


@click.command(short_help="Fit a model of the load to a trace.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--output", "--out", "-o", "out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              metavar="MODEL.json", help="The model to write.")  # fmt: skip
@click.option("--window", default="600s", show_default=True, help="The time for which a rate holds.")
@reading_options
def fit(trace: Path, out: Path, window: str, reading: Reading) -> None:
    """Fit a model of the load to TRACE, to generate traces like it.

    Each client (a session of 20 requests or more; all others together are one) has, for each window of time, a renewal
    process of Gamma or Weibull gaps with the recorded rate and burstiness, and the recorded lengths.
    """
    from ....traces.model import fit as fit_model
    from ....traces.model import write_model

    read = reading.read(trace)
    say_notes(read)
    model = fit_model(read, window_ns=option_ns("window", window))
    write_model(model, out)
    clients = "1 client" if len(model.clients) == 1 else f"{len(model.clients):,} clients"
    click.echo(f"{clients}, {model.span_s:,.0f} s, {model.rate_rps():,.2f} requests/s on average")
    click.echo(f"the model is {out}", err=True)
