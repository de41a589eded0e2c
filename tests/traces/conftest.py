"""Small files written by tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes | str], Path]:
    """Write a file whose name says nothing."""

    def put(data: bytes | str) -> Path:
        path = tmp_path / "recorded"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return put


@pytest.fixture
def mooncake(write: Callable[[bytes | str], Path]) -> Callable[..., Path]:
    """Write rows of Mooncake's format; what a row does not say is taken from a good row."""

    def put(*rows: dict[str, Any]) -> Path:
        lines = []
        for row in rows:
            full = {"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]} | row
            lines.append(json.dumps({key: value for key, value in full.items() if value is not ...}))
        return write("\n".join(lines) + "\n")

    return put
