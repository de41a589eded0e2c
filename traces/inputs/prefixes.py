"""Texts that prompts share at their beginning, for servers with a prefix cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError


@dataclass(frozen=True)
class Prefixes:
    """Shared prefixes of prompts, in addition to the prompts' own length.

    Attributes:
        count: Number of prefixes to draw from (GenAI-Perf's ``--num-prefix-prompts``); 0: no prefixes.
        tokens: Length of each prefix (``--prefix-prompt-length``), exact in the model's tokenizer.
        system_tokens: Length of a system prompt that all requests share (AIPerf's
            ``--shared-system-prompt-length``); 0: none. If the API has no system prompt, the text begins with it.
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
        """Return the index of each prompt's prefix, drawn uniformly with replacement; all 0 without prefixes."""
        return (np.random.default_rng([seed, 12]).random(n) * max(self.count, 1)).astype(np.int64)


NO_PREFIXES = Prefixes()
