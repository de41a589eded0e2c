"""Token counts from tokenizers that lie on disk."""

from pathlib import Path

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.tokenizer import BATCH_TEXTS, TokenCounter

TINY = Path(__file__).parents[3] / "shared" / "tokenizers" / "tiny"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of words, with a special token that begins every input of its model."""
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<s>": 0, "<unk>": 1, "one": 2}, "<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    folder = tmp_path_factory.mktemp("words")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>").save_pretrained(folder)
    return folder


def test_counts_are_of_the_text_alone(words: Path) -> None:
    assert TokenCounter(words).count(["one two three", "", "one"]) == [3, 0, 1]
    assert TokenCounter(words).count([]) == []


def test_many_texts_keep_their_order(words: Path) -> None:
    lengths = [n % 7 for n in range(2 * BATCH_TEXTS + 3)]
    assert TokenCounter(words).count(["one " * n for n in lengths]) == lengths


@pytest.mark.skipif(not TINY.is_dir(), reason="the shared tokenizer is not beside the repository")
def test_the_tiny_tokenizer_splits_words_into_pieces() -> None:
    counter = TokenCounter(TINY)
    assert counter.count([" sist", " sist" * 100]) == [1, 100]
    assert counter.count(["¡Hola! 你好"])[0] > 2


def test_a_directory_without_a_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: not a directory"):
        TokenCounter(tmp_path / "none").count(["x"])
    with pytest.raises(UserError, match="no tokenizer could be loaded"):
        TokenCounter(tmp_path).count(["x"])
