"""``tokentape recover``: make a tape from the journal of a run that was killed."""

from pathlib import Path

import click

from .common.grouped_command import GroupedCommand

EXAMPLES = [("Seal the tape of a run that was killed:", "tokentape recover run.tape")]


@click.command(cls=GroupedCommand, examples=EXAMPLES, short_help="Seal the tape of a run that was killed.")
@click.argument("tape", type=click.Path(path_type=Path))
def recover(tape: Path) -> None:
    """Seal the tape of a run that was killed, up to the last complete batch.

    A tape that is already sealed is not changed.
    """
    from ..tape.manifest import read_manifest
    from ..tape.recover import recover as recover_tape

    if read_manifest(tape).get("sealed"):
        recover_tape(tape)
        click.echo(f"{tape} is sealed; there was nothing to recover", err=True)
        return
    manifest = recover_tape(tape).manifest
    for table, torn in manifest.get("dropped", {}).items():
        rows = "an unknown number of" if torn["rows"] is None else f"{torn['rows']:,}"
        click.echo(f"Dropped an incomplete batch of {table}: {rows} rows, {torn['bytes']:,} bytes", err=True)
    unfinished = manifest["unfinished_requests"]
    if unfinished:
        click.echo(f"{unfinished:,} requests had not ended: the tape has their events, but no rows for them", err=True)
    rows = manifest["rows"]
    click.echo(f"Recovered {rows['requests']:,} requests and {rows['events']:,} events of {tape}")
