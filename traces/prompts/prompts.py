"""Prompts: the recorded ones, or ones of exact lengths with the recorded prefix sharing, cut from memory.

A block id stands for one fixed piece of text. It begins with a few words that spell the id, so that no two
ids share a beginning, and goes on with a slice of a corpus that was rendered once. So equal ids give equal
bytes, in every process and on every machine, and a prompt of 100,000 tokens is a few hundred copies.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any, Literal

import msgspec
import numpy as np

from ..errors import TraceError
from ..table import Trace, one_array
from .words import WORDS

CORPUS_WORDS = 1 << 17
MIN_WORDS = 64

_ID_SPACE = 1 << 33
FRESH = 1 << 32  # recorded ids end below 2**31; from here on, ids of text that is shared with nobody
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio, odd: spreads consecutive numbers evenly

Count = Callable[[str], Any]


@dataclass(frozen=True)
class Vocabulary:
    """Words that are one token each, alone and after a space.

    Attributes:
        words: At least 64 different ones; ASCII that needs no escape in JSON, without spaces.
        asked: How many were tried when the words were picked for a tokenizer.
    """

    words: tuple[str, ...] = WORDS
    asked: int = len(WORDS)

    def __post_init__(self) -> None:
        if len(self.words) < MIN_WORDS:
            raise ValueError(f"a vocabulary of {len(self.words)} words; at least {MIN_WORDS} are needed")
        if len(set(self.words)) != len(self.words):
            raise ValueError("a vocabulary with a word that occurs twice")
        for word in self.words:
            if not (word.isascii() and word.isalnum()):
                raise ValueError(f"{word!r} is not made of ASCII letters and digits")

    @classmethod
    def for_tokenizer(cls, encode: Count, *, name: str = "tokenizer", words: Iterable[str] = WORDS) -> Vocabulary:
        """The words that are one token each in a given tokenizer; ``len(v.words)`` of ``v.asked`` were kept.

        Args:
            encode: Returns a text's token ids, or their number. Tokens that it adds to every text are
                allowed for.
            name: The tokenizer's name, for the message.
            words: The words to try.

        Raises:
            TraceError: Fewer than 64 are, or they are no longer when they stand together.
        """

        def counts(texts: Sequence[str]) -> list[int]:
            encoded = [encode(text) for text in texts]
            return [tokens if isinstance(tokens, int) else len(tokens) for tokens in encoded]

        return cls.for_counts(counts, name=name, words=words)

    @classmethod
    def for_counts(
        cls, counts: Callable[[Sequence[str]], Sequence[int]], *, name: str = "tokenizer", words: Iterable[str] = WORDS
    ) -> Vocabulary:
        """The same for a tokenizer that counts many texts at once.

        Args:
            counts: Returns the number of tokens of each text. Tokens that it adds to every text are allowed for.
            name: The tokenizer's name, for the message.
            words: The words to try.

        Raises:
            TraceError: Fewer than 64 are, or they are no longer when they stand together.
        """
        asked = tuple(dict.fromkeys(words))
        added = counts([""])[0]
        alone, thrice = counts(asked), counts([f"{word} {word} {word}" for word in asked])
        kept = tuple(
            word
            for word, one, three in zip(asked, alone, thrice, strict=True)
            if one == added + 1 and three == added + 3
        )
        if len(kept) < MIN_WORDS:
            raise TraceError(
                name,
                f"only {len(kept)} of {len(asked):,} words are single tokens of this tokenizer and "
                f"{MIN_WORDS} are needed for prompts of exact length; use token-id prompts instead",
            )
        together = counts([" ".join(kept)])[0] - added
        if together != len(kept):
            raise TraceError(
                name,
                f"{len(kept):,} words that are single tokens each become {together:,} tokens together; "
                "use token-id prompts instead",
            )
        return cls(kept, len(asked))


class Prompts:
    """The prompts of a trace.

    A row's recorded text or token ids are its prompt; a row without either gets words or ids of its length.

    Attributes:
        exact: Whether all prompts are composed here, or of recorded token ids: then lengths in words or ids are theirs.
        spelled_words: Two rows share less than this many words beyond the blocks that they share.

    Args:
        trace: Whose rows are asked for.
        form: "text": words joined by spaces, as they stand between the quotes of a JSON string. "token_ids":
            decimal ids joined by commas, as they stand between the brackets of a JSON array.
        seed: Another seed, other prompts.
        vocabulary: The words of texts.
        overhead_tokens: What the server adds to each prompt (a chat template); prompts are that much shorter.
        namespace: Prompts of different namespaces share no prefix: for runs that must not meet a warm cache. Recorded
            texts and ids get a few words or ids of the namespace in front; recorded bodies stay as they are.
        id_range: First and last of the token ids to draw from.

    Raises:
        TraceError: Rows without a body have prompts recorded in the other form alone.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        form: Literal["text", "token_ids"],
        seed: int = 0,
        vocabulary: Vocabulary | None = None,
        overhead_tokens: int = 0,
        namespace: str = "",
        id_range: tuple[int, int] = (1000, 8191),
    ) -> None:
        if overhead_tokens < 0:
            raise ValueError(f"overhead_tokens is {overhead_tokens}; it must be at least 0")
        if form == "text":
            words: Sequence[str] = (vocabulary or Vocabulary()).words
            separator = b" "
        else:
            first, last = id_range
            if first < 0 or last - first + 1 < MIN_WORDS:
                raise ValueError(f"id_range {id_range}: at least {MIN_WORDS} ids from 0 up are needed")
            words = [str(i) for i in range(first, last + 1)]
            separator = b","
        self._corpus = Corpus(words, separator, seed=seed, namespace=namespace)
        self.spelled_words = self._corpus.spelled_words
        table = trace.table
        self._planned = np.maximum(table["input_tokens"].to_numpy().astype(np.int64) - overhead_tokens, 1)
        self._source_row = table["source_row"].to_numpy()
        self._recorded = one_array(table["text" if form == "text" else "token_ids"])
        self._bodies = one_array(table["body"])
        self._has_recorded = self._recorded.null_count < len(trace)
        self._has_bodies = self._bodies.null_count < len(trace)
        _check_form(trace, form)
        self.exact = not self._has_bodies and (form == "token_ids" or not self._has_recorded)
        self._front = self._corpus.spelled(_ID_SPACE - 1) + separator if namespace else b""
        self._block_tokens = trace.block_tokens or 0
        blocks: Any = one_array(table["block_ids"])
        self._offsets = _offsets(blocks) if trace.block_tokens else np.zeros(len(trace) + 1, np.int64)
        self._ids = blocks.flatten().to_numpy() if trace.block_tokens else np.zeros(0, np.int32)

    def __len__(self) -> int:
        return len(self._planned)

    def planned_tokens(self, row: int) -> int:
        """Return how many words or ids a composed prompt has: the row's input tokens less the overhead, at least 1."""
        return int(self._planned[row])

    def compose(self, row: int) -> bytes:
        """The prompt of a row of the trace's table, ready to stand in a JSON body.

        It is what was recorded, in UTF-8 with JSON's escapes. Otherwise it is ASCII: the row's blocks follow each
        other, the last one cut where the length is reached. What no block covers is text of this row alone. A
        prompt that is shorter than the words that spell an id (at most six) may be equal to another one.
        """
        if self._has_recorded and (recorded := self._recorded[row].as_py()) is not None:
            return self._front + msgspec.json.encode(recorded)[1:-1]
        left = int(self._planned[row])
        size = self._block_tokens
        corpus = self._corpus
        parts: list[bytes | memoryview] = []
        for block in self._ids[self._offsets[row] : self._offsets[row + 1]].tolist():
            corpus.write(parts, block, size if size < left else left)
            left -= size
            if left <= 0:
                break
        if left > 0:
            corpus.write(parts, FRESH + int(self._source_row[row]), left)
        parts[0] = parts[0][1:]  # no separator in front of the first word
        return b"".join(parts)

    def body(self, row: int) -> bytes | None:
        """The recorded body of a row, as it was recorded; None where there is none.

        One that does not name its model is not a whole request: its sender adds what it lacks.
        """
        return self._bodies[row].as_py() if self._has_bodies else None

    def fresh(self, row: int, tokens: int) -> bytes:
        """Return this number of words or ids that no other row has, ready for a JSON body."""
        parts: list[bytes | memoryview] = []
        self._corpus.write(parts, FRESH + int(self._source_row[row]), tokens)
        parts[0] = parts[0][1:]
        return b"".join(parts)


def _check_form(trace: Trace, form: str) -> None:
    """Recorded prompts cannot be turned into the other form without a tokenizer."""
    table = trace.table
    wanted, other = ("text", "token_ids") if form == "text" else ("token_ids", "text")
    if table[other].null_count == len(table):
        return
    import pyarrow.compute as pc

    columns = (table["body"], table[wanted])
    has_none = pc.and_(*(pc.is_null(column) for column in columns))
    rows = int(pc.sum(pc.and_(has_none, pc.is_valid(table[other]))).as_py() or 0)
    if rows:
        way = (
            "send them with --endpoint completions --prompt-form token-ids"
            if form == "text"
            else "send them with --prompt-form text"
        )
        kind = "token ids" if form == "text" else "texts"
        raise TraceError(trace.source, f"records the prompts of {rows:,} rows as {kind}; {way}")


def _offsets(blocks: Any) -> Any:
    """Return where each row's ids begin and end among the flattened ones; a null row has none."""
    offsets = np.zeros(len(blocks) + 1, np.int64)
    np.cumsum(blocks.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), out=offsets[1:])
    return offsets


class Corpus:
    """A long pseudo-random sequence of words in one piece of memory, and the text of any id cut from it.

    Attributes:
        spelled_words: How many words spell an id.

    Args:
        words: At least 64 different ones.
        separator: One byte, in front of every word.
        seed: Decides the sequence.
        namespace: Decides, with the seed, which text an id gets.
    """

    def __init__(self, words: Sequence[str], separator: bytes, *, seed: int, namespace: str) -> None:
        self._words = [separator + word.encode("ascii") for word in words]
        order = _draws(_key(seed, "corpus"), CORPUS_WORDS, len(words))
        text = b"".join([self._words[i] for i in order.tolist()])
        lengths = np.fromiter(map(len, self._words), np.int64, len(words))
        ends = np.cumsum(lengths[order])
        self._text = memoryview(text)
        self._offset = array("I", [0, *ends.tolist()])
        # An id is spelled in base len(words) after id -> (a * id + b) mod the number of spellings, a
        # bijection because a is coprime to it. The low digit comes first: ids that differ by less than
        # len(words) differ in their first word already.
        base = len(words)
        self.spelled_words = 1
        while base**self.spelled_words < _ID_SPACE:
            self.spelled_words += 1
        self._spellings = base**self.spelled_words
        key = _key(seed, f"ids {namespace}")
        self._a = key >> 64 | 1
        while gcd(self._a, base) != 1:
            self._a += 2
        self._b = key & _MASK

    def spelled(self, block: int) -> bytes:
        """The words that spell an id, without a separator in front."""
        parts: list[bytes | memoryview] = []
        self.write(parts, block, self.spelled_words)
        return bytes(parts[0][1:])

    def write(self, parts: list[bytes | memoryview], block: int, n: int) -> None:
        """Append the first n words of an id's text, each with the separator in front.

        Args:
            parts: Pieces of memory, appended to.
            block: An id below 2**33.
            n: At least 1. Beyond 2**17 words the corpus repeats itself.
        """
        if not 0 <= block < _ID_SPACE:
            raise AssertionError(f"block id {block} outside 0 to 2**33")
        words = self._words
        base = len(words)
        code = (block * self._a + self._b) % self._spellings
        at = (code * _GOLDEN & _MASK) >> 47  # 17 bits: a place in the corpus
        spelled = []
        for _ in range(self.spelled_words if self.spelled_words < n else n):
            code, digit = divmod(code, base)
            spelled.append(words[digit])
        parts.append(b"".join(spelled))
        left = n - self.spelled_words
        while left > 0:
            end = min(at + left, CORPUS_WORDS)
            parts.append(self._text[self._offset[at] : self._offset[end]])
            left -= end - at
            at = 0


def _key(seed: int, purpose: str) -> int:
    """128 bits that depend on a seed and a purpose alone."""
    digest = hashlib.sha256(f"tokentape prompts {seed} {purpose}".encode()).digest()
    return int.from_bytes(digest[:16], "little")


def _draws(key: int, n: int, below: int) -> Any:
    """n numbers from 0 to below - 1: SplitMix64 (Steele, Lea and Flood, 2014) started at a key."""
    z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(_GOLDEN) + np.uint64(key & _MASK)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return ((z >> np.uint64(32)) * np.uint64(below)) >> np.uint64(32)


def composed(prompts: Prompts) -> Iterator[bytes]:
    """All prompts in the order of the trace."""
    for row in range(len(prompts)):
        yield prompts.compose(row)
