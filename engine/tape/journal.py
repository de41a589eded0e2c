"""The journal: Arrow IPC streams that grow while a run lasts, one per table.

A batch that was written whole can be read back whatever happens to the process afterwards, so a
killed run loses what it had not handed over, and a torn last batch, and nothing else.
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
"""The journal's tables and the columns that they have while a run lasts."""


def journal_file(path: Path, table: str) -> Path:
    """Return where the journal of a table lies in the tape at `path`."""
    return path / JOURNAL / f"{table}.arrows"


def lock_journal(path: Path) -> int | None:
    """Takes the journal of the tape at `path` for this process; None where its run is still going.

    The kernel frees the lock with the process, so a killed run leaves none.

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
    """One append-only stream of record batches of one table.

    Raises:
        OSError: From any call, as the file system says it (ENOSPC: the disk is full).
    """

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._file = FileIO(file, "xb")
        self._buffered = _Whole(self._file)
        self._stream = pa.ipc.new_stream(pa.PythonFile(self._buffered, mode="w"), schema)

    @property
    def size(self) -> int:
        """Written so far."""
        return self._buffered.size

    def append(self, batch: pa.RecordBatch) -> None:
        """Hands a batch to the kernel: it survives the death of this process, not of the machine."""
        self._stream.write_batch(batch)
        self._buffered.push()
        self.rows += batch.num_rows

    def close(self) -> None:
        """Writes the end mark and closes the file; closing twice is allowed."""
        if self._file.closed:
            return
        try:
            self._stream.close()
            self._buffered.push()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Closes the file as it is: the disk took no more."""
        self._buffered.pieces.clear()
        self._file.close()


class _Whole:
    """Collects the small writes of one IPC message, so that a batch is one system call or few."""

    closed = False

    def __init__(self, file: FileIO) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self._file = file

    def write(self, data: bytes) -> int:
        self.pieces.append(data)
        return len(data)

    def flush(self) -> None:
        """Nothing: what is written is pushed by the journal, message by message."""

    def push(self) -> None:
        pending, self.pieces = memoryview(b"".join(self.pieces)), []
        self.size += len(pending)
        while pending:
            pending = pending[self._file.write(pending) :]


@dataclass
class Dropped:
    """A torn end of a journal: its bytes, and the rows that its batch had announced (None: unreadable)."""

    bytes: int
    rows: int | None


class JournalReader:
    """Reads the whole batches of a journal that may end anywhere.

    After the iteration `rows` counts what was read and `dropped` tells of a torn end.
    """

    def __init__(self, file: Path) -> None:
        self.rows = 0
        self.dropped: Dropped | None = None
        self._file = file

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches in the order of their writing."""
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
            except (pa.ArrowInvalid, OSError, MemoryError):  # a torn head may announce any length
                pass
            if good < size:
                self._tell_torn(source, good, size)

    def _tell_torn(self, source: pa.NativeFile, good: int, size: int) -> None:
        source.seek(good)
        tail = source.read(size - good)
        self.dropped = Dropped(size - good, self._announced_rows(tail) if good else None)

    def _announced_rows(self, tail: bytes) -> int | None:
        """The row count in the head of a torn batch, read by giving it the bytes that it lacks."""
        table = self._file.stem
        missing = 1 << 12
        while missing <= 1 << 28:
            try:
                message = pa.ipc.read_message(pa.BufferReader(tail + bytes(missing)))
                return int(pa.ipc.read_record_batch(message, TABLES[table]).num_rows)
            except (pa.ArrowInvalid, OSError, EOFError):
                missing <<= 2
        return None
