"""Assigning contents to requests, and putting several texts into one request."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..content import Content
from ..errors import InputError


def batch(contents: Sequence[Content], size: int) -> list[Content]:
    """Return contents with this number of consecutive texts each, for embeddings. The last one is filled up.

    A batch has the requested length and the model of its first text.

    Args:
        contents: Texts, single or in batches, which are split. Rankings stay unchanged: each is a request.
        size: Texts per request; 1: the contents are unchanged.

    Raises:
        InputError: There are fewer texts than that, or a row is not a text.
    """
    if size < 1:
        raise InputError("batch size", f"is {size}; it must be at least 1")
    if size == 1 or all(content.query is not None for content in contents):
        return list(contents)
    texts: list[tuple[str, Content]] = []
    for row, content in enumerate(contents, 1):
        if content.query is not None or content.messages is not None or content.payload is not None:
            kind = (
                "a ranking"
                if content.query is not None
                else "messages"
                if content.messages is not None
                else "a payload"
            )
            raise InputError("batch size", f"{size}, but row {row:,} of the input is {kind}; only texts go in batches")
        texts += [(text, content) for text in ((content.text,) if content.text is not None else content.texts or ())]
    if len(texts) < size:
        raise InputError("batch size", f"{size}, but the input has {len(texts):,} texts; give at least as many")
    made = []
    for start in range(0, len(texts), size):
        taken = [texts[place % len(texts)] for place in range(start, start + size)]
        first = taken[0][1]
        made.append(msgspec.structs.replace(first, text=None, texts=tuple(text for text, _ in taken)))
    return made


def rank(contents: Sequence[Content], passages: int) -> list[Content]:
    """Return texts as rankings: a query, its passages, the next query, and so on.

    Args:
        contents: Texts; an incomplete last ranking is dropped.
        passages: Number of passages of each query.

    Raises:
        InputError: There are too few texts for one ranking, or a row is not a text.
    """
    whole = sum(len(content.texts or ("",)) for content in contents) // (passages + 1)
    groups = batch(contents, passages + 1)[:whole]
    return [
        msgspec.structs.replace(group, query=group.texts[0], texts=group.texts[1:], output_tokens=None)
        for group in groups
        if group.texts
    ]


def order(entries: int, requests: int, *, seed: int | None = None) -> NDArray[np.int32]:
    """Return the index of each request's content: all contents in turn, repeatedly.

    Args:
        entries: Number of contents, at least 1.
        requests: Number of requests.
        seed: Seed that shuffles each round separately, so that every content is used before one is repeated; None:
            the order of the contents.

    Returns:
        One index from 0 to entries - 1 per request, int32.
    """
    if entries < 1:
        raise ValueError("no contents to take in turn")
    rounds = -(-requests // entries)
    if seed is None:
        return np.resize(np.arange(entries, dtype=np.int32), requests)
    random = np.random.default_rng([seed, 15])
    turns = [np.argsort(random.random(entries), kind="stable") for _ in range(rounds)]
    return np.concatenate(turns or [np.zeros(0, np.int64)])[:requests].astype(np.int32)


def sample(contents: Sequence[Content], entries: int, *, seed: int | None = None) -> list[Content]:
    """Return this number of contents (GenAI-Perf's ``--num-dataset-entries``): the first ones, or a seeded sample.

    A number larger than the number of contents returns all of them once.
    """
    return [contents[place] for place in order(len(contents), min(entries, len(contents)), seed=seed).tolist()]
