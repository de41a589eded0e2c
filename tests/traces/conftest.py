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


@pytest.fixture(scope="session")
def build() -> Callable[..., Any]:
    """Make a trace of columns: arrivals in ns, and what else is given; lengths are 1 where they are not."""
    import numpy as np
    import pyarrow as pa
    from tokentape.traces.assembly.trace_builder import build_trace
    from tokentape.traces.table import TRACE_SCHEMA

    def make(arrival_ns: list[int], **columns: list[Any]) -> Any:
        rows = len(arrival_ns)
        lengths = [np.array(columns.pop(name, [1] * rows), np.int64) for name in ("input_tokens", "output_tokens")]
        return build_trace(
            source="t",
            format="mooncake",
            digest="",
            arrival_ns=np.array(arrival_ns, np.int64),
            input_tokens=lengths[0],
            output_tokens=lengths[1],
            source_row=np.arange(1, rows + 1),
            optional={name: pa.array(values, TRACE_SCHEMA.field(name).type) for name, values in columns.items()},
            block_tokens=512 if "block_ids" in columns else None,
        )

    return make
