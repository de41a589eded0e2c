"""The sample trace of the package, and the function that generated it."""

from __future__ import annotations

import json
from math import cos, log, pi
from pathlib import Path
from random import Random

SAMPLE = Path(__file__).parent / "data" / "sample.jsonl"

BLOCK_TOKENS = 512
_SPAN_MS = 30_000
_REQUESTS = 480


def generate(seed: int = 7) -> bytes:
    """A synthetic trace in Mooncake's format: 480 requests over 30 s, in gamma-distributed gaps.

    Half of the requests go on with an earlier conversation: their blocks are those of an earlier request that
    were whole, and new ones. All conversations begin with one of three system prompts of one block.

    Args:
        seed: Another seed, another trace.

    Returns:
        JSONL.
    """
    random = Random(seed)
    gaps = [_gamma(random, 0.5) for _ in range(_REQUESTS)]
    scale = _SPAN_MS / sum(gaps)
    next_id = 3
    talks: list[tuple[int, list[int]]] = []  # each request so far: its input length and its blocks
    lines = []
    clock = 0.0
    for gap in gaps:
        if talks and random.random() < 0.5:
            length, blocks = talks[-1 - int(random.random() * min(60, len(talks)))]
            blocks = blocks[: length // BLOCK_TOKENS]
            length += 40 + int(random.random() * 500)
        else:
            length = BLOCK_TOKENS + 24 + int(700 * _gamma(random, 1.0))
            blocks = [int(3 * random.random() ** 2)]
        length = min(length, 6000)
        new = -(-length // BLOCK_TOKENS) - len(blocks)
        blocks = blocks + list(range(next_id, next_id + new))
        next_id += new
        talks.append((length, blocks))
        record = {
            "timestamp": int(clock),
            "input_length": length,
            "output_length": 8 + int(120 * _gamma(random, 1.0)),
            "hash_ids": blocks,
        }
        lines.append(json.dumps(record, separators=(", ", ": ")))
        clock += gap * scale
    return ("\n".join(lines) + "\n").encode()


def _gamma(random: Random, shape: float) -> float:
    """A gamma variate of mean 1 and shape 0.5 or 1, from uniform ones alone: the same in every Python."""
    exponential = -log(1.0 - random.random())
    if shape == 1.0:
        return exponential
    return 2.0 * exponential * cos(2 * pi * random.random()) ** 2
