"""Synthetic prompts of exact lengths, which differ from one another in the first words.

A prompt has words of the package's corpus that are one token each in the model's tokenizer, so a prompt of n words
has n tokens. The server's additions (special tokens, the chat template) are measured once and subtracted. Then
prompts are encoded as the server will encode them, and prompts of a wrong length are cut to length. For a tokenizer
without such words all prompts are made by cutting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..content import Content
from ..errors import InputError, TraceError
from ..prompts.prompts import FRESH, Corpus, Vocabulary
from .counts import Form, TokenCounts, count_tokens
from .lengths import Lengths
from .prefixes import NO_PREFIXES, Prefixes
from .text_cutting import cut_to_length

CHECKED_TOKENS = 1 << 19
"""Number of prompt tokens that are encoded again, which takes about half a second. If there are more, an even sample is
encoded, and all prompts if one of the sample has a wrong length. If none of 256 prompts of 2,048 tokens has, fewer than
1.2 % of all have (95 % confidence)."""

_SPARE_WORDS = 64
_SYSTEM = 1 << 31  # id of the shared system prompt; prefixes have ids from 0


@dataclass(frozen=True)
class Synthetic:
    """Synthetic prompts, and how exact they are.

    Attributes:
        contents: One content per prompt.
        input_tokens: Length of each as the server will count it, int32: the drawn length plus its prefixes, or the
            actual length if that differs. Without a tokenizer, the drawn length.
        off: Number of prompts whose length differs from the drawn length.
        note: A sentence on how exact the lengths are.
    """

    contents: list[Content]
    input_tokens: NDArray[np.int32]
    off: int
    note: str


class SyntheticPrompts:
    """Generator of prompts with random lengths.

    Args:
        lengths: Distribution of the lengths of prompts and responses.
        counter: The model's tokenizer; None: a word is counted as a token, an estimate.
        form: Server additions that the drawn length includes, see Form; "chat" for requests with a chat template.
        seed: Seed, at least 0. It determines the prompts, in every process and on every machine.
        prefixes: Texts that prompts share, in addition to the drawn length.
        namespace: Namespace; prompts of different namespaces share no beginning, so that no prefix is cached already.
        name: The tokenizer's name, for the note.
    """

    def __init__(
        self,
        lengths: Lengths,
        counter: TokenCounts | None,
        *,
        form: Form = "prompt",
        seed: int = 0,
        prefixes: Prefixes = NO_PREFIXES,
        namespace: str = "",
        name: str = "the tokenizer",
    ) -> None:
        self._lengths, self._counter, self._form, self._seed = lengths, counter, form, seed
        self._prefixes, self._name = prefixes, name
        self._single = True
        vocabulary = Vocabulary()
        if counter is not None:
            try:
                vocabulary = Vocabulary.for_counts(counter.count, name=name)
            except TraceError:  # too few words are single tokens, so prompts are cut to length
                self._single = False
        self._probe = vocabulary.words[0]
        self._corpus = Corpus(vocabulary.words, b" ", seed=seed, namespace=namespace)

    def make(self, n: int) -> Synthetic:
        """Return the first n prompts of the seed.

        Any two prompts differ within the first few words; neighbours, and any two of as many prompts as there are words
        (about 1,500 for most tokenizers), differ in the first word. Prompts of one to three words may be equal.
        """
        inputs, outputs = self._lengths.draw(n, self._seed)
        system, fronts = self._shared()
        chosen = self._prefixes.choose(n, self._seed).tolist()
        chat = self._form == "chat"

        def content(row: int, text: str) -> Content:
            front = fronts[chosen[row]]
            return Content(
                text=" ".join(part for part in ("" if chat else system, front, text) if part),
                system=(system or None) if chat else None,
                output_tokens=None if outputs is None else int(outputs[row]),
            )

        added = self._prefixes.system_tokens + self._prefixes.tokens
        asked = inputs.astype(np.int64) + added
        if self._counter is None:
            made = [content(row, self._text(FRESH + row, words)) for row, words in enumerate(inputs.tolist())]
            return Synthetic(made, asked.astype(np.int32), 0, "input lengths are estimates, a word for a token: "
                             "name the model's tokenizer for exact ones")  # fmt: skip
        if not n:
            return Synthetic([], asked.astype(np.int32), 0, "no prompts")
        counter = self._counter

        def count(contents: Sequence[Content]) -> NDArray[np.int64]:
            return count_tokens(contents, counter, form=self._form).astype(np.int64)

        overhead = int(count([content(0, self._probe)])[0]) - added - counter.count([self._probe])[0]
        words = np.maximum(inputs - overhead, 1).tolist()
        counted = np.maximum(asked, added + overhead + 1)
        if self._single:
            contents = [content(row, self._text(FRESH + row, length)) for row, length in enumerate(words)]
            wrong, checked = self._wrong(contents, counted, count)
        else:
            contents = [content(row, "") for row in range(n)]
            wrong, checked = np.arange(n), n
        if len(wrong):
            rows = wrong.tolist()
            long = [self._text(FRESH + row, words[row] + _SPARE_WORDS) for row in rows]

            def count_cut(places: Sequence[int], texts: Sequence[str]) -> NDArray[np.int64]:
                return count([content(rows[place], text) for place, text in zip(places, texts, strict=True)])

            texts, counted[wrong] = cut_to_length(long, asked[wrong], count_cut)
            for row, text in zip(rows, texts, strict=True):
                contents[row] = content(row, text)
        off = int(np.count_nonzero(counted != asked))
        return Synthetic(contents, counted.astype(np.int32), off, self._note(asked, counted, checked, overhead))

    def put_before(self, contents: Sequence[Content]) -> list[Content]:
        """Return the user's texts with random prefixes, as for synthetic prompts, and the system prompt.

        Raises:
            InputError: A row has no text, or already has a system prompt.
        """
        system, fronts = self._shared()
        chosen = self._prefixes.choose(len(contents), self._seed).tolist()
        chat = self._form == "chat"
        made = []
        for row, content in enumerate(contents):
            if content.text is None:
                raise InputError("prefixes", f"row {row + 1:,} of the input has no text that they could stand before")
            if system and content.system is not None:
                raise InputError("system prompt", f"row {row + 1:,} of the input has one of its own")
            parts = ("" if chat else system, fronts[chosen[row]], content.text)
            text = " ".join(part for part in parts if part)
            made.append(msgspec.structs.replace(content, text=text, system=(system if chat else "") or content.system))
        return made

    def _shared(self) -> tuple[str, list[str]]:
        """Return the system prompt and the prefixes, each with its exact length."""
        prefixes = self._prefixes
        ids = [_SYSTEM, *range(prefixes.count)]
        tokens = [prefixes.system_tokens] + [prefixes.tokens] * prefixes.count
        texts = [self._text(block, length) if length else "" for block, length in zip(ids, tokens, strict=True)]
        if self._counter is not None and not self._single:
            counter = self._counter

            def count(_: Sequence[int], cut: Sequence[str]) -> NDArray[np.int64]:
                return np.asarray(counter.count(cut), np.int64)

            texts, _counts = cut_to_length(texts, np.asarray(tokens, np.int64), count)
        return texts[0], texts[1:] or [""]

    def _text(self, block: int, words: int) -> str:
        parts: list[bytes | memoryview] = []
        self._corpus.write(parts, block, words)
        return b"".join(parts)[1:].decode("ascii")

    def _wrong(
        self,
        contents: list[Content],
        wanted: NDArray[np.int64],
        count: Callable[[Sequence[Content]], NDArray[np.int64]],
    ) -> tuple[NDArray[np.int64], int]:
        """Return the rows of a wrong length, and the number of counted rows: all, or a sample without wrong ones."""
        step = -(-int(wanted.sum()) // CHECKED_TOKENS)
        for every in (step, 1):
            rows = np.arange(0, len(contents), every)
            wrong = rows[count([contents[row] for row in rows.tolist()]) != wanted[rows]]
            if not len(wrong) or every == 1:
                break
        return wrong, len(rows)

    def _note(self, asked: NDArray[np.int64], counted: NDArray[np.int64], checked: int, overhead: int) -> str:
        added = {"text": "", "prompt": "special tokens", "chat": "the chat template"}[self._form]
        included = f", {overhead} of each from {added}" if overhead and added else ""
        off = counted[counted != asked] - asked[counted != asked]
        if not len(off):
            how = "all" if checked == len(asked) else f"a sample of {checked:,}"
            return f"input lengths are exact in {self._name}{included} ({how} encoded again)"
        worst = int(np.abs(off).max())
        short = int(np.count_nonzero(asked - counted < 0))
        why = f"; {short:,} were asked to be shorter than what is added" if overhead and short == len(off) else ""
        return f"{len(off):,} of {len(asked):,} prompts are up to {worst} tokens off in {self._name}{included}{why}"
