"""Synthetic prompts and counted contents against what llama.cpp's own server counts."""

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tokentape.engine.tokenizer import TokenCounter
from tokentape.traces.content import Content
from tokentape.traces.inputs.counts import count_tokens
from tokentape.traces.inputs.lengths import Lengths
from tokentape.traces.inputs.prefixes import Prefixes
from tokentape.traces.inputs.synthetic import SyntheticPrompts

pytestmark = pytest.mark.real_server

TOKENIZER = Path(__file__).parents[3] / "shared" / "tokenizers" / "smollm2"


def prompt_tokens(url: str, body: dict[str, Any]) -> int:
    """What the server says it read."""
    request = Request(url, json.dumps(body | {"max_tokens": 1}).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return int(json.load(answer)["usage"]["prompt_tokens"])


def chat_of(content: Content) -> list[dict[str, Any]]:
    system = [] if content.system is None else [{"role": "system", "content": content.system}]
    return [*system, {"role": "user", "content": content.text}]


def test_prompts_have_as_many_tokens_for_the_server_as_were_asked_for(llama: str) -> None:
    counter = TokenCounter(TOKENIZER)
    lengths = Lengths.normal(120, 40)
    for prefixes in (Prefixes(), Prefixes(2, 40, 25)):
        asked = lengths.draw(3, 5)[0] + prefixes.tokens + prefixes.system_tokens
        chats = SyntheticPrompts(lengths, counter, form="chat", seed=5, prefixes=prefixes).make(3)
        texts = SyntheticPrompts(lengths, counter, form="prompt", seed=5, prefixes=prefixes).make(3)
        found = [prompt_tokens(f"{llama}/v1/chat/completions", {"messages": chat_of(one)}) for one in chats.contents]
        assert found == chats.input_tokens.tolist() == asked.tolist()
        found = [prompt_tokens(f"{llama}/v1/completions", {"prompt": one.text}) for one in texts.contents]
        assert found == texts.input_tokens.tolist() == asked.tolist()


def test_contents_of_all_kinds_count_as_the_server_counts_them(llama: str) -> None:
    chats: list[list[dict[str, Any]]] = [
        [{"role": "user", "content": "¿Qué hora es? 你好 🙂"}],
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?\n\n  Why not?"}],
        [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": [{"type": "text", "text": "three"}]},
        ],
    ]
    counted = count_tokens([Content(messages=tuple(chat)) for chat in chats], TokenCounter(TOKENIZER), form="chat")
    found = [prompt_tokens(f"{llama}/v1/chat/completions", {"messages": chat}) for chat in chats]
    assert counted.tolist() == found
