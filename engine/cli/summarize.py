"""``tokentape summarize``: the metrics and the verdict of tapes."""

import sys
from pathlib import Path

import click

from .output import print_summaries, summary_options


@click.command()
@click.argument("tapes", nargs=-1, required=True, metavar="TAPE...", type=click.Path(path_type=Path))
@summary_options
def summarize(tapes: tuple[Path, ...], format_: str, slos: tuple[str, ...], max_failures: float) -> None:
    """Compute the metrics of tapes from their raw stamps, and the verdict on each.

    Exits with 0 if all are VALID or DEGRADED, 3 if one is INVALID, 4 if one has too many failures.
    """
    from ..measure.slo import parse_slo
    from ..measure.summary import summarize as summarize_tape
    from ..tape.read import open_tape

    objectives = [parse_slo(slo) for slo in slos]
    opened = [open_tape(tape) for tape in tapes]
    summaries = [summarize_tape(tape, objectives, max_failures=max_failures) for tape in opened]
    print_summaries(summaries, format_)
    sys.exit(max(summary.verdict.exit_code for summary in summaries))
