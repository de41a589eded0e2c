"""``tokentape trace diff``: compare two traces, or a trace and the tape of its replay."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..common.grouped_command import GroupedCommand
from .trace_options import Reading, format_option, reading_options

if TYPE_CHECKING:
    from ...measure.fidelity.compare import Fidelity


@click.command(
    cls=GroupedCommand,
    short_help="Compare two traces, or a trace and the tape of its replay.",
    examples=[
        ("Check that a replay followed its trace:", "tokentape trace diff trace.jsonl run.tape"),
        ("Compare a generated trace with the recorded one:", "tokentape trace diff trace.jsonl generated.parquet"),
    ],
)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@format_option
@reading_options
def diff(a: Path, b: Path, format_: str, reading: Reading) -> None:
    """Print how much B differs from A. A and B are traces or tapes.

    If B is the tape of a replay of trace A, each request is compared with its planned one: lateness, order, lengths,
    prefix reuse. Otherwise the distributions are compared: gaps between arrivals, rates, burstiness, lengths.
    """
    from ...report.fidelity_table import print_fidelity
    from ...report.summary_export import fidelity_json

    found = _compared(a, b, reading)
    if format_ == "json":
        click.echo(fidelity_json(found, str(a), str(b)), nl=False)
    else:
        print_fidelity(found, ("A", "B"), sys.stdout)


def _compared(a: Path, b: Path, reading: Reading) -> "Fidelity":
    from ...measure.fidelity.unpaired import compare_samples, sample_of_tape
    from ...tape.manifest import MANIFEST
    from ...tape.read import open_tape
    from .trace_sides import replayed, sample_of_trace

    tapes = [open_tape(path) if (path / MANIFEST).is_file() else None for path in (a, b)]
    if tapes[0] is None and tapes[1] is not None:
        trace = reading.read(a)
        found = replayed(trace, tapes[1])
        if found is not None:
            return found
        click.echo(f"note: {b} was not replayed from {a}; they are compared as two traces", err=True)
        return compare_samples(sample_of_trace(trace), sample_of_tape(tapes[1]))
    first, second = (
        sample_of_trace(reading.read(path)) if tape is None else sample_of_tape(tape)
        for path, tape in zip((a, b), tapes, strict=True)
    )
    return compare_samples(first, second)
