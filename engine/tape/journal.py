"""The journal: Arrow IPC streams, one per table, that grow during a run.

A completely written batch can be read back even if the process is killed afterwards. A killed run
loses only what was not yet written and a partially written last batch.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

import pyarrow as pa

from .schema import BLOCKS, BODIES, DERIVED, EVENTS_JOURNAL, PROBES, REQUESTS

JOURNAL: Final = "journal"


def _requests_journal() -> pa.Schema:
    return pa.schema([f.with_nullable(True) if f.name in DERIVED else f for f in REQUESTS])


TABLES: Final = {
    "requests": _requests_journal(),
    "events": EVENTS_JOURNAL,
    "bodies": BODIES,
    "blocks": BLOCKS,
    "probes": PROBES,
}
"""Tables of the journal and their columns during a run."""


def journal_file(path: Path, table: str) -> Path:
    """Return the path of a table's journal in the tape at `path`."""
    return path / JOURNAL / f"{table}.arrows"


def lock_journal(path: Path) -> int | None:
    """Lock the journal of the tape at `path`; return None if its run is still in progress.

    The kernel releases the lock when the process ends, so a killed run leaves no lock.

    Returns:
        A descriptor that holds the lock until it is closed.
    """
    descriptor = os.open(path / JOURNAL, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


class JournalFile:
    """An append-only stream of record batches of one table.

    Raises:
        OSError: From any call; an error of the file system (ENOSPC: the disk is full).
    """

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._file = FileIO(file, "xb")
        self._buffered = _Whole(self._file)
        self._stream = pa.ipc.new_stream(pa.PythonFile(self._buffered, mode="w"), schema)

    @property
    def size(self) -> int:
        """Number of rows written so far."""
        return self._buffered.size

    def append(self, batch: pa.RecordBatch) -> None:
        """Write a batch to the kernel. It survives a crash of this process, not of the machine."""
        self._stream.write_batch(batch)
        self._buffered.push()
        self.rows += batch.num_rows

    def close(self) -> None:
        """Write the end mark and close the file; further calls have no effect."""
        if self._file.closed:
            return
        try:
            self._stream.close()
            self._buffered.push()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close the file as it is, for a full disk."""
        self._buffered.pieces.clear()
        self._file.close()


class _Whole:
    """Buffer that collects the small writes of an IPC message, so that a batch takes few system calls."""

    closed = False

    def __init__(self, file: FileIO) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self._file = file

    def write(self, data: bytes) -> int:
        self.pieces.append(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: the journal flushes each message itself."""

    def push(self) -> None:
        pending, self.pieces = memoryview(b"".join(self.pieces)), []
        self.size += len(pending)
        while pending:
            pending = pending[self._file.write(pending) :]


@dataclass
class Dropped:
    """A partially written end of a journal: its bytes, and its batch's number of rows (None: unreadable)."""

    bytes: int
    rows: int | None


class JournalReader:
    """Reader of the complete batches of a journal that may end anywhere.

    After the iteration `rows` is the number of rows read and `dropped` describes a partial last batch.
    """

    def __init__(self, file: Path) -> None:
        self.rows = 0
        self.dropped: Dropped | None = None
        self._file = file

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches in the order in which they were written."""
        size = self._file.stat().st_size
        if size == 0:
            return
        with pa.OSFile(str(self._file)) as source:
            good = 0
            try:
                stream = pa.ipc.open_stream(source)
                good = source.tell()
                while True:
                    batch = stream.read_next_batch()
                    batch.validate()
                    good = source.tell()
                    self.rows += batch.num_rows
                    yield batch
            except StopIteration:
                good = source.tell()
            except (pa.ArrowInvalid, OSError, MemoryError):  # a damaged header may hold any length
                pass
            if good < size:
                self._tell_torn(source, good, size)

    def _tell_torn(self, source: pa.NativeFile, good: int, size: int) -> None:
        source.seek(good)
        tail = source.read(size - good)
        self.dropped = Dropped(size - good, self._announced_rows(tail) if good else None)

    def _announced_rows(self, tail: bytes) -> int | None:
        """Return the row count in the header of a partial batch, which is padded so that it can be parsed."""
        table = self._file.stem
        missing = 1 << 12
        while missing <= 1 << 28:
            try:
                message = pa.ipc.read_message(pa.BufferReader(tail + bytes(missing)))
                return int(pa.ipc.read_record_batch(message, TABLES[table]).num_rows)
            except (pa.ArrowInvalid, OSError, EOFError):
                missing <<= 2
        return None
