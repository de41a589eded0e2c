"""Writing a tape: rows go to a journal during a run, and are sealed into Parquet at its end."""

import errno
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import UserError
from .errors import TapeFull
from .journal import JOURNAL, TABLES, JournalFile, JournalReader, journal_file, lock_journal
from .manifest import write_manifest
from .read import Tape, open_tape
from .schema import BLOCKS, BODIES, EVENTS_JOURNAL, PROBES, REQUESTS, SCHEMA_VERSION, conform
from .seal import TokenCounts, seal_journal


class TapeWriter:
    """Writer of one tape.

    Args:
        path: Directory of the tape, which must not exist or be empty.
        manifest: Manifest entries known before the run. `schema_version`, `tape_id`, `epoch_mono_ns`, `epoch_unix_ns`,
            `sealed`, `files` and `rows` are set by the writer.
        epoch_mono_ns: CLOCK_MONOTONIC at the tape's epoch, the zero of all times in the rows.
        epoch_unix_ns: Wall clock at that instant; None: derived from the clocks now.

    Raises:
        UserError: The path exists.
        TapeFull: From any call: the disk is full. The journal remains and can be recovered.
    """

    def __init__(
        self, path: Path, manifest: dict[str, Any], *, epoch_mono_ns: int, epoch_unix_ns: int | None = None
    ) -> None:
        self.path = path
        if epoch_unix_ns is None:
            epoch_unix_ns = time.time_ns() - (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - epoch_mono_ns)
        self.manifest = manifest | {
            "schema_version": SCHEMA_VERSION,
            "tape_id": str(uuid.uuid4()),
            "epoch_mono_ns": epoch_mono_ns,
            "epoch_unix_ns": epoch_unix_ns,
            "sealed": False,
        }
        self._journals: dict[str, JournalFile] = {}
        _claim(path)
        with self._disk():
            (path / JOURNAL).mkdir()
            self._lock = lock_journal(path)
            write_manifest(path, self.manifest)

    def requests(self, batch: pa.RecordBatch) -> None:
        """Add request rows with REQUESTS' columns; nullable columns and `started_at` may be omitted.

        `output_tokens` with `token_source` "events" is provisional until the tape is sealed.
        """
        self._append("requests", conform(batch, REQUESTS))

    def events(self, batch: pa.RecordBatch) -> None:
        """Add event rows from `events_batch`; a request's events must be in order."""
        if not batch.schema.equals(EVENTS_JOURNAL):
            raise ValueError(f"an events batch has the columns of events_batch(), not {batch.schema.names}")
        self._append("events", batch)

    def bodies(self, batch: pa.RecordBatch) -> None:
        """Add bodies: rows with BODIES' columns."""
        self._append("bodies", conform(batch, BODIES))

    def blocks(self, batch: pa.RecordBatch) -> None:
        """Add hashed blocks of prompts: rows with BLOCKS' columns."""
        self._append("blocks", conform(batch, BLOCKS))

    @property
    def journal_bytes(self) -> int:
        """Return the journal's size so far, in bytes."""
        return sum(journal.size for journal in self._journals.values())

    def probes(self, batch: pa.RecordBatch) -> None:
        """Add readings of time series: rows with PROBES' columns."""
        self._append("probes", conform(batch, PROBES))

    def texts(self) -> Iterator[tuple[NDArray[np.int64], list[str | None]]]:
        """Yield the response texts so far in batches of (request ids, texts), for counting before sealing."""
        if "bodies" not in self._journals:
            return
        for batch in JournalReader(journal_file(self.path, "bodies")):
            yield batch["request_id"].to_numpy(), batch["response_text"].to_pylist()

    def seal(self, *, counts: TokenCounts | None = None, keep_bodies: bool = True, **manifest_updates: Any) -> Tape:
        """Finish token counts, write the Parquet files and the manifest, and remove the journal.

        Args:
            counts: Counts by a tokenizer.
            keep_bodies: False: drop the bodies, which were kept only for counting.
            **manifest_updates: Manifest entries known only at the end.
        """
        with self._disk():
            for journal in self._journals.values():
                journal.close()
            sealed = dict(self.manifest | manifest_updates)
            torn = seal_journal(self.path, sealed, counts=counts, keep_bodies=keep_bodies)
            self.close()
        if torn:
            raise RuntimeError(f"{self.path}: the journal has a partial batch although its run did not crash: {torn}")
        self.manifest = sealed
        return open_tape(self.path)

    def close(self) -> None:
        """Close the journal without sealing it, so that it can be recovered. The writer cannot be used afterwards."""
        for journal in self._journals.values():
            journal.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _append(self, table: str, batch: pa.RecordBatch) -> None:
        with self._disk():
            if table not in self._journals:
                schema = TABLES[table]
                self._journals[table] = JournalFile(journal_file(self.path, table), schema)
            self._journals[table].append(batch)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise
            for journal in self._journals.values():
                journal.abandon()
            self.close()
            raise full(self.path, {t: j.rows for t, j in self._journals.items()}) from error


def full(path: Path, rows: dict[str, int] | None = None) -> TapeFull:
    """Return the error for a full disk: what was kept, and what to do."""
    kept = "" if rows is None else ", ".join(f"{count} rows of {table}" for table, count in rows.items())
    return TapeFull(
        f"{path}: the disk is full. The journal was kept{f' ({kept})' if kept else ''}; "
        f"free some space, then run: tokentape recover {path}"
    )


def _claim(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        taken = any(path.iterdir())
    except (FileExistsError, NotADirectoryError):
        file = next(place for place in (path, *path.parents) if place.exists())
        raise UserError(f"{path}: {file} is a file, not a folder; choose another path for the tape") from None
    except PermissionError:
        raise UserError(f"{path}: permission denied; choose a directory that you may write to") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be created: {error.strerror}; choose another path for the tape") from None
    if taken:
        raise UserError(f"{path}: exists and is not empty; choose another path for the tape, or remove it first")
