"""Synthetic prompts: exact as their tokenizer counts them, different from each other, the same everywhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokentape.engine.tokenizer import TokenCounter
from tokentape.traces.content import Content
from tokentape.traces.errors import InputError
from tokentape.traces.inputs import synthetic
from tokentape.traces.inputs.counts import Form, count_tokens
from tokentape.traces.inputs.lengths import Lengths
from tokentape.traces.inputs.prefixes import Prefixes
from tokentape.traces.inputs.synthetic import SyntheticPrompts
from tokentape.traces.inputs.text_cutting import cut_to_length
from tokentape.traces.prompts.words import WORDS

Find = Callable[[str], Path]


@cache
def loaded(folder: Path) -> TokenCounter:
    """A tokenizer, loaded once for all tests."""
    return TokenCounter(folder)


class Letters:
    """A tokenizer whose tokens are characters, with two special ones around a text: no word is a single token."""

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def count_prompts(self, texts: Sequence[str]) -> list[int]:
        return [len(text) + 2 for text in texts]

    def count_chats(self, chats: Sequence[Sequence[dict[str, Any]]]) -> list[int]:
        return [sum(len(message["content"]) + 5 for message in chat) for chat in chats]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], TokenCounter]:
    """A byte-level BPE as GPT-2's is, learnt from the corpus with as many tokens as are asked for, and a BOS."""
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    def train(size: int) -> TokenCounter:
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size, special_tokens=["<s>"], initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )  # fmt: skip
        tokenizer.train_from_iterator([f"{word} {word}\n{word}" for word in WORDS] * 3, trainer)
        bos = tokenizer.token_to_id("<s>")
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", bos)]
        )
        folder = tmp_path_factory.mktemp("bpe")
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>").save_pretrained(folder)
        return TokenCounter(folder)

    return train


@pytest.mark.parametrize("name", ["smollm2", "tiny"])
@pytest.mark.parametrize("form", ["text", "prompt", "chat"])
@pytest.mark.parametrize("tokens", [128, 550, 2048, 8192])
def test_prompts_are_exact(shared: Find, name: str, form: Form, tokens: int) -> None:
    counter = loaded(shared(f"tokenizers/{name}"))
    made = SyntheticPrompts(Lengths.normal(tokens, tokens / 10), counter, form=form, seed=tokens).make(20)
    asked = Lengths.normal(tokens, tokens / 10).draw(20, tokens)[0]
    assert made.off == 0
    assert (made.input_tokens == asked).all()
    assert (count_tokens(made.contents, counter, form=form) == asked).all()


@pytest.mark.parametrize("size", [300, 1000, 6000])
@pytest.mark.parametrize("form", ["text", "prompt", "chat"])
def test_prompts_are_exact_in_byte_level_bpe_of_any_size(
    trained: Callable[[int], TokenCounter], size: int, form: Form
) -> None:
    counter = trained(size)
    made = SyntheticPrompts(Lengths.normal(300, 60), counter, form=form).make(100)
    wanted = Lengths.normal(300, 60).draw(100, 0)[0]
    counted = count_tokens(made.contents, counter, form=form)
    assert (counted == made.input_tokens).all()
    assert np.count_nonzero(counted != wanted) <= 1
    assert np.abs(counted - wanted).max() <= 1


@given(st.integers(1, 400), st.integers(0, 3), st.integers(0, 2**31), st.sampled_from(["text", "prompt", "chat"]))
@settings(max_examples=60, deadline=None)
def test_prompts_are_cut_to_length_where_words_are_no_tokens(mean: int, count: int, seed: int, form: Form) -> None:
    lengths = Lengths.normal(mean, mean / 4)
    prefixes = Prefixes(count, 20 * bool(count), 10)
    made = SyntheticPrompts(lengths, Letters(), form=form, seed=seed, prefixes=prefixes).make(5)
    asked = lengths.draw(5, seed)[0] + prefixes.tokens + prefixes.system_tokens
    counted = count_tokens(made.contents, Letters(), form=form)
    assert (counted == made.input_tokens).all()
    least = SyntheticPrompts(Lengths.normal(1), Letters(), form=form, seed=seed, prefixes=prefixes).make(5)
    assert (counted == np.maximum(asked, least.input_tokens)).all()  # no shorter than what is added and a character


def test_prompts_differ_from_their_first_word_on(shared: Find) -> None:
    counter = loaded(shared("tokenizers/smollm2"))
    made = SyntheticPrompts(Lengths.normal(40), counter).make(3000)
    texts = [str(content.text).split() for content in made.contents]
    firsts = [text[0] for text in texts]
    assert len(set(firsts[:1400])) == 1400
    ordered = sorted(texts)
    shared_words = [next(k for k, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
                    for one, two in pairwise(ordered)]  # fmt: skip
    assert max(shared_words) <= 2


def test_what_is_encoded_again_is_all_or_a_sample(shared: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = loaded(shared("tokenizers/smollm2"))
    prompts = SyntheticPrompts(Lengths.normal(100), counter, form="chat", name="smollm2")
    whole = prompts.make(50)
    assert whole.note == ("input lengths are exact in smollm2, 30 of each from the chat template (all encoded again)")
    monkeypatch.setattr(synthetic, "CHECKED_TOKENS", 1000)
    sampled = prompts.make(50)
    assert "(a sample of 10 encoded again)" in sampled.note
    assert sampled.contents == whole.contents


class Odd(Letters):
    """Words are tokens, but for one text in ten, which has one more: what no choice of words can foresee."""

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def count_prompts(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) + (text.startswith(("a", "b"))) for text in texts]


def test_prompts_that_come_out_longer_are_cut() -> None:
    made = SyntheticPrompts(Lengths.normal(30), Odd()).make(200)
    texts = [str(content.text) for content in made.contents]
    assert any(text.startswith(("a", "b")) for text in texts)
    assert made.off == 0
    assert Odd().count_prompts(texts) == [30] * 200


def test_prompts_that_are_asked_to_be_shorter_than_the_template(shared: Find) -> None:
    counter = loaded(shared("tokenizers/smollm2"))
    made = SyntheticPrompts(Lengths.normal(4), counter, form="chat", name="smollm2").make(5)
    assert made.off == 5
    assert made.input_tokens.tolist() == count_tokens(made.contents, counter, form="chat").tolist() == [31] * 5
    assert made.note.endswith("; 5 were asked to be shorter than what is added")


def test_without_a_tokenizer_lengths_are_estimates() -> None:
    made = SyntheticPrompts(Lengths.normal(50, 5, 20), None).make(10)
    assert [len(str(content.text).split()) for content in made.contents] == made.input_tokens.tolist()
    assert [content.output_tokens for content in made.contents] == [20] * 10
    assert made.note.startswith("input lengths are estimates, a word for a token")


def test_prefixes_are_shared_exact_and_on_top(shared: Find) -> None:
    counter = loaded(shared("tokenizers/smollm2"))
    made = SyntheticPrompts(Lengths.normal(60), counter, form="chat", prefixes=Prefixes(3, 100, 40)).make(30)
    assert made.off == 0
    assert set(made.input_tokens.tolist()) == {200}
    beginnings = {" ".join(str(content.text).split()[:100]) for content in made.contents}
    assert len(beginnings) == 3
    assert counter.count(sorted(beginnings)) == [100] * 3
    systems = {content.system for content in made.contents}
    assert counter.count([str(system) for system in systems]) == [40]
    assert len({str(content.text) for content in made.contents}) == 30


def test_a_system_prompt_is_the_beginning_where_there_is_no_chat() -> None:
    made = SyntheticPrompts(Lengths.normal(10), None, prefixes=Prefixes(system_tokens=5)).make(4)
    assert {content.system for content in made.contents} == {None}
    assert len({" ".join(str(content.text).split()[:5]) for content in made.contents}) == 1
    assert {len(str(content.text).split()) for content in made.contents} == {15}


def test_prefixes_before_texts_of_ones_own() -> None:
    own = [Content(text=f"own {n}", output_tokens=n + 1) for n in range(20)]
    for form, words in (("chat", 12), ("prompt", 17)):
        prompts = SyntheticPrompts(Lengths.normal(1), None, form=form, prefixes=Prefixes(2, 10, 5))  # type: ignore[arg-type]
        made = prompts.put_before(own)
        assert [str(content.text).split()[-2:] for content in made] == [["own", str(n)] for n in range(20)]
        assert {len(str(content.text).split()) for content in made} == {words}
        assert len({str(content.text).split()[words - 12] for content in made}) == 2
        assert {len(str(content.system).split()) for content in made} == {5 if form == "chat" else 1}
        assert [content.output_tokens for content in made] == list(range(1, 21))
    with pytest.raises(InputError, match="row 2 of the input has no text that they could stand before"):
        prompts.put_before([own[0], Content(texts=("a",))])
    with pytest.raises(InputError, match="row 1 of the input has one of its own"):
        prompts.put_before([Content(text="a", system="b")])


@pytest.mark.parametrize("prefixes", [(1, 0), (0, 5), (-1, 5), (0, 0, -1)])
def test_prefixes_that_are_none(prefixes: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        Prefixes(*prefixes)


def test_namespaces_share_no_beginning() -> None:
    one, two = (
        SyntheticPrompts(Lengths.normal(20), None, namespace=namespace).make(50).contents for namespace in ("", "b")
    )
    assert not {str(content.text)[:30] for content in one} & {str(content.text)[:30] for content in two}


GOLDEN = "b1da"


def digest() -> str:
    made = SyntheticPrompts(Lengths.normal(50, 20, 10, 5), None, seed=4, prefixes=Prefixes(2, 8)).make(100)
    return hashlib.sha256("\n".join(f"{content.text} {content.output_tokens}" for content in made.contents).encode()
                          ).hexdigest()  # fmt: skip


def test_processes_and_machines_agree() -> None:
    assert digest()[:4] == GOLDEN
    script = (
        "import hashlib\n"
        "from tokentape.traces.inputs.lengths import Lengths\n"
        "from tokentape.traces.inputs.prefixes import Prefixes\n"
        "from tokentape.traces.inputs.synthetic import SyntheticPrompts\n"
        "made = SyntheticPrompts(Lengths.normal(50, 20, 10, 5), None, seed=4, prefixes=Prefixes(2, 8)).make(100)\n"
        "text = '\\n'.join(f'{content.text} {content.output_tokens}' for content in made.contents)\n"
        "print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "4711"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == digest()


@given(st.lists(st.tuples(st.text(min_size=1, max_size=60), st.integers(0, 80)), max_size=6), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_cutting_finds_the_length_or_the_nearest(cases: list[tuple[str, int]], size: int) -> None:
    texts, targets = [text for text, _ in cases], np.array([target for _, target in cases], np.int64)

    def count(rows: Sequence[int], cut: Sequence[str]) -> Any:
        return np.array([-(-len(text) // size) for text in cut], np.int64)

    cut, counts = cut_to_length(texts, targets, count)
    for text, whole, tokens, target in zip(cut, texts, counts.tolist(), targets.tolist(), strict=True):
        assert whole.startswith(text)
        assert tokens == -(-len(text) // size)
        assert tokens == min(max(target, 1), -(-len(whole) // size))
