"""Texts that prompts share at their beginning, for servers that keep what they have read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


@dataclass(frozen=True)
class Prefixes:
    """Shared prefixes of prompts, in addition to the prompts' own length.

    Attributes:
        count: How many prefixes there are to draw from (GenAI-Perf's ``--num-prefix-prompts``); 0 for none.
        tokens: Of each prefix (``--prefix-prompt-length``), exact in the model's tokenizer.
        system_tokens: Of a system prompt that all requests share (AIPerf's ``--shared-system-prompt-length``); 0 for
            none. Where the API has no system prompt it is the beginning of the text.
    """

    count: int = 0
    tokens: int = 0
    system_tokens: int = 0

    def __post_init__(self) -> None:
        for name, value in (("number of prefixes", self.count), ("prefix length", self.tokens),
                            ("system prompt length", self.system_tokens)):  # fmt: skip
            if value < 0:
                raise InputError(name, f"is {value}; it must be at least 0")
        if bool(self.count) != bool(self.tokens):
            raise InputError(
                "prefixes",
                f"{self.count} prefixes of {self.tokens} tokens; both must be given (--num-prefix-prompts and "
                "--prefix-prompt-length)",
            )

    def choose(self, n: int, seed: int) -> NDArray[np.int64]:
        """Return which prefix each of n prompts has: drawn alike, with replacement; all 0 where there is none."""
        return (np.random.default_rng([seed, 12]).random(n) * max(self.count, 1)).astype(np.int64)


NO_PREFIXES = Prefixes()
