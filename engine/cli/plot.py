"""``tokentape plot``: draw plots of tapes."""

from pathlib import Path

import click

from .common.grouped_command import GroupedCommand

EXAMPLES = [
    ("Draw all plots of a tape:", "tokentape plot run.tape"),
    ("Overlay two tapes, as SVG:", "tokentape plot old.tape new.tape -o pictures --format svg"),
    ("Draw one plot only:", "tokentape plot run.tape --only timeline"),
]


@click.command(
    cls=GroupedCommand, examples=EXAMPLES, short_help="Draw plots of tapes: latencies, throughput, the timeline, …"
)
@click.argument("tapes", nargs=-1, required=True, metavar="TAPE...", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "--out",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the files.  [default: TAPE/plots; for several tapes: plots]",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["png", "svg", "both"]),
    default="png",
    show_default=True,
    help="Format of the files.",
)
@click.option("--only", multiple=True, metavar="NAME", help="Draw only this plot. May be given several times.")
@click.option(
    "--slo",
    "slos",
    multiple=True,
    metavar="METRIC:LIMIT",
    help="Objective for each request, such as ttft:300ms, for the goodput over time. May be given several times.",
)
def plot(
    tapes: tuple[Path, ...], directory: Path | None, format_: str, only: tuple[str, ...], slos: tuple[str, ...]
) -> None:
    """Draw plots of tapes: latencies, lengths, throughput, the timeline, lateness, goodput.

    Up to six tapes are drawn over or below each other. Prints the names of the files. Plots for which a tape has no
    data are left out, with a note. The plots, in their order: input_output_lengths, request_latency,
    time_to_first_token, token_latency_by_position, ttft_by_input_length, timeline, throughput, latency_cdf, lateness,
    itl_by_position, goodput.
    """
    from ..errors import UserError
    from ..measure.slo import parse_slo
    from ..report.plots import FORMATS, draw_plots
    from ..tape.read import open_tape

    objectives = [parse_slo(slo) for slo in slos]
    for slo in objectives:
        if slo.statistic is not None:
            text = f"{slo.metric}:{slo.limit_ns / 1e6:g}ms"
            raise UserError(f"--slo {slo.text}: a plot shows only objectives for each request; write {text}")
    files = draw_plots(
        [open_tape(tape) for tape in tapes],
        directory or (tapes[0] / "plots" if len(tapes) == 1 else Path("plots")),
        formats=FORMATS if format_ == "both" else (format_,),
        only=only or None,
        slos=objectives,
        on_note=lambda note: click.echo(f"note: {note}", err=True),
    )
    for file in files:
        click.echo(str(file))
