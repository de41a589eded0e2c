"""Distributions of lengths: what they draw, and what is said of text that is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.traces.errors import InputError
from tokentape.traces.inputs.lengths import Lengths, Normal, Pair

MIX = (Pair(Normal(256), Normal(128), 60), Pair(Normal(2048), Normal(64), 40))


def test_a_mean_alone_is_every_length() -> None:
    inputs, outputs = Lengths.normal(550).draw(3, seed=0)
    assert inputs.tolist() == [550] * 3
    assert inputs.dtype == np.int32
    assert outputs is None


def test_a_normal_distribution_has_its_mean_and_deviation() -> None:
    inputs, outputs = Lengths.normal(550, 50, 100, 10).draw(20_000, seed=1)
    assert outputs is not None
    # Four standard errors: 4 * 50 / sqrt(20,000), and of the deviation about 4 * 50 / sqrt(40,000).
    assert abs(inputs.mean() - 550) < 1.5
    assert abs(inputs.std() - 50) < 1.0
    assert abs(outputs.mean() - 100) < 0.3
    assert abs(np.corrcoef(inputs, outputs)[0, 1]) < 0.03


def test_lengths_are_at_least_one() -> None:
    inputs, outputs = Lengths.normal(2, 100, 1, 100).draw(1000, seed=0)
    assert outputs is not None
    assert inputs.min() == outputs.min() == 1


def test_draws_never_change() -> None:
    inputs, outputs = Lengths.parse("256|10,128|20:0.6;2048,64:0.4").draw(6, seed=7)
    assert outputs is not None
    assert inputs.tolist() == [255, 259, 247, 243, 2048, 2048]
    assert outputs.tolist() == [138, 114, 149, 97, 64, 64]


def test_pairs_stay_together_and_come_as_often_as_they_weigh() -> None:
    inputs, outputs = Lengths(MIX).draw(20_000, seed=3)
    assert outputs is not None
    assert {(a, b) for a, b in zip(inputs.tolist(), outputs.tolist(), strict=True)} == {(256, 128), (2048, 64)}
    assert abs((inputs == 256).mean() - 0.6) < 0.014  # four standard errors


@pytest.mark.parametrize(
    "text",
    [
        "256,128:60;2048,64:40",
        " 256 , 128 : 60 ; 2048,64:40.0 ; ",
        "[(256,128):60,(2048,64):40]",
        '{"pairs": [{"isl": 256, "osl": 128, "prob": 60}, {"isl": 2048, "osl": 64, "prob": 40}]}',
    ],
)
def test_all_three_forms_say_the_same(text: str) -> None:
    assert Lengths.parse(text).pairs == MIX


def test_fractions_and_deviations() -> None:
    assert Lengths.parse("256|10,128|2.5:0.6;2048,64:.4").pairs == (
        Pair(Normal(256, 10), Normal(128, 2.5), 0.6),
        Pair(Normal(2048), Normal(64), 0.4),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; ISL,OSL:WEIGHT pairs"),
        ("256,128:0.6;2048;64:0.4", "at character 17, ';64:0.4': ',' belongs there"),
        ("256,128", "where the text ends: ':' belongs there"),
        ("256,x:1", "at character 5, 'x:1': an output length belongs there"),
        ("256,-3:1", "at character 5, '-3:1': an output length from 1 to 100 million belongs there"),
        ("0,3:1", "at character 1, '0,3:1': an input length from 1"),
        ("256|-1,3:1", "at character 5, '-1,3:1': a standard deviation from 0 up"),
        ("256,3:-1", "at character 7, '-1': a weight from 0 up"),
        ("256,3:0.5;16,4:0.4", "the weights sum to 0.9; they must sum to 1 or, as percentages, to 100"),
        ("256,3:1 16,4:0", "at character 9, '16,4:0': ';' and the next pair, or the end"),
        ("[(256,3):1", "where the text ends: ']' belongs there"),
        ("[256,3:1]", "at character 2, '256,3:1]': '(' belongs there"),
        ("{", "is not JSON"),
        ('{"pairs": []}', "a list of pairs belongs there"),
        ('{"pairs": [{"isl": 5, "osl": 5}]}', "pair 1, field prob: None where a number"),
        ('{"pairs": [{"isl": 5, "osl": 0, "prob": 1}]}', "pair 1, osl: the mean is 0"),
    ],
)
def test_text_that_is_no_distribution(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Lengths.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(("mean", "stddev"), [(0, 0), (-1, 0), (float("nan"), 0), (5, -1), (5, float("inf"))])
def test_a_mean_or_deviation_that_is_none(mean: float, stddev: float) -> None:
    with pytest.raises(InputError, match="input tokens: the "):
        Lengths.normal(mean, stddev)


@given(st.text(alphabet='0123456789.,;:|()[]{}- "x', max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_distribution_or_an_input_error(text: str) -> None:
    try:
        lengths = Lengths.parse(text)
    except InputError as error:
        assert repr(text) in str(error)
    else:
        assert lengths.draw(3, 0)[0].min() >= 1
