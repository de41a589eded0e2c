"""Planned reuse against a set of what was seen, and against the published figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokentape.traces import read
from tokentape.traces.stats import planned_reuse as module
from tokentape.traces.stats.planned_reuse import PlannedReuse, planned_reuse

WriteTrace = Callable[..., Path]


def naive(rows: list[tuple[int, list[int]]], size: int) -> PlannedReuse:
    seen: set[int] = set()
    hit_blocks = hit_tokens = 0
    for length, ids in rows:
        run = next((i for i, block in enumerate(ids) if block not in seen), len(ids))
        seen.update(ids)
        hit_blocks += run
        hit_tokens += min(run * size, length)
    return PlannedReuse(sum(len(ids) for _, ids in rows), hit_blocks, sum(length for length, _ in rows), hit_tokens)


def _trace(tmp_path: Path, rows: list[tuple[int, list[int]]]) -> Path:
    lines = [
        f'{{"timestamp": {i}, "input_length": {length}, "output_length": 1, "hash_ids": {ids}}}'
        for i, (length, ids) in enumerate(rows)
    ]
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_it_is_the_leading_run_that_counts(tmp_path: Path) -> None:
    rows = [(1100, [1, 2, 3]), (1100, [1, 2, 3]), (1024, [1, 4]), (1024, [9, 2]), (1024, [9, 4])]
    found = planned_reuse(read(_trace(tmp_path, rows)))
    assert found == naive(rows, 512) == PlannedReuse(12, 6, 5272, 1100 + 512 + 1024)


@pytest.mark.parametrize("rows_at_once", [1, 3, 1 << 14])
def test_it_is_what_a_set_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> None:
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", rows_at_once)
    draw = np.random.default_rng(5)
    rows = []
    for _ in range(200):
        length = int(draw.integers(1, 6000))
        ids = sorted({0, *draw.integers(0, 150, -(-length // 512) * 3).tolist()})[: -(-length // 512)]
        ids += [10**6 + int(draw.integers(10**6)) for _ in range(-(-length // 512) - len(ids))]
        rows.append((length, ids))
    found = planned_reuse(read(_trace(tmp_path, rows)))
    assert found == naive(rows, 512)
    assert found is not None and 0 < found.hit_blocks < found.blocks


def test_a_trace_without_ids_plans_none(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,4808,10\n")
    assert planned_reuse(read(path)) is None


def test_mooncake_has_its_published_reuse(shared: Callable[[str], Path]) -> None:
    found = planned_reuse(read(shared("traces/mooncake/conversation_trace.jsonl")))
    assert found is not None
    assert round(100 * found.hit_blocks / found.blocks, 1) == 36.6
