"""Cutting texts so that they come to a given number of tokens, for any tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 40
"""Enough to halve the length of any text down to one character, with rounds to spare for guesses."""

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
    guess = high - 1
    best, best_counts = list(texts), np.full(len(texts), np.iinfo(np.int64).max // 2)
    open_rows = np.flatnonzero(high > 1)
    for _ in range(ROUNDS):
        if not len(open_rows):
            break
        cut = [texts[row][: guess[row]] for row in open_rows.tolist()]
        counts = count(open_rows.tolist(), cut)
        for row, text, tokens in zip(open_rows.tolist(), cut, counts.tolist(), strict=True):
            if abs(tokens - targets[row]) < abs(best_counts[row] - targets[row]):
                best[row], best_counts[row] = text, tokens
        over = counts > targets[open_rows]
        high[open_rows[over]] = guess[open_rows[over]]
        low[open_rows[~over]] = guess[open_rows[~over]]
        per_token = guess[open_rows] / np.maximum(counts, 1)
        step = np.rint((targets[open_rows] - counts) * per_token).astype(np.int64)
        guess[open_rows] = np.clip(guess[open_rows] + step, low[open_rows] + 1, high[open_rows] - 1)
        done = (counts == targets[open_rows]) | (high[open_rows] - low[open_rows] < 2)
        open_rows = open_rows[~done]
    return best, best_counts
