"""manifest.json: what ran, and which files make the tape."""

import json
import os
from pathlib import Path
from typing import Any, Final

from ..errors import UserError
from .schema import SCHEMA_VERSION

MANIFEST: Final = "manifest.json"


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Replaces the manifest of the tape at `path` in one step: a reader sees the old or the new one."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    draft = path / (MANIFEST + ".new")
    # A path may hold bytes that are no UTF-8: JSON's own escapes carry them.
    with draft.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path / MANIFEST)
    sync_directory(path)


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of the tape at `path`.

    Raises:
        UserError: There is no tape, its manifest is no JSON object, or a newer version wrote it.
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
    """Makes the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
