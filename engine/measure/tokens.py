"""Counting tokens with a local tokenizer, in batches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError

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
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(directory), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{directory}: no tokenizer could be loaded from it: {error}") from None
