"""``tokentape summarize``: the metrics and the verdict of tapes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..measure.dialects import DIALECTS, OURS
from .output import print_dialects, print_summaries, summary_options

if TYPE_CHECKING:
    from ..measure.verdict import Verdict


@click.command()
@click.argument("tapes", nargs=-1, required=True, metavar="TAPE...", type=click.Path(path_type=Path))
@click.option(
    "--dialect",
    type=click.Choice([OURS, *DIALECTS]),
    default=OURS,
    show_default=True,
    help="Compute and print as this tool does, with its definitions and names.",
)
@click.option("--merge", is_flag=True, help="With a dialect: take all tapes for one run on several machines.")
@summary_options
def summarize(
    tapes: tuple[Path, ...], dialect: str, merge: bool, format_: str, slos: tuple[str, ...], max_failures: float
) -> None:
    """Compute the metrics of tapes from their raw stamps, and the verdict on each.

    Exits with 0 if all are VALID or DEGRADED, 3 if one is INVALID, 4 if one has too many failures.
    """
    from ..errors import UserError
    from ..measure.dialects import summary_in
    from ..measure.slo import parse_slo
    from ..measure.summary import summarize as summarize_tape
    from ..tape.read import open_tape

    if merge and dialect == OURS:
        raise UserError(
            "--merge goes with a --dialect, as in --dialect genai-perf; tokentape's own summary is of one tape"
        )
    objectives = [parse_slo(slo) for slo in slos]
    opened = [open_tape(tape) for tape in tapes]
    if dialect != OURS:
        runs = [opened] if merge else [[tape] for tape in opened]
        print_dialects([summary_in(dialect, run, objectives) for run in runs], format_)
    summaries = [summarize_tape(tape, objectives, max_failures=max_failures) for tape in opened]
    if dialect == OURS:
        print_summaries(summaries, format_)
    else:
        for tape, summary in zip(tapes, summaries, strict=True):
            _tell(tape, summary.verdict)
    sys.exit(max(summary.verdict.exit_code for summary in summaries))


def _tell(tape: Path, verdict: "Verdict") -> None:
    """What another tool's table does not say: whether the numbers can be trusted."""
    reasons = "; ".join(reason.text for reason in verdict.reasons)
    click.echo(f"{tape}: {verdict.state}{f': {reasons}' if reasons else ''}", err=True)
