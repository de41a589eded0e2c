"""Recovering a tape from the journal of a killed run."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from ..errors import UserError
from .journal import JOURNAL, lock_journal
from .manifest import read_manifest, write_manifest
from .read import Tape, open_tape
from .seal import seal_journal
from .writer import full


def recover(path: Path) -> Tape:
    """Seal the tape of a killed run from its journal, up to the last complete batch.

    The manifest then has `recovered` true, `dropped` (per table: bytes and rows of a partial last batch;
    rows are null if its header is partial too) and `unfinished_requests`: requests that had not ended, with
    events but without a row. A sealed tape is left unchanged, so a second recovery has no effect.

    Raises:
        UserError: Not a tape, or one without a journal.
        TapeFull: The disk is full; the journal is untouched.
    """
    manifest = read_manifest(path)
    journal = path / JOURNAL
    if manifest.get("sealed"):
        shutil.rmtree(journal, ignore_errors=True)  # the run was killed between the last two steps of sealing
        return open_tape(path)
    if not journal.is_dir():
        raise UserError(f"{path}: not sealed, and without a {JOURNAL} folder; it cannot be recovered")
    lock = lock_journal(path)
    if lock is None:
        raise UserError(f"{path}: its run is in progress; wait until it ends, or stop it first")
    manifest["recovered"] = True
    try:
        seal_journal(path, manifest)
        tape = open_tape(path)
        manifest["unfinished_requests"] = _unfinished(tape)
        write_manifest(path, manifest)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise full(path) from error
    finally:
        os.close(lock)
    return open_tape(path)


def _unfinished(tape: Tape) -> int:
    known = tape.read("requests", ["request_id"])["request_id"].to_numpy()
    seen = [
        pc.unique(batch["request_id"]).to_numpy(zero_copy_only=False) for batch in tape.event_batches(["request_id"])
    ]
    return len(np.setdiff1d(np.concatenate(seen), known)) if seen else 0
