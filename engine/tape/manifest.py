"""manifest.json: facts of the run, and the files of the tape."""

import json
import os
from pathlib import Path
from typing import Any, Final

from ..errors import UserError
from .schema import SCHEMA_VERSION

MANIFEST: Final = "manifest.json"


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Replace the manifest of the tape at `path` atomically: a reader sees the old or the new one."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    draft = path / (MANIFEST + ".new")
    # A path may contain bytes that are not UTF-8; JSON escapes can represent them.
    with draft.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path / MANIFEST)
    sync_directory(path)


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of the tape at `path`.

    Raises:
        UserError: The tape does not exist, its manifest is not a JSON object, or a newer version wrote it.
    """
    file = path / MANIFEST
    if not path.exists():
        raise UserError(f"{path}: no such tape")
    if not path.is_dir():
        raise UserError(f"{path}: not a tape; a tape is a directory that holds {MANIFEST}")
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not a tape; it holds no {MANIFEST}") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON ({error}); a manifest is one JSON object") from None
    if not isinstance(manifest, dict):
        raise UserError(f"{file}: one JSON object is expected, not a {type(manifest).__name__}")
    version = manifest.get("schema_version")
    if not isinstance(version, int):
        raise UserError(f"{file}: schema_version is {version!r}; a whole number is expected")
    if version > SCHEMA_VERSION:
        raise UserError(
            f"{path}: the tape has schema version {version}, this program reads up to {SCHEMA_VERSION}; "
            "upgrade tokentape"
        )
    return manifest


def sync_directory(path: Path) -> None:
    """Flush a directory, so that its file names survive a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
