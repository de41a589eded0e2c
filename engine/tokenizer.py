"""A model's own tokenizer, from a local directory: counts tokens in batches, knows what a chat template adds."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import UserError

BATCH_TEXTS = 1024
"""Texts given to the tokenizer at once: bounds the memory, and lets it use its threads."""


class TokenCounter:
    """Counts tokens as the tokenizer of a directory does; loads it when first asked, never from a network.

    Args:
        directory: Holds tokenizer.json and the like, as `save_pretrained` leaves them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tokenizer: Any = None

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special ones that a model's input begins or ends with.

        Raises:
            UserError: The directory holds no tokenizer that loads.
        """
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self._directory)
        counts: list[int] = []
        for start in range(0, len(texts), BATCH_TEXTS):
            encoded = self._tokenizer(
                list(texts[start : start + BATCH_TEXTS]),
                add_special_tokens=False,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )
            counts += [len(ids) for ids in encoded["input_ids"]]
        return counts


def load_tokenizer(directory: Path) -> Any:
    """The tokenizer of a directory, read from disk alone. Importing transformers takes seconds.

    Raises:
        UserError: The directory holds no tokenizer that loads.
    """
    if not directory.is_dir():
        raise UserError(f"{directory}: not a directory; give one with a tokenizer's files (tokenizer.json)")
    # It would say that PyTorch is absent: no model is to run here.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(directory), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{directory}: no tokenizer could be loaded from it: {error}") from None


def template_overhead(tokenizer: Any, *, chat: bool) -> int:
    """Tokens that a server adds to each prompt: a chat template's around the one user message, or special tokens.

    Args:
        tokenizer: As `load_tokenizer` gives it.
        chat: The prompt goes through the chat template; a tokenizer without one is taken to add nothing.
    """
    probe = "time"
    bare = len(tokenizer.encode(probe, add_special_tokens=False))
    if not chat:
        return len(tokenizer.encode(probe)) - bare
    if not tokenizer.chat_template:
        return 0
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": probe}], tokenize=False, add_generation_prompt=True
    )
    return len(tokenizer.encode(rendered, add_special_tokens=False)) - bare
