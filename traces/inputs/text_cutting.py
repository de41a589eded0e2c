"""Cutting texts so that they come to a given number of tokens, for any tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 40
"""Enough to halve the length of any text down to one character, with rounds to spare for guesses."""

NEAR = 12
"""How many characters around the best cut are tried at last, where the best is off by no more tokens than that."""

CountRows = Callable[[Sequence[int], Sequence[str]], NDArray[np.int64]]


def cut_to_length(
    texts: Sequence[str], targets: NDArray[np.int64], count: CountRows
) -> tuple[list[str], NDArray[np.int64]]:
    """The beginning of each text whose count is its target; the nearest found where there is no such.

    Each round guesses from the last count how many characters are too many, within bounds that only close: the
    search ends whatever the tokenizer does, and takes two or three rounds where tokens are about equally long.

    Args:
        texts: Each with at least as many tokens as are wanted of it.
        targets: Tokens wanted of each, as count counts them.
        count: Given places in texts and the cut texts there, the tokens of each.

    Returns:
        The cut texts and their counts.
    """
    low = np.zeros(len(texts), np.int64)  # as many characters are too few, or none
    high = np.array([len(text) + 1 for text in texts], np.int64)  # so many are too many, or more than there are
    limits = high.copy()
    guess = high - 1
    best, off = guess.copy(), np.full(len(texts), np.iinfo(np.int64).max // 2)
    kept = off.copy()

    def look(rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """The counts of texts cut so, of which the nearest to the target is remembered."""
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
    # A character more can be a token less, where it makes a longer token possible: the length may be close by.
    middle = best.copy()
    for distance in (side * steps for steps in range(1, NEAR + 1) for side in (1, -1)):
        rows = np.flatnonzero((off > 0) & (off <= NEAR) & (middle + distance >= 1) & (middle + distance < limits))
        if len(rows):
            look(rows, middle[rows] + distance)
    return [text[:length] for text, length in zip(texts, best.tolist(), strict=True)], kept
