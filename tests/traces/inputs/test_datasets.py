"""Local copies of known datasets, in their hub's layout, through the datasets library; and what is said without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from tokentape.traces.content import Content
from tokentape.traces.errors import InputError
from tokentape.traces.inputs.datasets import load_dataset

pytest.importorskip("datasets")

ORCA = {
    "id": [f"niv.{n}" for n in range(5)],
    "system_prompt": ["", "You are an AI assistant.", "", "Be brief.", ""],
    "question": ["Why?", "How?", "", "Where?", "When?"],
    "response": ["r"] * 5,
}
NEWS = {"article": ["(CNN) One.", "(CNN) Two."], "highlights": ["1", "2"], "id": ["a", "b"]}
TALKS = [
    {"id": "1", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello there"}]},
    {"id": "2", "conversations": [{"from": "gpt", "value": "an answer alone"}]},
    {"id": "3", "conversations": [{"from": "human", "value": "bye"}]},
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library keeps lies in the test's folder."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def table(path: Path, columns: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)
    return path


def test_openorca(tmp_path: Path) -> None:
    path = table(tmp_path / "orca" / "1M-GPT4-Augmented.parquet", ORCA)
    said: list[str] = []
    contents = load_dataset(str(path.parent), on_note=said.append)
    assert contents == [
        Content(text="Why?"),
        Content(text="How?", system="You are an AI assistant."),
        Content(text="Where?", system="Be brief."),
        Content(text="When?"),
    ]
    assert said == [f"{path.parent}: 1 row without a prompt left out"]
    assert load_dataset(str(path), limit=2) == contents[:2]


def test_cnn_dailymail_has_subsets_and_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        named = {name: [f"{split} {value}" for value in values] for name, values in NEWS.items()}
        table(tmp_path / "cnn" / "3.0.0" / f"{split}-00000-of-00001.parquet", named)
    (tmp_path / "cnn" / "README.md").write_text(
        "---\nconfigs:\n- config_name: 3.0.0\n  data_files:\n"
        "  - {split: train, path: 3.0.0/train-*}\n  - {split: test, path: 3.0.0/test-*}\n---\n"
    )
    folder = str(tmp_path / "cnn")
    assert [content.text for content in load_dataset(folder)] == ["train (CNN) One.", "train (CNN) Two."]
    assert load_dataset(folder, split="test", subset="3.0.0", limit=1) == [Content(text="test (CNN) One.")]
    assert load_dataset(folder, column="highlights", limit=1) == [Content(text="train 1")]
    with pytest.raises(InputError, match=r"has no split 'dev'; name one of train, test with --dataset-split"):
        load_dataset(folder, split="dev")
    with pytest.raises(InputError, match=r"cannot be loaded: .*1\.0\.0.*name one with --dataset-subset"):
        load_dataset(folder, subset="1.0.0")
    with pytest.raises(InputError, match="has no column 'body'; it has 'article, highlights, id'"):
        load_dataset(folder, column="body")


def test_sharegpt(tmp_path: Path) -> None:
    path = tmp_path / "ShareGPT_V3_unfiltered_cleaned_split.json"
    path.write_text(json.dumps(TALKS))
    assert load_dataset(str(path)) == [Content(text="hi", output_tokens=3), Content(text="bye")]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "txt"])
def test_other_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"f.{suffix}"
    path.write_text(
        {"jsonl": '{"text": "one"}\n{"text": "two"}\n', "csv": "text\none\ntwo\n", "txt": "one\ntwo\n"}[suffix]
    )
    assert load_dataset(str(path)) == [Content(text="one"), Content(text="two")]


def test_a_seed_shuffles(tmp_path: Path) -> None:
    path = str(table(tmp_path / "f.parquet", {"text": [f"t{n}" for n in range(100)]}))
    plain, one, again, other = (load_dataset(path, seed=seed) for seed in (None, 1, 1, 2))
    assert [content.text for content in plain] == [f"t{n}" for n in range(100)]
    assert one == again != other
    assert one != plain
    assert sorted(map(str, one)) == sorted(map(str, plain))
    assert load_dataset(path, seed=1, limit=7) == one[:7]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": ["x"], "b": ["y"]}, "no column of it is known to be the prompt; it has 'a, b': name one with"),
        ({"text": ["", " "]}, "has no row with a prompt: 2 rows without one"),
        ({"text": [1, 2]}, "row 1, field text: is 1 where a text belongs"),
    ],
)
def test_columns_that_are_no_prompts(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(str(table(tmp_path / "f.parquet", columns)))
    assert said in str(caught.value)


def test_files_that_are_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "f.parquet").write_text("no parquet")
    (tmp_path / "f.doc").write_text("a")
    (tmp_path / "empty").mkdir()
    for name, said in (
        ("f.parquet", "cannot be "),
        ("f.doc", "is no dataset's file"),
        ("empty", "cannot be loaded"),
        ("none.parquet", "there is no such file or folder"),
    ):
        with pytest.raises(InputError, match=said):
            load_dataset(str(tmp_path / name))
    with pytest.raises(InputError, match="0 rows are asked for"):
        load_dataset("openorca", limit=0)


OFFLINE = """
from tokentape.traces.inputs.datasets import load_dataset
from tokentape.traces.errors import InputError
{before}
try:
    load_dataset({name!r})
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "before", "env", "said"),
    [
        # Nobody listens on the discard port of this machine: the hub is out of reach.
        ("openorca", "", {"HF_ENDPOINT": "http://127.0.0.1:9"},
         "openorca: http://127.0.0.1:9 cannot be reached; name a local copy (hf download Open-Orca/OpenOrca "),
        ("sharegpt", "", {"HF_HUB_OFFLINE": "1"},
         "Couldn't reach 'anon8231489123/ShareGPT_Vicuna_unfiltered' on the Hub"),
        ("cnn_dailymail", "import sys; sys.modules['datasets'] = None", {},
         "cnn_dailymail: needs the datasets library: pip install 'tokentape[datasets]'"),
        ("a/b/c", "", {}, "a/b/c: is no file, no folder and no hub name; names are openorca, cnn_dailymail, sharegpt"),
    ],
)  # fmt: skip
def test_what_is_said_when_a_dataset_cannot_be_had(
    tmp_path: Path, name: str, before: str, env: dict[str, str], said: str
) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE.format(name=name, before=before)],
        capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60,
        env={**kept, "PYTHONPATH": path, "HF_HOME": str(tmp_path), **env},
    )  # fmt: skip
    assert said in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
