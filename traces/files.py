"""Bringing a trace file's bytes in, and telling at once what cannot be one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .errors import TraceError

HEAD_BYTES = 1 << 16
BOM = b"\xef\xbb\xbf"
PARQUET = b"PAR1"

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"PK\x03\x04": "zip",
}


def read_head(path: Path) -> bytes:
    """The file's first 64 KiB, without a byte order mark, once it is clear that it can be a trace.

    Raises:
        TraceError: There is no such file, or it is no regular file, empty, compressed or binary.
    """
    return _checked(path, HEAD_BYTES).removeprefix(BOM)


def read_whole(path: Path) -> tuple[bytes, str]:
    """The whole file, checked likewise, without a byte order mark, and the SHA-256 in hex of its bytes."""
    data = _checked(path, -1)
    return data.removeprefix(BOM), hashlib.sha256(data).hexdigest()


def _checked(path: Path, size: int) -> bytes:
    source = str(path)
    try:
        if path.is_dir():
            raise TraceError(source, "is a directory; a trace is a file")
        if path.exists() and not path.is_file():
            raise TraceError(source, "is a pipe or a device; save the trace as a file first")
        with path.open("rb") as file:
            data = file.read(size)
    except FileNotFoundError:
        raise TraceError(source, "there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TraceError(source, f"cannot be read: {reason}") from None
    if not data:
        raise TraceError(source, "is empty; a trace has one record per request")
    for magic, name in _COMPRESSED.items():
        if data.startswith(magic):
            raise TraceError(source, f"is compressed with {name}; decompress it first")
    if data.startswith(PARQUET):
        return data
    if b"\0" in data[:HEAD_BYTES]:
        raise TraceError(source, "is a binary file; a trace is JSONL or CSV in UTF-8, or Parquet")
    return data
