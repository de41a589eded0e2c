"""Cutting texts to a given number of tokens, for any tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 40
"""Maximum number of rounds: enough to halve any text down to one character, with some for guesses."""

NEAR = 12
"""Characters around the best cut that are tried in the end, if the best is off by at most that many tokens."""

CountRows = Callable[[Sequence[int], Sequence[str]], NDArray[np.int64]]


def cut_to_length(
    texts: Sequence[str], targets: NDArray[np.int64], count: CountRows
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the beginning of each text that has the target number of tokens, or the nearest found.

    Each round estimates from the last count how many characters are too many, within bounds that only narrow: the
    search ends with any tokenizer, and takes two or three rounds if tokens have similar lengths.

    Args:
        texts: Texts, each with at least its target number of tokens.
        targets: Target number of tokens of each text.
        count: Function of indices in texts and of the cut texts; returns the tokens of each.

    Returns:
        The cut texts and their counts.
    """
    low = np.zeros(len(texts), np.int64)  # this many characters are too few, or none
    high = np.array([len(text) + 1 for text in texts], np.int64)  # this many are too many, or more than the text has
    limits = high.copy()
    guess = high - 1
    best, off = guess.copy(), np.full(len(texts), np.iinfo(np.int64).max // 2)
    kept = off.copy()

    def look(rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the counts of texts cut in this way, and remember the one nearest to the target."""
        cut = [texts[row][:length] for row, length in zip(rows.tolist(), lengths.tolist(), strict=True)]
        counts = count(rows.tolist(), cut)
        nearer = np.abs(counts - targets[rows]) < off[rows]
        best[rows[nearer]], kept[rows[nearer]] = lengths[nearer], counts[nearer]
        off[rows[nearer]] = np.abs(counts - targets[rows])[nearer]
        return counts

    rows = np.flatnonzero(high > 1)
    for _ in range(ROUNDS):
        if not len(rows):
            break
        counts = look(rows, guess[rows])
        over = counts > targets[rows]
        high[rows[over]] = guess[rows[over]]
        low[rows[~over]] = guess[rows[~over]]
        step = np.rint((targets[rows] - counts) * guess[rows] / np.maximum(counts, 1)).astype(np.int64)
        guess[rows] = np.clip(guess[rows] + step, low[rows] + 1, high[rows] - 1)
        rows = rows[(off[rows] > 0) & (high[rows] - low[rows] > 1)]
    # One more character can mean one token less, by a longer token, so the exact length may be nearby.
    middle = best.copy()
    for distance in (side * steps for steps in range(1, NEAR + 1) for side in (1, -1)):
        rows = np.flatnonzero((off > 0) & (off <= NEAR) & (middle + distance >= 1) & (middle + distance < limits))
        if len(rows):
            look(rows, middle[rows] + distance)
    return [text[:length] for text, length in zip(texts, best.tolist(), strict=True)], kept
