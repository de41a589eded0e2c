"""Tokenizers and datasets by name, from a server here that speaks what their libraries use of the hub's API."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pytest
from pyarrow import parquet

pytest.importorskip("datasets")

COMMIT = "1" * 40


class Hub(BaseHTTPRequestHandler):
    """Files of repositories below a folder: ``/NAME/resolve/REVISION/FILE`` and what ``/api`` says of them."""

    root: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.asked.append(path)
        if "/resolve/" in path:
            repo, _, rest = path.removeprefix("/datasets").strip("/").partition("/resolve/")
            file = self.root / repo / rest.partition("/")[2]
            absent = "EntryNotFound" if (self.root / repo).is_dir() else "RepoNotFound"
            self.send(file.read_bytes() if file.is_file() else None, absent)
            return
        name = path.removeprefix("/api/").partition("/")[2]
        repo, _, folder = name.partition("/tree/")
        base = self.root / repo.partition("/revision/")[0]
        files = [file for file in sorted(base.rglob("*")) if file.is_file()]
        names = [str(file.relative_to(base)) for file in files]
        if "/tree/" in name:
            inside = folder.partition("/")[2]
            found = [
                {"type": "file", "path": name, "size": file.stat().st_size, "oid": COMMIT}
                for name, file in zip(names, files, strict=True)
                if name.startswith(inside)
            ]
            self.send(json.dumps(found).encode() if found else None, "EntryNotFound")
        else:
            info = {"id": repo, "sha": COMMIT, "private": False, "gated": False, "tags": [], "downloads": 0, "likes": 0,
                    "siblings": [{"rfilename": name} for name in names]}  # fmt: skip
            self.send(json.dumps(info).encode() if files else None, "RepoNotFound")

    def send(self, data: bytes | None, absent: str) -> None:
        """What was asked for, or the part of it that was."""
        status, headers = (200, {}) if data is not None else (404, {"X-Error-Code": absent})
        data = data or b""
        whole, etag = len(data), hashlib.sha256(data).hexdigest()
        if status == 200 and (wanted := self.headers.get("Range")):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            data = data[int(first) : int(last) + 1 if last else None]
            status, headers = 206, {"Content-Range": f"bytes {first}-{int(first) + len(data) - 1}/{whole}"}
        self.send_response(status)
        for key, value in {
            "Content-Length": str(len(data)),
            "ETag": f'"{etag}"',
            "X-Repo-Commit": COMMIT,
            **headers,
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing is written."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[str, type[Hub]]]:
    """The address of a hub, and its folder and what it was asked."""
    handler = type("Handler", (Hub,), {"root": tmp_path / "hub", "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()


LOAD = """
import sys
from tokentape.engine.errors import UserError
from tokentape.traces.errors import InputError
try:
    {code}
except (UserError, InputError) as error:
    print(error)
"""
DATASET = "from tokentape.traces.inputs.datasets import load_dataset; print(load_dataset({arguments}))"
TOKENS = "from tokentape.engine.tokenizer import TokenCounter; print(TokenCounter({arguments}).count(['one two']))"


def run(home: Path, url: str, code: str) -> str:
    """What a process says that finds the hub there, with a cache of its own."""
    kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    done = subprocess.run(
        [sys.executable, "-c", LOAD.format(code=code)], capture_output=True, text=True, check=True, timeout=100,
        cwd=home, env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HF_HOME": str(home / "home"),
                       "HF_ENDPOINT": url},
    )  # fmt: skip
    return done.stdout.strip()


def test_a_dataset_is_streamed_from_the_hub(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    url, served = hub
    repo = served.root / "Open-Orca" / "OpenOrca"
    repo.mkdir(parents=True)
    for name, question in (("1M-GPT4-Augmented", "first"), ("3_5M-GPT3_5-Augmented", "second")):
        rows = {"id": ["a"], "system_prompt": [""], "question": [question], "response": ["r"]}
        parquet.write_table(pa.table(rows), repo / f"{name}.parquet")
    found = run(tmp_path, url, DATASET.format(arguments="'openorca', limit=1"))
    assert "text='first'" in found
    assert any(path.endswith("/1M-GPT4-Augmented.parquet") for path in served.asked)
    assert not any(path.endswith("/3_5M-GPT3_5-Augmented.parquet") for path in served.asked)


def test_of_sharegpt_one_file_is_read(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    url, served = hub
    repo = served.root / "anon8231489123" / "ShareGPT_Vicuna_unfiltered"
    repo.mkdir(parents=True)
    talk = [{"from": "human", "value": "why?"}, {"from": "gpt", "value": "12345"}]
    (repo / "ShareGPT_V3_unfiltered_cleaned_split.json").write_text(json.dumps([{"id": "1", "conversations": talk}]))
    (repo / "other.json").write_text("[{")
    found = run(tmp_path, url, DATASET.format(arguments="'sharegpt'"))
    assert "text='why?'" in found
    assert "output_tokens=2" in found


def test_a_dataset_that_the_hub_has_not(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    found = run(tmp_path, hub[0], DATASET.format(arguments="'o/none'"))
    assert found.startswith("o/none: cannot be loaded: Dataset 'o/none' doesn't exist on the Hub")
    assert len(found.splitlines()) == 1


def test_a_tokenizer_is_fetched_once(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    from transformers import PreTrainedTokenizerFast

    url, served = hub
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<unk>": 0, "one": 1}, "<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(served.root / "o" / "m")
    (served.root / "o" / "m" / "config.json").write_text('{"model_type": "gpt2"}')
    assert run(tmp_path, url, TOKENS.format(arguments="'o/m', revision='main'")) == "[2]"
    assert served.asked
    served.asked.clear()
    assert run(tmp_path, url, TOKENS.format(arguments="'o/m', revision='main'")) == "[2]"
    assert not [path for path in served.asked if "o/m" in path]


def test_a_tokenizer_that_the_hub_has_not(tmp_path: Path, hub: tuple[str, type[Hub]]) -> None:
    url = hub[0]
    found = run(tmp_path, url, TOKENS.format(arguments="'o/none'"))
    assert found.startswith(f"o/none: no tokenizer could be loaded from {url}: o/none is not a local folder")
    assert len(found.splitlines()) == 1
