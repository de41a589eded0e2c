"""NVIDIA's article on GenAI-Perf: its commands, with only the program's name changed, against llama.cpp's server."""

from pathlib import Path
from typing import Any

import pytest
from tokentape.engine.tape.read import open_tape

pytestmark = pytest.mark.real_server

GENERATING = (
    "profile -m gpt2 --service-kind openai --endpoint-type chat --tokenizer gpt2 --streaming",
    "profile -m gpt2 --service-kind openai --endpoint-type completions --tokenizer gpt2 --generate-plots",
)
EMBEDDINGS = (
    "profile -m intfloat/e5-mistral-7b-instruct --batch-size 2 --service-kind openai --endpoint-type embeddings "
    "--input-file embeddings.jsonl --api-key-env LLAMA_KEY"
)


def test_the_articles_commands(article: Any, llama: str, guarded: str, api_key: str, tmp_path: Path) -> None:
    commands = [f"{command} -u {llama}" for command in GENERATING] + [f"{EMBEDDINGS} -u {guarded}"]
    results = article(commands, env={"LLAMA_KEY": api_key})
    for result in results:
        assert result.returncode in (0, 3), result.stderr  # a slow machine may end too few requests for a verdict
    tapes = {path.parent.name: open_tape(path) for path in (tmp_path / "artifacts").glob("*/*.tape")}
    assert len(tapes) == 3
    for tape in tapes.values():
        # Without a length asked for the model may talk for longer than the grace time.
        assert set(tape.requests["outcome"].to_pylist()) <= {"ok", "cancelled"}
    embedded = tapes["intfloat_e5-mistral-7b-instruct-openai-embeddings-concurrency1"]
    assert embedded.requests["outcome"].to_pylist().count("ok") > 10
    assert min(embedded.requests["server_input_tokens"].drop_null().to_pylist()) > 10


def test_with_a_length_all_of_them_end(article: Any, llama: str, tmp_path: Path) -> None:
    short = "--isl 40 --osl 16 --num-prompts 5 --request-count 10 --artifact-dir"
    results = article([f"{command} -u {llama} {short} {place}" for place, command in enumerate(GENERATING)])
    for place, result in enumerate(results):
        assert result.returncode in (0, 3), result.stderr
        (path,) = (tmp_path / str(place)).glob("*.tape")
        tape = open_tape(path)
        assert tape.requests["outcome"].to_pylist() == ["ok"] * 10
        assert tape.requests["output_tokens"].to_pylist() == [16] * 10
