"""The public traces, read as their publishers describe them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tokentape.traces import read
from tokentape.traces.stats import quantile

Find = Callable[[str], Path]

AZURE = "traces/azure/AzureLLMInferenceTrace_code.csv"
MOONCAKE = "traces/mooncake/conversation_trace.jsonl"


@pytest.mark.parametrize(
    ("name", "expected", "inputs", "outputs"),
    [
        (MOONCAKE, ("mooncake", 12_031, 3_537), (6_909, 85_400, 126_195), (350, 1_119, 2_000)),
        (AZURE, ("azure", 8_819, 3_436), (1_469, 7_436, 7_437), (13, 251, 1_899)),
    ],
)
def test_rows_span_and_lengths(
    shared: Find,
    name: str,
    expected: tuple[str, int, int],
    inputs: tuple[int, int, int],
    outputs: tuple[int, int, int],
) -> None:
    trace = read(shared(name))
    assert (trace.format, len(trace), round(trace.span_ns / 1e9)) == expected
    assert trace.skipped_rows == 0
    for column, lengths in (("input_tokens", inputs), ("output_tokens", outputs)):
        values = trace.table[column].to_numpy()
        measured = [quantile(values, 0.5), quantile(values, 0.99), values.max()]
        assert measured == pytest.approx(lengths, abs=0.51)
    arrival = trace.table["arrival_ns"].to_numpy()
    assert arrival[0] == 0
    assert (np.diff(arrival) >= 0).all()


def test_mooncake_says_that_its_timestamps_are_coarse(shared: Find) -> None:
    trace = read(shared(MOONCAKE))
    assert len(trace.notes) == 1
    assert "quantised to 3 s: 1,180 distinct among 12,031 rows, up to 28 at once" in trace.notes[0]


def test_mooncake_has_the_recorded_blocks(shared: Find) -> None:
    trace = read(shared(MOONCAKE))
    assert trace.block_tokens == 512
    ids = trace.table["block_ids"].combine_chunks().flatten().to_numpy()
    assert len(ids) == 288_500
    reuse = 1 - len(np.unique(ids)) / len(ids)
    assert round(100 * reuse, 1) == 36.6


def test_azure_keeps_every_digit_and_has_no_note(shared: Find) -> None:
    path = shared(AZURE)
    trace = read(path)
    assert trace.notes == ()
    assert trace.block_tokens is None
    stamps = []
    for line in path.read_text().splitlines()[1:]:
        text = line.split(",")[0]
        whole = datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        stamps.append(int(whole.timestamp()) * 10**9 + int(text[20:]) * 100)
    assert trace.table["arrival_ns"].to_pylist() == [stamp - stamps[0] for stamp in stamps]
