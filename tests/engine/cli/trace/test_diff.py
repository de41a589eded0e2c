"""``tokentape trace diff``: traces, and a trace with the tape of its replay."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tokentape import traces
from tokentape.engine.cli.main import cli
from tokentape.engine.errors import UserError
from tokentape.engine.measure.summary import summarize
from tokentape.engine.tape import Tape

BLOCK = 512


@pytest.fixture
def sharing(tmp_path: Path) -> Path:
    """Write a trace of 20 requests of 2.5 blocks, 60 ms apart. All share block 0, and pairs share the second."""
    lines = [
        {"timestamp": 60 * i, "input_length": 1280, "output_length": 3, "hash_ids": [0, 1 + i // 2, 100 + i]}
        for i in range(20)
    ]
    path = tmp_path / "sharing.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def diff(*words: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(cli, ["trace", "diff", *map(str, words), "--format", "json"], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found | {"note": result.stderr}


def test_a_trace_and_the_tape_of_its_replay(simulator: Any, replayed: Callable[..., Tape], sharing: Path) -> None:
    server = simulator(prefix_cache=1000, block_tokens=BLOCK)
    tape = replayed(sharing, server.url, speed="2", start_ns=120_000_000, limit=16)
    plan = tape.manifest["plan"]
    assert (plan["blocks"], plan["planned_reuse_blocks"], plan["block_tokens"]) == (48, 15 + 8, BLOCK)
    found = diff(sharing, tape.path)
    assert found["note"] == ""
    fidelity = found["fidelity"]
    assert fidelity["planned"]["requests"] == fidelity["got"]["requests"] == 16
    assert fidelity["planned"]["span_s"] == 0.45
    assert fidelity["order_violations"] == 0
    assert fidelity["lateness_ms"]["min"] >= 0
    for name in ("isl", "osl"):
        assert (fidelity[name]["requests"], fidelity[name]["equal_share"], fidelity[name]["error"]) == (16, 1.0, 0.0)
    assert fidelity["planned_reuse"] == {"tokens": 16 * 1280, "cached_tokens": 23 * BLOCK, "share": 23 * BLOCK / 20480}
    assert fidelity["got_reuse"] == fidelity["planned_reuse"]
    assert fidelity == summarize(tape).as_dict()["fidelity"]


def test_two_traces(small_trace: Callable[..., Path]) -> None:
    a, b = small_trace(40, gap_ms=100), small_trace(40, gap_ms=150, input_tokens=30, name="b.jsonl")
    fidelity = diff(a, b)["fidelity"]
    assert (fidelity["lateness_ms"], fidelity["order_violations"]) == (None, None)
    assert fidelity["gaps"]["ks"] == 1.0
    assert fidelity["gaps"]["wasserstein_ms"] == pytest.approx(50)
    assert (fidelity["isl"]["error"], fidelity["isl"]["equal_share"]) == (0.5, None)
    same = diff(a, a)["fidelity"]
    assert (same["gaps"]["ks"], same["gaps"]["wasserstein_ms"], same["rates"][0]["share"]) == (0, 0, 0)


def test_a_tape_of_another_trace_is_a_trace(
    simulator: Any, replayed: Callable[..., Tape], small_trace: Callable[..., Path], sharing: Path
) -> None:
    tape = replayed(sharing, simulator().url, limit=5)
    other = small_trace(5)
    found = diff(other, tape.path)
    assert "was not replayed from" in found["note"]
    assert found["fidelity"]["lateness_ms"] is None
    assert diff(tape.path, tape.path)["fidelity"]["gaps"]["ks"] == 0
    assert diff(tape.path, other)["fidelity"]["got"]["requests"] == 5


def test_a_tape_whose_options_do_not_fit_is_refused(make_tape: Any, small_trace: Callable[..., Path]) -> None:
    trace = small_trace(5)
    manifest = {"trace": {"sha256": traces.read(trace).digest}, "options": {"limit": 3}, "plan": {"rows": 5}}
    tape = make_tape([{"request_id": 0, "sent_ns": 0}], manifest=manifest)
    with pytest.raises(UserError, match=r"had 5 requests.* has 3"):
        CliRunner().invoke(cli, ["trace", "diff", str(trace), str(tape.path)], catch_exceptions=False)


def test_the_table_says_all_in_80_columns(
    simulator: Any, replayed: Callable[..., Tape], sharing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    tape = replayed(sharing, simulator(prefix_cache=1000, block_tokens=BLOCK).url)
    lines = CliRunner().invoke(cli, ["trace", "diff", str(sharing), str(tape.path)]).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for words in ("CV of gaps", "Fano", "prefix reuse", "Lateness", "KS distance", "Wasserstein", "per 10 s", "order"):
        assert words in text
