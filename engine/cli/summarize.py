"""``tokentape summarize``: compute metrics and a verdict from tapes."""

import sys
from pathlib import Path

import click

from ..measure.dialects import OURS
from .common.grouped_command import GroupedCommand
from .common.summary_output import dialect_option, print_in, print_legend, summary_options

EXAMPLES = [
    ("Summarize a tape, and check an objective:", "tokentape summarize run.tape --slo ttft:p99:300ms"),
    ("Explain each row of the table:", "tokentape summarize run.tape --explain"),
    ("Compute the numbers as vLLM's bench does:", "tokentape summarize run.tape --dialect vllm --format json"),
]


@click.command(cls=GroupedCommand, examples=EXAMPLES, short_help="Compute metrics and a verdict from each tape.")
@click.argument("tapes", nargs=-1, required=True, metavar="TAPE...", type=click.Path(path_type=Path))
@dialect_option
@click.option("--merge", is_flag=True, help="With --dialect: summarize all tapes as one run on several machines.")
@summary_options
@click.option("--explain", is_flag=True, help="After each table, print what each row means.")
def summarize(
    tapes: tuple[Path, ...],
    dialect: str,
    merge: bool,
    format_: str,
    slos: tuple[str, ...],
    max_failures: float,
    explain: bool,
) -> None:
    """Compute metrics and a verdict from the raw stamps of each tape.

    Exits with 0 if all verdicts are VALID or DEGRADED, 3 if one is INVALID, 4 if one tape has too many failures.
    """
    from ..errors import UserError
    from ..measure.slo import parse_slo
    from ..measure.summary import summarize as summarize_tape
    from ..tape.read import open_tape

    if merge and dialect == OURS:
        raise UserError(
            "--merge needs --dialect, such as --dialect genai-perf; tokentape's own summary covers one tape"
        )
    objectives = [parse_slo(slo) for slo in slos]
    opened = [open_tape(tape) for tape in tapes]
    summaries = [summarize_tape(tape, objectives, max_failures=max_failures) for tape in opened]
    if explain and (dialect != OURS or format_ != "table"):
        raise UserError("--explain describes the rows of tokentape's own table; leave out --dialect and --format")
    print_in(dialect, [opened] if merge else [[tape] for tape in opened], summaries, format_, objectives)
    if explain:
        print_legend(summaries[0])
    sys.exit(max(summary.verdict.exit_code for summary in summaries))
