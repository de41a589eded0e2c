"""``tokentape export``: write GenAI-Perf's files from tapes."""

from pathlib import Path

import click

from .common.grouped_command import GroupedCommand

EXAMPLES = [("Write GenAI-Perf's files:", "tokentape export run.tape -o artifacts")]


@click.command(cls=GroupedCommand, examples=EXAMPLES, short_help="Write the files of GenAI-Perf from tapes.")
@click.argument("tapes", nargs=-1, required=True, metavar="TAPE...", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the files.  [default: a folder in artifacts, named as GenAI-Perf names it]",
)
@click.option(
    "--profile-export-file",
    default="profile_export.json",
    show_default=True,
    metavar="NAME",
    help="File name of the exported requests; two other names are derived from it.",
)
@click.option(
    "--goodput",
    "-g",
    "goodput",
    multiple=True,
    metavar="KEY:NUMBER",
    help="Objective for each request in GenAI-Perf's form, in ms: request_latency:500. May be given several times.",
)
def export(tapes: tuple[Path, ...], out: Path | None, profile_export_file: str, goodput: tuple[str, ...]) -> None:
    """Write GenAI-Perf's files from tapes: profile_export_genai_perf.csv and .json, profile_export.json, inputs.json.

    Several tapes are exported as one run on several machines, as GenAI-Perf's process-export-files does. Prints the
    paths of the files. Request bodies and response texts, and the file inputs.json, are written only if the tape was
    made with --keep-bodies.
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
        click.echo(
            "note: inputs.json is not written, because the tape has no bodies; make the tape with --keep-bodies",
            err=True,
        )
