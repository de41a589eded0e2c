"""Files and folders of prompts, and the errors that name their lines."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from tokentape.traces.content import Content
from tokentape.traces.errors import InputError, TraceError
from tokentape.traces.inputs.prompt_files import load_inputs

Put = Callable[..., Path]

QA = [Content(text="a"), Content(text="b, c", output_tokens=5)]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file below the test's folder."""

    def write(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("f.jsonl", '{"text": "a"}\n\n{"prompt": "b, c", "max_tokens": 5}\n'),
        ("f", '{"text": "a"}\r\n{"prompt": "b, c", "max_tokens": 5}'),
        ("f.json", '{"text": "a"}\n{"prompt": "b, c", "max_tokens": 5}\n'),
        ("f.json", '[{"text": "a"}, {"prompt": "b, c", "max_tokens": 5}]'),
        ("f.json", '{"data": [\n{"text": "a"}, {"prompt": "b, c", "max_tokens": 5}]}'),
        ("f.csv", 'text,max_tokens\na,\n"b, c",5\n'),
        ("f.csv", '\ufefftext,max_tokens\r\na,\r\n"b, c",5.0\r\n'),
    ],
)
def test_files_of_rows(put: Put, name: str, data: str) -> None:
    assert load_inputs(put(name, data)) == QA
    assert load_inputs(put(f"{name}.gz", gzip.compress(data.encode()))) == QA
    packed = pa.Codec("zstd").compress(data.encode(), asbytes=True)
    assert load_inputs(str(put(f"{name}.zst", packed))) == QA


def test_text_files_have_a_prompt_on_each_line(put: Put) -> None:
    want = [Content(text="one"), Content(text="  zwölf")]
    assert load_inputs(put("f.txt", "one\r\n\n  zwölf\n")) == want
    assert load_inputs(put("f", "one\n  zwölf")) == want
    assert load_inputs(put("f.txt", '{"text": "a"}')) == [Content(text='{"text": "a"}')]


def test_parquet(put: Put, tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    parquet.write_table(pa.table({"text": ["a", "b, c"], "max_tokens": [None, 5], "n": [1, 2]}), path)
    said: list[str] = []
    assert load_inputs(path, on_note=said.append) == QA
    assert said == [f"{path}: not looked at: n (fields of the request's body go under payload)"]
    assert load_inputs(put("f", path.read_bytes())) == QA


def test_a_column_is_named(put: Put) -> None:
    path = put("f.csv", "text,other\na,x\nb,y\n")
    assert load_inputs(path, column="other") == [Content(text="x"), Content(text="y")]


def test_quoted_lines_of_csv(put: Put) -> None:
    long = "x" * 200_000
    assert load_inputs(put("f.csv", f'text\n"two\nlines"\n{long}\n')) == [
        Content(text="two\nlines"),
        Content(text=long),
    ]


def test_genai_perfs_own_inputs_json_is_read_again(put: Put) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert load_inputs(put("inputs.json", json.dumps({"data": [{"payload": [body]}]}))) == [Content(payload=body)]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("f.jsonl", '{"text": "a"}\n\n{"txt": "b"}\n', "f.jsonl, line 3: has none of text, prompt, messages, payload; "
         "it has 'txt'"),
        ("f.jsonl", '{"text": "a"}\n{"text": 3}\n', "f.jsonl, line 2, field text: is 3 where a text belongs"),
        ("f.jsonl", '{"text": "a"}\n{"text": "b"\n', "f.jsonl, line 2: is not JSON"),
        ("f.jsonl", '{"text": "a"}\n"b"\n', """f.jsonl, line 2: 'b' is not an object; {"text": "..."} belongs there"""),
        ("f.json", '[{"text": "a"}, 4]', "f.json, row 2: 4 is not an object"),
        ("f.json", "[", "f.json: is not JSON"),
        ("f.json", "4", "f.json: is neither a list of objects nor"),
        ("f.csv", "a,b\n1,2\n", "f.csv, row 1: has none of text, prompt, messages, payload; it has 'a, b'"),
        ("f.csv", "text,max_tokens\na,many\n", "f.csv, row 1, field max_tokens: 'many' is not a number"),
        ("f.csv", "text\na,b\n", "f.csv: is no CSV with a header"),
        ("f.csv", "text\n", "f.csv: holds no rows"),
        ("f.parquet", "PAR2", "f.parquet: is no Parquet file"),
        ("f.parquet", "PAR1 and no more", "f.parquet, row 1: is damaged"),
        ("f.jsonl", "", "f.jsonl: is empty; a prompt on each line belongs there"),
        ("f.jsonl", "\n\n", "f.jsonl: holds no rows"),
        ("f.txt", b"\xff\xfe", "f.txt, line 1: is not UTF-8 text"),
    ],
)  # fmt: skip
def test_the_error_names_file_line_and_field(put: Put, name: str, data: bytes | str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_inputs(put(name, data))
    assert said in str(caught.value)


def test_genai_perfs_payload_files(put: Put) -> None:
    """Keys that are not known are fields of the body, but for those of traces."""
    path = put(
        "f.jsonl", '{"text": "a", "timestamp": 5, "temperature": 0.5}\n{"text": "b", "payload": {"n": 2}, "n": 1}'
    )
    said: list[str] = []
    assert load_inputs(f"payload:{path}", on_note=said.append) == [
        Content(text="a", payload={"temperature": 0.5}),
        Content(text="b", payload={"n": 2}),
    ]
    assert said == [f"{path}: not looked at: timestamp (fields of the request's body go under payload)"]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none\.jsonl: there is no such file"):
        load_inputs(tmp_path / "none.jsonl")


def test_a_folder_is_all_its_files_in_order(put: Put, tmp_path: Path) -> None:
    put("in/b.txt", "three")
    put("in/a.jsonl", '{"text": "one"}\n{"text": "two"}')
    put("in/README.md", "no input")
    assert [content.text for content in load_inputs(tmp_path / "in")] == ["one", "two", "three"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"is a folder without inputs; \.jsonl, "):
        load_inputs(tmp_path / "empty")


def test_genai_perfs_folder_of_rankings(put: Put, tmp_path: Path) -> None:
    put("r/queries.jsonl", '{"text": "q1"}\n{"text": "q2"}\n')
    put("r/passages.jsonl", "".join(f'{{"text": "p{n}"}}\n' for n in range(3)))
    assert load_inputs(tmp_path / "r") == [Content(query="q1", texts=("p0",)), Content(query="q2", texts=("p1",))]
    assert load_inputs(tmp_path / "r", passages=2) == [
        Content(query="q1", texts=("p0", "p1")),
        Content(query="q2", texts=("p2", "p0")),
    ]
    with pytest.raises(InputError, match="holds 3 passages, and each query is to get 4"):
        load_inputs(tmp_path / "r", passages=4)


ROW = st.dictionaries(st.sampled_from(["text", "x"]), st.text(alphabet='a\n\r,"ü', max_size=6), min_size=1)


@given(st.lists(ROW, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("rows") / "f.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    bad = next((line for line, row in enumerate(rows, 1) if not row.get("text", "").strip()), None)
    if bad is None:
        assert [content.text for content in load_inputs(path)] == [row["text"] for row in rows]
    else:
        with pytest.raises(InputError, match=f"line {bad}"):
            load_inputs(path)
