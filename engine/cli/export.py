"""``tokentape export``: the files that GenAI-Perf's users know, made of a tape."""

from pathlib import Path

import click

from .common.grouped_command import GroupedCommand

EXAMPLES = [("Write GenAI-Perf's files:", "tokentape export run.tape -o artifacts")]


@click.command(cls=GroupedCommand, examples=EXAMPLES, short_help="Write GenAI-Perf's files of tapes.")
@click.argument("tapes", nargs=-1, required=True, metavar="TAPE...", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory.  [default: as GenAI-Perf names it, below artifacts]",
)
@click.option(
    "--profile-export-file",
    default="profile_export.json",
    show_default=True,
    metavar="NAME",
    help="The file of one entry per request; two others are named after it.",
)
@click.option(
    "--goodput",
    "-g",
    "goodput",
    multiple=True,
    metavar="KEY:NUMBER",
    help="An objective of each request, in GenAI-Perf's words: request_latency:500 (ms). May be given several times.",
)
def export(tapes: tuple[Path, ...], out: Path | None, profile_export_file: str, goodput: tuple[str, ...]) -> None:
    """Write GenAI-Perf's files of tapes: profile_export_genai_perf.csv and .json, profile_export.json, inputs.json.

    Several tapes are taken for one run on several machines, as GenAI-Perf's process-export-files does.
    Prints the files' paths. What was said, and with it inputs.json, is there if the tape was made with --keep-bodies.
    """
    from ..measure.dialects.goodput_words import parse_goodput
    from ..report.genai_perf import artifact_directory, config_of, write_genai_perf
    from ..tape.read import open_tape

    slos = [parse_goodput(word) for word in goodput]
    opened = [open_tape(tape) for tape in tapes]
    config = config_of(opened[0], profile_export_name=profile_export_file, goodput=goodput)
    if out is None:
        load = config["perf_analyzer"]["stimulus"]
        out = artifact_directory(config["model_names"], "openai", config["endpoint"]["type"], **load)
    config["output"]["artifact_directory"] = str(out)
    written = write_genai_perf(opened, out, input_config=config, profile_export_name=profile_export_file, slos=slos)
    for file in written:
        click.echo(file)
    if not any(tape.files("bodies") for tape in opened):
        click.echo("note: no inputs.json, since no bodies were kept; --keep-bodies keeps them", err=True)
