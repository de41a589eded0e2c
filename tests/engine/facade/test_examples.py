"""The examples run without changes against the simulated server."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import tokentape
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[3] / "examples"
ENV = os.environ | {"PYTHONPATH": str(Path(tokentape.__file__).parents[1])}


def run(folder: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run an example in the temporary folder of the test."""
    command = [sys.executable, "-W", "error", EXAMPLES / name, *words]
    return subprocess.run(command, cwd=folder, env=ENV, capture_output=True, text=True, timeout=120, check=False)


def test_there_is_a_test_for_each_and_a_line_in_the_readme() -> None:
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".ipynb")}
    assert files == {"nightly_regression.py", "capacity.py", "record_production.py", "notebook.ipynb"}
    linked = re.findall(r"^\| \[\S+\]\((\S+)\)", (EXAMPLES / "README.md").read_text(), re.M)
    assert sorted(linked) == sorted(files)


def test_nightly_regression(tmp_path: Path) -> None:
    first = run(tmp_path, "nightly_regression.py")
    assert first.returncode == 0, first.stderr
    assert "this is the first night" in first.stdout
    same = run(tmp_path, "nightly_regression.py", "--allowed", "0.5")
    assert same.returncode == 0, same.stdout + same.stderr
    assert "ttft p50" in same.stdout
    assert same.stdout.endswith("no regression\n")
    slower = run(tmp_path, "nightly_regression.py", "--ttft", "100ms", "--allowed", "0.5")
    assert slower.returncode == 1, slower.stdout + slower.stderr
    assert slower.stdout.endswith("REGRESSION\n")
    assert len(list((tmp_path / "nightly").glob("*.tape"))) == 3


def test_nightly_regression_names_a_bad_trace(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("{}\n")
    result = run(tmp_path, "nightly_regression.py", "--trace", "bad.jsonl")
    assert result.returncode == 2
    assert result.stderr.startswith("error: bad.jsonl")


def test_capacity(tmp_path: Path) -> None:
    result = run(tmp_path, "capacity.py", "--concurrency", "1", "8")
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()[1:3]]
    assert [row[0] for row in rows] == ["1", "8"]
    tokens_per_s = [float(row[1].replace(",", "")) for row in rows]
    assert tokens_per_s[1] > 3 * tokens_per_s[0]
    assert "with 8 in flight" in result.stdout


def test_record_production(tmp_path: Path) -> None:
    result = run(tmp_path, "record_production.py", "--requests", "40")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "40 requests recorded" in result.stdout
    ttft = [float(found) for found in re.findall(r"TTFT p50 ([\d.]+) ms", result.stdout)]
    assert ttft[1] < 0.8 * ttft[0]


def test_the_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
    monkeypatch.setenv("PYTHONPATH", ENV["PYTHONPATH"])
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    asyncio.run(client.async_execute())
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output for output in shown if output.output_type in ("error", "stream")] == []
    html = [output.data["text/html"] for output in shown if "text/html" in output.get("data", {})]
    assert any("80 requests, 80 ok" in text for text in html)
    assert any(text.count("<img") == 2 for text in html)
