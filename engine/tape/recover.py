"""Recovering: a run that was killed left a journal; it becomes a tape."""

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
    """Seals the tape of a killed run from its journal, up to the last batch that is whole.

    The manifest then has `recovered` true, `dropped` (per table: bytes and rows of a torn end, rows null
    where its head was torn too) and `unfinished_requests`: requests with events but without a row, for
    they had not ended. A sealed tape is left as it is, so recovering twice is the same as once.

    Raises:
        UserError: Not a tape, or one without a journal.
        TapeFull: The disk is full; the journal is untouched.
    """
    manifest = read_manifest(path)
    journal = path / JOURNAL
    if manifest.get("sealed"):
        shutil.rmtree(journal, ignore_errors=True)  # killed between the two last steps of sealing
        return open_tape(path)
    if not journal.is_dir():
        raise UserError(f"{path}: neither sealed nor has it a {JOURNAL} folder; there is nothing to recover from")
    lock = lock_journal(path)
    if lock is None:
        raise UserError(f"{path}: its run is still going; wait for its end, or stop it first")
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
