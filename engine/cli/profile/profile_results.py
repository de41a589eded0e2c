"""Results of a profile: the summary in the tape, GenAI-Perf's files, plots, and tables on the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..common.summary_output import print_dialects, print_summaries

if TYPE_CHECKING:
    from ...measure.slo import Slo
    from ...tape.read import Tape
    from ...workloads.profile_run import Profiled


def check_dialect(name: str) -> None:
    """Refuse an unknown dialect before the run.

    Raises:
        UserError: The dialect is unknown.
    """
    from ...measure.dialects import DIALECTS

    if name != "tokentape" and name not in DIALECTS:
        raise UserError(f"--dialect {name!r} is not known; it is one of tokentape, {', '.join(DIALECTS)}")


def report_profile(profiled: "Profiled", given: dict[str, Any], artifacts: Path, slos: Sequence["Slo"]) -> int:
    """Summarize, export, draw and print the results, and return the exit code."""
    from ...measure.dialects import summary_in
    from ...measure.stability import unstable
    from ...report.summary_table import print_verdict
    from ..common.watched_run import summed_up

    tape = profiled.tape
    summary = summed_up(tape, slos, given["max_failures"])
    _export(profiled, given, artifacts, slos)
    if given["generate_plots"]:
        _draw(tape, artifacts / "plots", slos)
    if given["dialect"] == "tokentape":
        print_summaries([summary], given["format_"])
    else:
        print_dialects([summary_in(given["dialect"], [tape], slos)], given["format_"])
        if given["format_"] == "table":
            print_verdict(summary)
    why = unstable(tape, given["stability_percentage"] / 100)
    if why:
        _note(why)
    click.echo(f"the tape is {tape.path}", err=True)
    return summary.verdict.exit_code


def _export(profiled: "Profiled", given: dict[str, Any], artifacts: Path, slos: Sequence["Slo"]) -> None:
    from ...report.genai_perf import config_of, write_genai_perf

    name = given["profile_export_file"]
    config = config_of(profiled.tape, profile_export_name=name, goodput=given["goodput"])
    config["output"]["artifact_directory"] = str(artifacts)
    try:
        written = write_genai_perf(
            profiled.tape,
            artifacts,
            input_config=config,
            payloads=profiled.payloads(),
            profile_export_name=name,
            slos=slos,
        )
    except UserError as error:
        _note(f"GenAI-Perf's files could not be written: {error}")
        return
    if given["verbose"]:
        for file in written:
            _note(f"wrote {file}")


def _draw(tape: "Tape", directory: Path, slos: Sequence["Slo"]) -> None:
    from ...report.plots.draw import draw_plots

    try:
        drawn = draw_plots([tape], directory, slos=slos, on_note=_note)
    except UserError as error:
        _note(
            f"the plots could not be drawn: {error}. The tape is complete; to try again, run: tokentape plot "
            f"{tape.path}"
        )
        return
    click.echo(f"{len(drawn)} plots are in {directory}", err=True)


def _note(text: str) -> None:
    click.echo(f"note: {text}", err=True)
