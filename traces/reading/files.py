"""Read the bytes of a trace file, compressed or not, and refuse files that cannot be traces."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..errors import TraceError
from .json_arrays import head_as_lines

HEAD_BYTES = 1 << 16
BOM = b"\xef\xbb\xbf"
PARQUET = b"PAR1"

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_UNREAD = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}


def read_head(path: Path) -> bytes:
    """Return the first 64 KiB of a file's content, without a byte order mark, after checking that it can be a trace.

    The elements of a JSON array come on lines of their own, as JSON Lines would have them.

    Raises:
        TraceError: The file does not exist, is not a regular file, or is empty, damaged or binary.
    """
    with opened(path) as file:
        return head_as_lines(checked_head(path, file.read(HEAD_BYTES)).removeprefix(BOM))


def read_whole(path: Path) -> tuple[bytes, str]:
    """Return the content of a file, checked and without a byte order mark, and the SHA-256 of its bytes in hex."""
    with opened(path) as file:
        data = checked_head(path, file.read())
        return data.removeprefix(BOM), file.digest()


class TraceFile:
    """An open trace file, decompressed as it is read."""

    def __init__(self, source: str, raw: IO[bytes]) -> None:
        self._source, self._raw = source, _Hashed(raw)
        magic = raw.read(8)
        raw.seek(0)
        for known, name in _UNREAD.items():
            if magic.startswith(known):
                raise TraceError(source, f"is compressed with {name}; gzip and zstd are read, decompress others first")
        self._stream: Any = self._raw
        if magic.startswith(_GZIP):
            self._stream = gzip.GzipFile(fileobj=self._raw)
        elif magic.startswith(_ZSTD):
            import pyarrow as pa

            self._stream = pa.CompressedInputStream(pa.PythonFile(self._raw, mode="r"), "zstd")

    def read(self, size: int = -1) -> bytes:
        """Return size bytes, fewer only at the end of the file; all remaining bytes if size is -1.

        Raises:
            TraceError: The file cannot be read, or its compressed data are damaged or cut off.
        """
        parts, left = [], size
        try:
            while left:
                part = self._stream.read(left) if left > 0 else self._stream.read()
                if not part:
                    break
                parts.append(part)
                left -= len(part) if left > 0 else 0
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise TraceError(self._source, f"has damaged or cut-off gzip data: {error}") from None
        except OSError as error:
            if self._stream is self._raw:
                raise TraceError(self._source, f"cannot be read: {error.strerror or error}") from None
            raise TraceError(self._source, f"has damaged or cut-off compressed data: {error}") from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def digest(self) -> str:
        """Return the SHA-256 in hex of the whole file as stored, before decompression."""
        while self._raw.read(1 << 20):
            pass
        return self._raw.sha256.hexdigest()


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed as they pass."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self.sha256 = raw, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self.sha256.update(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def opened(path: Path) -> Iterator[TraceFile]:
    """Open a trace file.

    Raises:
        TraceError: The file does not exist, is not a regular file, or has an unknown compression.
    """
    source = str(path)
    try:
        if path.is_dir():
            raise TraceError(source, "is a directory; a trace is a file")
        if path.exists() and not path.is_file():
            raise TraceError(source, "is a pipe or a device; save the trace as a file first")
        raw = path.open("rb", buffering=0)  # a buffer would copy what is read whole
    except FileNotFoundError:
        raise TraceError(source, "there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TraceError(source, f"cannot be read: {reason}") from None
    with raw:
        yield TraceFile(source, raw)


def checked_head(path: Path, data: bytes) -> bytes:
    """Return the beginning of a file unchanged, after checking that it can be a trace.

    Raises:
        TraceError: The file is empty or binary.
    """
    if not data:
        raise TraceError(str(path), "is empty; a trace has one record per request")
    if not data.startswith(PARQUET) and b"\0" in data[:HEAD_BYTES]:
        raise TraceError(str(path), "is a binary file; a trace is JSON, JSONL or CSV in UTF-8, or Parquet")
    return data
