"""Lengths of prompts and responses in tokens: a normal distribution each, or a weighted mixture of pairs."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..reading.field_checks import MAX_TOKENS

_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"\s*(-?(?:\d+(?:\.\d*)?|\.\d+))\s*")
_FORM = "ISL,OSL:WEIGHT pairs, as in 256,128:0.6;2048,64:0.4 or 256|10,128|20:60;2048,64:40"


@dataclass(frozen=True)
class Normal:
    """A normally distributed length in tokens, rounded to an integer, at least 1.

    Attributes:
        mean: Mean, at least 1.
        stddev: Standard deviation, at least 0; 0: every length is the mean.
    """

    mean: float
    stddev: float = 0.0

    def draw(self, uniform: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return a length for each number from [0, 1) by the inverse distribution, equal on every machine."""
        if not self.stddev:
            return np.full(len(uniform), max(1, round(self.mean)), np.int32)
        law = NormalDist(self.mean, self.stddev)
        inside = np.maximum(uniform, 2.0**-53).tolist()
        drawn = np.rint(np.fromiter(map(law.inv_cdf, inside), np.float64, len(inside)))
        return np.clip(drawn, 1, MAX_TOKENS).astype(np.int32)


@dataclass(frozen=True)
class Pair:
    """An input length, an output length (None: the server decides), and the weight of the pair."""

    input: Normal
    output: Normal | None
    weight: float = 1.0


@dataclass(frozen=True)
class Lengths:
    """Distribution of the lengths of prompts and responses.

    Attributes:
        pairs: One or more pairs with relative weights.
    """

    pairs: tuple[Pair, ...]

    @classmethod
    def normal(
        cls,
        input_mean: float,
        input_stddev: float = 0.0,
        output_mean: float | None = None,
        output_stddev: float = 0.0,
    ) -> Lengths:
        """Return a normal distribution each for prompts and responses; without output_mean the server decides.

        Raises:
            InputError: A mean is below 1, a deviation is negative, or a value is not a number.
        """
        output = None if output_mean is None else _normal("output tokens", output_mean, output_stddev)
        return cls((Pair(_normal("input tokens", input_mean, input_stddev), output),))

    @classmethod
    def parse(cls, text: str) -> Lengths:
        """Parse a mixture of pairs in any of the three forms of AIPerf's ``--sequence-distribution``.

        ``256,128:0.6;2048,64:0.4``, with deviations ``256|10,128|20:60;2048,64:40``; in brackets
        ``[(256,128):60,(2048,64):40]``; or JSON, ``{"pairs": [{"isl": 256, "isl_stddev": 10, "osl": 128, "prob": 60},
        ...]}``. Weights are fractions that sum to 1 or percentages that sum to 100.

        Raises:
            InputError: The text has none of these forms; the message shows the position.
        """
        source = f"sequence distribution {text!r}"
        pairs = _from_json(source, text) if text.lstrip().startswith("{") else _Reader(source, text).pairs()
        total = math.fsum(pair.weight for pair in pairs)
        if not (math.isclose(total, 1, rel_tol=1e-6) or math.isclose(total, 100, rel_tol=1e-6)):
            raise InputError(source, f"the weights sum to {total:g}; they must sum to 1 or, as percentages, to 100")
        return cls(tuple(pairs))

    def draw(self, n: int, seed: int) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
        """Return the lengths of n requests, independent of each other and determined by the seed.

        Args:
            n: Number of requests.
            seed: Seed, at least 0.

        Returns:
            Input tokens and output tokens, int32 of n each; None for outputs if the server decides their length.
        """
        which, first, second = np.random.default_rng([seed, 11]).random((3, n))
        weights = np.cumsum([pair.weight for pair in self.pairs])
        picked = np.minimum(np.searchsorted(weights, which * weights[-1], side="right"), len(self.pairs) - 1)
        inputs = np.zeros(n, np.int32)
        outputs = np.zeros(n, np.int32)
        for place, pair in enumerate(self.pairs):
            rows = np.flatnonzero(picked == place)
            inputs[rows] = pair.input.draw(first[rows])
            if pair.output is not None:
                outputs[rows] = pair.output.draw(second[rows])
        return inputs, None if self.pairs[0].output is None else outputs


def _normal(what: str, mean: float, stddev: float) -> Normal:
    if not 1 <= mean <= MAX_TOKENS:
        raise InputError(what, f"the mean is {mean:g}; a length from 1 to 100 million tokens belongs there")
    if not 0 <= stddev <= MAX_TOKENS:
        raise InputError(what, f"the standard deviation is {stddev:g}; a number from 0 up belongs there")
    return Normal(mean, stddev)


class _Reader:
    """Parser of the two forms that are not JSON, from left to right, so that an error has a position."""

    def __init__(self, source: str, text: str) -> None:
        self._source, self._text, self._at = source, text, 0

    def pairs(self) -> list[Pair]:
        if not self._text.strip():
            raise InputError(self._source, f"is empty; {_FORM} belong there")
        brackets = self._take("[")
        separator = "," if brackets else ";"
        pairs = [self._pair(brackets)]
        while self._take(separator):
            if not brackets and self._at_end():
                return pairs
            pairs.append(self._pair(brackets))
        if brackets:
            self._need("]")
        if not self._at_end():
            self._fail(f"{separator!r} and the next pair, or the end")
        return pairs

    def _pair(self, brackets: bool) -> Pair:
        if brackets:
            self._need("(")
        inputs = self._length("an input length")
        self._need(",")
        outputs = self._length("an output length")
        if brackets:
            self._need(")")
        self._need(":")
        begun = self._at
        weight = self._number("a weight")
        if weight < 0:
            self._at = begun
            self._fail("a weight from 0 up")
        return Pair(inputs, outputs, weight)

    def _length(self, wanted: str) -> Normal:
        begun = self._at
        mean = self._number(wanted)
        if not 1 <= mean <= MAX_TOKENS:
            self._at = begun
            self._fail(f"{wanted} from 1 to 100 million")
        if not self._take("|"):
            return Normal(mean)
        begun = self._at
        stddev = self._number("a standard deviation")
        if stddev < 0:
            self._at = begun
            self._fail("a standard deviation from 0 up")
        return Normal(mean, stddev)

    def _number(self, wanted: str) -> float:
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            self._fail(wanted)
        self._at = match.end()
        return float(match[1])

    def _take(self, mark: str) -> bool:
        self._skip()
        found = self._text.startswith(mark, self._at)
        self._at += len(mark) * found
        return found

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            self._fail(repr(mark))

    def _at_end(self) -> bool:
        self._skip()
        return self._at == len(self._text)

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _fail(self, wanted: str) -> NoReturn:
        self._skip()
        rest = self._text[self._at : self._at + 12]
        found = f"at character {self._at + 1}, {rest!r}" if rest else "where the text ends"
        raise InputError(self._source, f"{found}: {wanted} belongs there; write {_FORM}")


def _from_json(source: str, text: str) -> list[Pair]:
    try:
        said = json.loads(text)
    except ValueError as error:
        raise InputError(source, f"is not JSON: {error}") from None
    found = said.get("pairs") if isinstance(said, dict) else None
    if not isinstance(found, list) or not found:
        raise InputError(
            source, 'a list of pairs belongs there, as in {"pairs": [{"isl": 256, "osl": 128, "prob": 100}]}'
        )
    return [_json_pair(f"{source}, pair {place}", pair) for place, pair in enumerate(found, 1)]


def _json_pair(source: str, pair: Any) -> Pair:
    if not isinstance(pair, dict):
        raise InputError(source, "an object with isl, osl and prob belongs there")
    values = {}
    for field, default in {"isl": None, "isl_stddev": 0.0, "osl": None, "osl_stddev": 0.0, "prob": None}.items():
        value = pair.get(field, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise InputError(source, f"{value!r} where a number from 0 up belongs", field=field)
        values[field] = float(value)
    return Pair(
        _normal(f"{source}, isl", values["isl"], values["isl_stddev"]),
        _normal(f"{source}, osl", values["osl"], values["osl_stddev"]),
        values["prob"],
    )
