"""Token counts from tokenizers that lie on disk, and what is said of names that do not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.tokenizer import BATCH_TEXTS, TokenCounter, load_tokenizer

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


def test_special_tokens_and_templates_are_counted(words: Path) -> None:
    counter = TokenCounter(words)
    chat = [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "one"}]
    parts = [{"role": "user", "content": [{"type": "text", "text": "one two"}, {"type": "image_url"}]}]
    assert counter.count_prompts(["one two three", ""]) == [4, 1]
    assert counter.count_chats([chat, parts]) == [4, 3]  # no template: the texts, and the token that begins a prompt
    counter.tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}"
    assert counter.count_chats([chat, parts]) == [5, 3]
    counter.tokenizer.chat_template = "{{ raise_exception('no system prompt here') }}"
    with pytest.raises(UserError, match="its chat template refuses the messages: no system prompt here"):
        counter.count_chats([chat])


@pytest.mark.skipif(not TINY.is_dir(), reason="the shared tokenizer is not beside the repository")
def test_a_template_counts_what_the_server_would_encode() -> None:
    counter = TokenCounter(TINY)
    rendered = "user: sin tin\nassistant: "
    assert counter.count_chats([[{"role": "user", "content": "sin tin"}]]) == counter.count([rendered])


@pytest.mark.parametrize("name", ["/no/where", "./here", "a/b/c", "with space", "-x", ""])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UserError, match="not a directory; give one with a tokenizer's files"):
        load_tokenizer(name)


def test_a_file_is_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="not a directory"):
        load_tokenizer(str(tmp_path / "tokenizer.json"))


LOAD = """
import sys
from tokentape.engine.errors import UserError
from tokentape.engine.tokenizer import load_tokenizer
try:
    print(len(load_tokenizer(sys.argv[1], revision=sys.argv[2] or None)))
except UserError as error:
    print(error)
"""


def told(folder: Path, name: str, revision: str, **env: str) -> str:
    """What a process with a hub cache of its own says of a name; it must say nothing else."""
    kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, name, revision],
        capture_output=True, text=True, check=True, timeout=60,
        env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HF_HOME": str(folder), **env},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.strip()


def test_a_name_that_is_not_here_and_no_network(tmp_path: Path) -> None:
    # Nobody listens on the discard port of this machine: the hub is out of reach.
    assert told(tmp_path, "gpt2", "", HF_ENDPOINT="http://127.0.0.1:9") == (
        "gpt2: no tokenizer of this name in the hub's cache on this machine (HF_HOME), and http://127.0.0.1:9 cannot "
        "be reached; name a directory with its tokenizer.json, or run once where there is a network: hf download gpt2"
    )
    assert "and HF_HUB_OFFLINE is set;" in told(tmp_path, "gpt2", "v1", HF_HUB_OFFLINE="1")
    assert told(tmp_path, "gpt2", "v1", HF_HUB_OFFLINE="1").endswith("hf download gpt2 --revision v1")


def test_a_name_in_the_hubs_cache_needs_no_network(tmp_path: Path, words: Path) -> None:
    commit = "0" * 40
    cached = tmp_path / "hub" / "models--o--m"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(commit)
    snapshot = cached / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for file in words.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    (snapshot / "config.json").write_text('{"model_type": "gpt2"}')  # as every model of the hub has one
    assert told(tmp_path, "o/m", "", HF_ENDPOINT="http://127.0.0.1:9") == "3"
