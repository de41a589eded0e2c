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
        outcomes = set(tape.requests["outcome"].to_pylist())
        assert outcomes <= {"ok", "cancelled"}  # what had not ended within the grace time
        assert "ok" in outcomes
    embedded = tapes["intfloat_e5-mistral-7b-instruct-openai-embeddings-concurrency1"]
    assert len(embedded.requests) > 10
    assert min(embedded.requests["server_input_tokens"].to_pylist()) > 10
