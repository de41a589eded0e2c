"""What a profile's requests say, from its options: every kind of input reaches the API that it is for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.requests.endpoints import find_endpoint
from tokentape.engine.workloads.options import InputOptions, ProfileOptions
from tokentape.engine.workloads.profile_contents import ProfileContents, make_contents
from tokentape.traces.errors import InputError


def prepared(name: str, inputs: InputOptions, **options: object) -> tuple[ProfileContents, list[str]]:
    """The requests to an API, each of which can be said to it, and what the user is told."""
    api = find_endpoint(name)
    said: list[str] = []
    made = make_contents(replace(ProfileOptions(inputs=inputs), **options), api, said.append)  # type: ignore[arg-type]
    assert all(api.content(content) for content in made.contents)
    assert len(made.contents) == len(made.input_tokens) == len(made.output_tokens)
    return made, said


@pytest.mark.parametrize("name", ["rankings", "cohere_rankings", "tei_rankings"])
@pytest.mark.parametrize("file", [None, Path("synthetic:queries,passages")])
def test_made_rankings(name: str, file: Path | None) -> None:
    made, said = prepared(name, InputOptions(file=file, input_mean=20, batch=3, entries=5))
    assert [len(content.texts or ()) for content in made.contents] == [3] * 5
    assert made.input_tokens.tolist() == [80] * 5
    assert said == ["input lengths are estimates, a word for a token: name the model's tokenizer for exact ones"]


def test_genai_perfs_folder_of_rankings(tmp_path: Path) -> None:
    for stem, texts in (("queries", ("q1", "q2")), ("passages", ("p1", "p2", "p3"))):
        (tmp_path / f"{stem}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    made, _ = prepared("rankings", InputOptions(file=tmp_path, batch=2))
    assert [(content.query, content.texts) for content in made.contents] == [
        ("q1", ("p1", "p2")), ("q2", ("p3", "p1"))
    ]  # fmt: skip


def test_embeddings_in_batches(tmp_path: Path) -> None:
    (tmp_path / "embeddings.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n{"text": "three"}\n')
    made, _ = prepared("embeddings", InputOptions(file=tmp_path / "embeddings.jsonl", batch=2))
    assert [content.texts for content in made.contents] == [("one", "two"), ("three", "one")]
    with pytest.raises(UserError, match="--batch-size 2: --endpoint-type chat takes one text per request"):
        prepared("chat", InputOptions(file=tmp_path / "embeddings.jsonl", batch=2))


def test_prefixes_go_before_texts_of_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("one\ntwo\n")
    made, _ = prepared("completions", InputOptions(file=tmp_path / "f.txt", prefixes=1, prefix_tokens=9))
    texts = [str(content.text).split() for content in made.contents]
    assert [text[9:] for text in texts] == [["one"], ["two"]]
    assert texts[0][:9] == texts[1][:9]


def test_lengths_are_those_of_a_mix(tmp_path: Path) -> None:
    made, _ = prepared("chat", InputOptions(lengths="20,3:50;40,6:50", entries=50), ask_length=True)
    assert set(zip(made.input_tokens.tolist(), made.output_tokens.tolist(), strict=True)) == {(20, 3), (40, 6)}


def test_images_stand_beside_the_text() -> None:
    made, _ = prepared("chat", InputOptions(image_width=8, image_height=4, entries=3))
    assert len({content.images for content in made.contents}) == 3


def test_the_error_of_a_row_names_it(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text('{"text": "a"}\n{"txt": "b"}\n')
    with pytest.raises(
        InputError, match=r"f\.jsonl, line 2: has none of text, prompt, messages, payload; it has 'txt'"
    ):
        prepared("chat", InputOptions(file=tmp_path / "f.jsonl"))
