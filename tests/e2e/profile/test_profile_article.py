"""NVIDIA's article on GenAI-Perf: its commands, with only the program's name changed, against the simulated server."""

import csv
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from completed_runs import assert_completed
from tokentape.engine.tape.read import open_tape

ARTICLE = (
    "profile -m gpt2 --service-kind openai --endpoint-type chat --tokenizer gpt2",
    "profile -m gpt2 --service-kind openai --endpoint-type completions --tokenizer gpt2 --generate-plots",
    "profile -m intfloat/e5-mistral-7b-instruct --batch-size 2 --service-kind openai --endpoint-type embeddings "
    "--input-file embeddings.jsonl",
)
FOLDERS = (
    "gpt2-openai-chat-concurrency1",
    "gpt2-openai-completions-concurrency1",
    "intfloat_e5-mistral-7b-instruct-openai-embeddings-concurrency1",
)
PLOTS = ("input_vs_output_length", "request_latency", "time_to_first_token")


@pytest.fixture
def on_port_8000(simulator: Any) -> str:
    """A server where GenAI-Perf looks for one; elsewhere, and told so, where that port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8000))
        except OSError:
            return f" -u {simulator(ttft='20ms', itl='2ms').url}"
    simulator(ttft="20ms", itl="2ms", port=8000)
    return ""


def test_the_articles_commands(article: Any, on_port_8000: str, tmp_path: Path) -> None:
    results = article([command + on_port_8000 for command in ARTICLE])
    for result, folder in zip(results, FOLDERS, strict=True):
        assert_completed(result.returncode, tmp_path / "artifacts" / folder, result.stderr)
        artifacts = tmp_path / "artifacts" / folder
        (path,) = artifacts.glob("*.tape")
        tape = open_tape(path)
        assert set(tape.requests["outcome"].to_pylist()) == {"ok"}
        assert len(tape.requests) > 50
        exported = json.loads((artifacts / "profile_export.json").read_text())
        assert len(exported["experiments"][0]["requests"]) == len(tape.requests)
        assert exported["experiments"][0]["experiment"] == {"mode": "concurrency", "value": 1}
        stats = json.loads((artifacts / "profile_export_genai_perf.json").read_text())
        assert stats["request_count"]["avg"] == len(tape.requests)
        payloads = json.loads((artifacts / "inputs.json").read_text())["data"]
        assert len(payloads) == min(100, len(tape.requests)) or len(payloads) == 2
        with (artifacts / "profile_export_genai_perf.csv").open() as file:
            assert next(csv.reader(file))[:2] == ["Metric", "avg"]
    plots = tmp_path / "artifacts" / FOLDERS[1] / "plots"
    drawn = {path.stem for path in plots.glob("*.png")}
    assert "request_latency" in " ".join(drawn).replace("-", "_")
    assert len(drawn) >= 5


def test_the_tables_rows_are_those_of_the_kind(article: Any, simulator: Any) -> None:
    url = simulator(ttft="5ms", itl="1ms").url
    base = f"profile -m gpt2 --tokenizer gpt2 -u {url} --request-count 5 --osl 4 --dialect genai-perf"
    whole, streamed = article([base + " --artifact-dir a", base + " --streaming --artifact-dir b"])
    assert "Request Latency (ms)" in whole.stdout
    assert "Time To First Token (ms)" not in whole.stdout
    assert "Time To First Token (ms)" in streamed.stdout
    assert "NVIDIA GenAI-Perf | LLM Metrics" in streamed.stdout
