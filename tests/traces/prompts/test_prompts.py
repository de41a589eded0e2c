"""Prompts: exact lengths, recorded sharing, the same bytes everywhere."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from tokentape.traces import TraceError, read, sample_path
from tokentape.traces.prompts.prompts import Corpus, Prompts, Vocabulary, composed
from tokentape.traces.prompts.words import SHORT, WORDS

Put = Callable[..., Path]
Find = Callable[[str], Path]
Form = Literal["text", "token_ids"]

FORMS: tuple[Form, ...] = ("text", "token_ids")
SEPARATOR: dict[Form, bytes] = {"text": b" ", "token_ids": b","}
GOLDEN = {
    "text": "b1acf9dd88ea47c7d53aa411b07b7997e3a4df3b935fc7887ea0077cd6e87543",
    "token_ids": "aafb4c2620c3fb221c1c21555b2f2380a9bb774d4943c00ef5578074148a3d6d",
}


def fingerprint(form: Form) -> str:
    digest = hashlib.sha256()
    for prompt in composed(Prompts(read(sample_path()), form=form, seed=3, namespace="again")):
        digest.update(prompt + b"\n")
    return digest.hexdigest()


def shared_words(one: list[Any], other: list[Any]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("overhead", [0, 1, 37, 700, 10_000])
def test_every_prompt_has_its_planned_length(form: Form, overhead: int) -> None:
    trace = read(sample_path())
    prompts = Prompts(trace, form=form, overhead_tokens=overhead)
    assert len(prompts) == len(trace)
    for row, asked in enumerate(trace.table["input_tokens"].to_pylist()):
        words = prompts.compose(row).split(SEPARATOR[form])
        assert len(words) == prompts.planned_tokens(row) == max(1, asked - overhead)
        assert b"" not in words


def test_texts_stand_in_json_as_they_are() -> None:
    for prompt in composed(Prompts(read(sample_path()), form="text")):
        assert json.loads(b'"' + prompt + b'"') == prompt.decode("ascii")
        assert set(prompt.decode().split(" ")) <= set(WORDS)


def test_ids_stand_in_json_as_they_are() -> None:
    prompts = Prompts(read(sample_path()), form="token_ids", id_range=(100, 299))
    for prompt in composed(prompts):
        ids = json.loads(b"[" + prompt + b"]")
        assert all(isinstance(i, int) and 100 <= i <= 299 for i in ids)


@pytest.mark.parametrize("form", FORMS)
def test_rows_share_the_blocks_that_they_share_and_no_more(form: Form) -> None:
    trace = read(sample_path())
    prompts = Prompts(trace, form=form)
    ids = trace.table["block_ids"].to_pylist()
    words = [prompt.split(SEPARATOR[form]) for prompt in composed(prompts)]
    spelled = prompts.spelled_words
    seen = set()
    for one in range(0, 300, 7):
        for other in range(one):
            common = shared_words(words[one], words[other])
            blocks = shared_words(ids[one], ids[other])
            seen.add(blocks)
            assert 512 * blocks <= common < 512 * blocks + spelled
    assert len(seen) > 4


def test_different_ids_differ_in_their_first_words() -> None:
    corpus = Corpus(WORDS, b" ", seed=0, namespace="")
    seen = set()
    neighbours = []
    for block in [*range(20_000), 2**31 - 1, 2**32, 2**32 + 5]:
        parts: list[bytes | memoryview] = []
        corpus.write(parts, block, corpus.spelled_words)
        text = b"".join(parts)
        assert text not in seen
        seen.add(text)
        neighbours.append(text.split()[0])
    assert all(one != other for one, other in pairwise(neighbours[: len(WORDS)]))
    assert len(set(neighbours[: len(WORDS)])) == len(WORDS)


def test_rows_without_blocks_share_nothing(mooncake: Put) -> None:
    trace = read(mooncake(*({"timestamp": i, "hash_ids": ..., "input_length": 2000} for i in range(40))))
    prompts = Prompts(trace, form="text")
    texts = [prompt.split() for prompt in composed(prompts)]
    assert {len(words) for words in texts} == {2000}
    for one, other in pairwise(texts):
        assert shared_words(one, other) < prompts.spelled_words


def test_fresh_text_stays_with_its_row_when_the_trace_is_cut(mooncake: Put) -> None:
    from tokentape.traces.transform import window

    trace = read(mooncake(*({"timestamp": i, "hash_ids": ...} for i in range(5))))
    whole, cut = Prompts(trace, form="text"), Prompts(window(trace, 2 * 10**6), form="text")
    assert [cut.compose(row) for row in range(3)] == [whole.compose(row) for row in range(2, 5)]


def test_blocks_of_a_cut_table_belong_to_their_rows(mooncake: Put) -> None:
    from tokentape.traces.transform import window

    trace = read(mooncake(*({"timestamp": i, "hash_ids": [i, 10 + i]} for i in range(5))))
    whole, cut = Prompts(trace, form="text"), Prompts(window(trace, 2 * 10**6), form="text")
    assert [cut.compose(row) for row in range(3)] == [whole.compose(row) for row in range(2, 5)]


def test_the_tail_of_a_floor_format_is_fresh(mooncake: Put) -> None:
    rows = [{"input_length": 200, "hash_ids": [7]}, {"timestamp": 1, "input_length": 200, "hash_ids": [7]}]
    trace = replace(read(mooncake(*rows)), block_tokens=64, block_rounding="floor")
    prompts = Prompts(trace, form="text")
    one, other = (prompts.compose(row).split() for row in range(2))
    assert len(one) == len(other) == 200
    assert 64 <= shared_words(one, other) < 64 + prompts.spelled_words


def test_a_prompt_longer_than_the_corpus(mooncake: Put) -> None:
    trace = read(mooncake({"input_length": 300_001, "hash_ids": ...}))
    assert len(Prompts(trace, form="token_ids").compose(0).split(b",")) == 300_001


def test_seeds_and_namespaces_change_all_of_it() -> None:
    trace = read(sample_path())
    base = Prompts(trace, form="text")
    first = base.compose(0).split()
    assert Prompts(trace, form="text").compose(0).split() == first
    for other in (Prompts(trace, form="text", seed=1), Prompts(trace, form="text", namespace="loop 1")):
        assert shared_words(other.compose(0).split(), first) < base.spelled_words


@pytest.mark.parametrize("form", FORMS)
def test_composed_prompts_never_change(form: Form) -> None:
    assert fingerprint(form) == GOLDEN[form]


def test_processes_agree() -> None:
    script = (
        "import hashlib, sys\n"
        "from tokentape.traces import read, sample_path\n"
        "from tokentape.traces.prompts.prompts import Prompts, composed\n"
        "for form in ('text', 'token_ids'):\n"
        "    digest = hashlib.sha256()\n"
        "    for prompt in composed(Prompts(read(sample_path()), form=form, seed=3, namespace='again')):\n"
        "        digest.update(prompt + b'\\n')\n"
        "    print(digest.hexdigest())\n"
    )
    for seed in ("0", "4711"):
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
        assert done.stdout.split() == [fingerprint(form) for form in FORMS]


def test_the_words() -> None:
    assert len(WORDS) > 1000
    assert len(set(WORDS)) == len(WORDS)
    assert all(word.isascii() and word.isalpha() and word.islower() for word in WORDS)


def encoder(path: Path) -> Callable[[str], list[int]]:
    tokenizer = pytest.importorskip("tokenizers").Tokenizer.from_file(str(path))

    def encode(text: str) -> list[int]:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert isinstance(ids, list)
        return ids

    return encode


@pytest.mark.parametrize(("name", "kept"), [("smollm2", WORDS), ("tiny", tuple(SHORT.split()))])
def test_prompts_reencode_to_the_asked_length(shared: Find, name: str, kept: tuple[str, ...]) -> None:
    encode = encoder(shared(f"tokenizers/{name}/tokenizer.json"))
    vocabulary = Vocabulary.for_tokenizer(encode, name=name)
    assert (vocabulary.words, vocabulary.asked) == (kept, len(WORDS))
    prompts = Prompts(read(sample_path()), form="text", vocabulary=vocabulary)
    for row in range(0, len(prompts), 10):
        text = prompts.compose(row).decode()
        assert len(encode(text)) == prompts.planned_tokens(row)
        assert len(encode(f"user\n {text}")) == len(encode("user\n")) + prompts.planned_tokens(row)


def test_a_tokenizer_that_counts_and_adds_tokens() -> None:
    vocabulary = Vocabulary.for_tokenizer(lambda text: 2 + len(text.split()))
    assert vocabulary == Vocabulary()
    only = set(WORDS[::10])
    picked = Vocabulary.for_tokenizer(lambda text: sum(1 if word in only else 2 for word in text.split()))
    assert picked.words == WORDS[::10]
    assert picked.asked == len(WORDS)


def test_tokenizers_that_do_not_fit() -> None:
    def letters(text: str) -> int:
        return len(text)

    with pytest.raises(TraceError, match=r"^bytes: only 0 of 1,\d+ words are single tokens .* token-id prompts"):
        Vocabulary.for_tokenizer(letters, name="bytes")

    def merging(text: str) -> int:
        words = text.split()
        return len(words) - sum(one != other for one, other in pairwise(words))

    with pytest.raises(TraceError, match="become 1 tokens together"):
        Vocabulary.for_tokenizer(merging)


@pytest.mark.parametrize(
    "make",
    [
        lambda trace: Vocabulary(tuple(f"w{i}" for i in range(63))),
        lambda trace: Vocabulary(("twice",) * 64),
        lambda trace: Vocabulary((*WORDS, 'a"')),
        lambda trace: Vocabulary((*WORDS, "a b")),
        lambda trace: Prompts(trace, form="text", overhead_tokens=-1),
        lambda trace: Prompts(trace, form="token_ids", id_range=(5, 67)),
        lambda trace: Prompts(trace, form="token_ids", id_range=(-1, 670)),
    ],
)
def test_arguments_that_break_the_promise_are_refused(make: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=r"word|ASCII|id_range|overhead"):
        make(read(sample_path()))
