"""The sample that comes with the package."""

from __future__ import annotations

from tokentape.traces import read, sample_path
from tokentape.traces.sample import generate


def test_the_file_is_what_its_generator_makes() -> None:
    assert sample_path().read_bytes() == generate()
    assert generate(8) != generate()


def test_it_is_small_and_shares_prefixes() -> None:
    path = sample_path()
    assert path.stat().st_size < 60_000
    trace = read(path)
    assert (len(trace), trace.format, trace.notes, trace.skipped_rows) == (480, "mooncake", (), 0)
    assert 29e9 < trace.span_ns < 30e9
    assert trace.table["input_tokens"].to_numpy().max() <= 6000
    ids = trace.table["block_ids"].combine_chunks().flatten().to_pylist()
    assert 0.4 < 1 - len(set(ids)) / len(ids) < 0.6


def test_an_id_stands_for_all_before_it_too() -> None:
    before: dict[int, tuple[int, ...]] = {}
    full: dict[int, int] = {}
    table = read(sample_path()).table
    for ids, tokens in zip(table["block_ids"].to_pylist(), table["input_tokens"].to_pylist(), strict=True):
        for at, block in enumerate(ids):
            assert before.setdefault(block, tuple(ids[:at])) == tuple(ids[:at])
            size = min(512, tokens - 512 * at)
            assert full.setdefault(block, size) == size
