"""Texts in batches, and which content each request has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokentape.traces.content import Content
from tokentape.traces.errors import InputError
from tokentape.traces.inputs.batches import batch, order, rank, sample

TEXTS = [Content(text=text) for text in "abcde"]


def test_texts_in_batches() -> None:
    assert [content.texts for content in batch(TEXTS, 2)] == [("a", "b"), ("c", "d"), ("e", "a")]
    assert batch(TEXTS, 1) == TEXTS
    assert [content.texts for content in batch([Content(texts=("a", "b")), TEXTS[2]], 3)] == [("a", "b", "c")]
    rankings = [Content(query="q", texts=("a",))]
    assert batch(rankings, 3) == rankings
    assert batch([Content(text="a", model="m"), Content(text="b")], 2) == [Content(texts=("a", "b"), model="m")]


@pytest.mark.parametrize(
    ("contents", "size", "said"),
    [
        (TEXTS, 0, "batch size: is 0; it must be at least 1"),
        (TEXTS, 6, "batch size: 6, but the input has 5 texts; give at least as many"),
        ([*TEXTS, Content(query="q", texts=("a",))], 2, "batch size: 2, but row 6 of the input is a ranking"),
        ([Content(messages=({"role": "user", "content": "a"},))], 2, "row 1 of the input is messages"),
        ([Content(payload={"input": "a"})], 2, "row 1 of the input is a payload; only texts go in batches"),
    ],
)
def test_what_is_no_batch(contents: list[Content], size: int, said: str) -> None:
    with pytest.raises(InputError) as caught:
        batch(contents, size)
    assert said in str(caught.value)


def test_texts_as_rankings() -> None:
    assert rank(TEXTS, 1) == [Content(query="a", texts=("b",)), Content(query="c", texts=("d",))]
    assert rank(TEXTS, 4) == [Content(query="a", texts=("b", "c", "d", "e"))]
    with pytest.raises(InputError, match="6, but the input has 5 texts"):
        rank(TEXTS, 5)


@given(st.integers(1, 30), st.integers(0, 200), st.none() | st.integers(0, 2**31))
def test_each_round_has_every_content_once(entries: int, requests: int, seed: int | None) -> None:
    taken = order(entries, requests, seed=seed)
    assert (taken.dtype, len(taken)) == (np.int32, requests)
    for start in range(0, requests - entries + 1, entries):
        assert sorted(taken[start : start + entries].tolist()) == list(range(entries))
    assert (taken == order(entries, requests, seed=seed)).all()
    counts = np.bincount(taken, minlength=entries)
    assert counts.max() - counts.min() <= 1


def test_the_order_is_kept_without_a_seed() -> None:
    assert order(3, 7).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert order(50, 50, seed=1).tolist() != list(range(50))
    with pytest.raises(ValueError, match="no contents"):
        order(0, 3)


def test_a_sample() -> None:
    assert sample(TEXTS, 3) == TEXTS[:3]
    assert sample(TEXTS, 10) == TEXTS
    assert len({content.text for content in sample(TEXTS, 4, seed=1)}) == 4
