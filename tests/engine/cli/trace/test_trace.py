"""The verbs of ``tokentape trace``."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tokentape.engine.cli.common.grouped_command import GroupedCommand
from tokentape.engine.cli.main import cli
from tokentape.engine.cli.trace import trace
from tokentape.engine.cli.trace_verbs import VERBS
from tokentape.engine.errors import UserError
from tokentape.traces import TraceError, read, sample_path
from tokentape.traces.detect import READERS

HEAVY = ("numpy", "pyarrow", "msgspec", "rich")


def run(*words: object, width: int = 80) -> Result:
    result = CliRunner().invoke(cli, ["trace", *map(str, words)], env={"COLUMNS": str(width)})
    if isinstance(result.exception, (UserError, TraceError)):
        raise result.exception
    return result


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.fixture
def coarse(tmp_path: Path) -> Path:
    """1,000 requests of 100 sessions, ten at each second."""
    rows = [
        {
            "timestamp": 1000 * (row // 10),
            "input_length": 600 + row % 7,
            "output_length": 5 + row % 3,
            "hash_ids": [0, row % 40 + 1],
            "session_id": f"s{row % 100}",
        }
        for row in range(1000)
    ]
    path = tmp_path / "coarse.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_help_names_every_verb_and_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom tokentape.engine.cli.main import cli\n"
        "cli(['trace', '--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for name in VERBS:
        assert f"\n  {name} " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("width", [80, 140])
def test_stats_for_people(coarse: Path, width: int) -> None:
    shown = lines(run("stats", coarse, width=width))
    assert all(len(line) <= width for line in shown if str(coarse) not in line)
    text = "\n".join(shown)
    assert "1,000 requests over 99.00 s" in text
    assert "Block reuse: 98.0% of 2,000 blocks of 512 tokens, 41 distinct" in text
    assert "Sessions: 100, turns p50 10, max 10; 900 follow-ups" in text
    assert "note: timestamps are quantised to 1 s" in text


def test_stats_for_programs(coarse: Path) -> None:
    result = run("stats", coarse, "--format", "json")
    found = json.loads(result.stdout)
    assert result.stderr == ""
    assert found["rows"] == 1000
    assert found["arrivals"] == {"rate_rps": 1000 / 99, "peak_per_s": 10, "cv": pytest.approx(3.0, abs=0.02), "fano": 0}
    assert found["reuse"]["lru"] == [{"blocks": 1000, "hit_rate": 1959 / 2000}]
    assert found["sessions"]["sessions"] == 100


def test_convert_keeps_everything(coarse: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    shown = lines(run("convert", coarse, out))
    assert shown == [f"1,000 requests of {coarse} (mooncake), {out.stat().st_size:,} bytes"]
    before, after = read(coarse), read(out)
    assert after.table.equals(before.table)
    assert (after.notes, after.format) == (before.notes, before.format)


def test_scale_shows_before_and_after(coarse: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    result = run("scale", coarse, "--dequantize", "uniform", "--thin", "0.5", "--seed", "7", "--loop", "2", "-o", out)
    shown = lines(result)
    assert shown[1:4] == ["  dequantize(uniform, seed=7)", "  thin(0.5, seed=7)", "  loop(2, namespace=same)"]
    assert [line.split()[0].strip(",") for line in shown if line.startswith(("CV", "Fano", "peak", "block"))] == [
        "peak", "CV", "Fano", "block"
    ]  # fmt: skip
    made = read(out)
    assert made.transforms == ("dequantize(uniform, seed=7)", "thin(0.5, seed=7)", "loop(2, namespace=same)")
    assert f"the trace is {out}" in result.stderr
    again = tmp_path / "again.parquet"
    run("scale", coarse, "--loop", "2", "--seed", "7", "--thin", "0.5", "--dequantize", "uniform", "-o", again)
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--window", "10s:20s"], 100),
        (["--window", ":20s"], 200),
        (["--window", "90s:"], 100),
        (["--limit", "7"], 7),
        (["--idle-cap", "100ms"], 1000),
        (["--speed", "2"], 1000),
        (["--multiply", "3"], 3000),
        (["--loop", "3", "--cache-namespace", "new"], 3000),
        (["--session", "s1?"], 100),
        (["--input-tokens", "606:", "--output-tokens", ":5"], 48),
    ],
)
def test_each_knob(coarse: Path, tmp_path: Path, options: list[str], rows: int) -> None:
    out = tmp_path / "out.parquet"
    result = run("scale", coarse, *options, "-o", out, "--format", "json")
    looks = json.loads(result.stdout)
    assert (looks["before"]["rows"], looks["after"]["rows"]) == (1000, rows)
    assert len(read(out)) == rows


def test_merge_puts_two_traces_beside_each_other(coarse: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    run("scale", coarse, "--merge", sample_path(), "-o", out)
    made = read(out)
    assert len(made) == 1480
    assert made.transforms[0].startswith("merge(")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "nothing to change: give at least one of --rate"),
        (["--rate", "2", "--thin", "0.5"], "--rate and --thin cannot be combined"),
        (
            ["--window", "10s"],
            "--window is '10s'; write two values with a colon, as in 600s:1200s; one of them may be left out",
        ),
        (["--window", "x:"], "--window: 'x' is not a duration"),
        (["--idle-cap", "soon"], "--idle-cap: 'soon' is not a duration"),
        (["--input-tokens", "1:-2"], "--input-tokens: '-2' is not a number of tokens"),
        (["--thin", "2"], "a share of 2 cannot be kept"),
        (["--model", "gpt*"], "no request has model=gpt*"),
    ],
)
def test_what_scale_refuses(coarse: Path, tmp_path: Path, options: list[str], problem: str) -> None:
    out = tmp_path / "out.parquet"
    with pytest.raises((UserError, TraceError)) as caught:
        run("scale", coarse, *options, "-o", out)
    assert problem in str(caught.value)
    assert not out.exists()


def test_validate(coarse: Path, tmp_path: Path) -> None:
    shown = lines(run("validate", coarse))
    assert shown[-1] == f"{coarse} is a valid trace: 1,000 requests (mooncake)"
    bad = tmp_path / "bad.jsonl"
    good = coarse.read_text().splitlines()
    wrong: list[dict[str, Any]] = [json.loads(good[0]) | change for change in ({"hash_ids": [1]}, {"timestamp": -1})]
    bad.write_text("\n".join([good[0], *map(json.dumps, wrong), good[1]]) + "\n")
    result = run("validate", bad)
    assert result.exit_code == 2
    problems = [line for line in result.stdout.splitlines() if line.startswith("problem: ")]
    assert "row 2, field hash_ids: has 1 for 600 input tokens" in problems[0]
    assert "row 3, field timestamp: -1 is negative; milliseconds from 0 up belong there" in problems[1]
    assert problems[2:] == ["problem: 2 rows cannot be read; --skip-bad-rows would leave them out"]
    assert run("validate", tmp_path / "none").exit_code == 2


def test_columns_of_any_other_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("ts,n_in,n_out\n0,10,1\n1500,20,2\n")
    columns = "timestamp=ts:ms,input_tokens=n_in,output_tokens=n_out"
    found = json.loads(run("stats", path, "--map", columns, "--format", "json").stdout)
    assert (found["rows"], found["span_s"], found["input_tokens"]["max"]) == (2, 1.5, 20)
    assert run("validate", path, "--map", columns).exit_code == 0
    assert run("validate", path).exit_code == 2


def test_fit_and_generate(coarse: Path, tmp_path: Path) -> None:
    model, one, two = tmp_path / "model.json", tmp_path / "1.parquet", tmp_path / "2.parquet"
    assert lines(run("fit", coarse, "-o", model, "--window", "50s"))[0].startswith("1 client, 99 s, 10.09 requests/s")
    for out in (one, two):
        shown = lines(run("generate", model, "--duration", "10m", "--rate", "20", "--seed", "1", "-o", out))
        assert any(line.startswith("ISL") for line in shown)
    assert one.read_bytes() == two.read_bytes()
    made = read(one)
    assert 9_000 < len(made) < 15_000
    assert set(made.table["output_tokens"].to_pylist()) == {5, 6, 7}
    with pytest.raises(UserError, match="--duration: 'long' is not a duration"):
        run("generate", model, "--duration", "long", "-o", one)
    with pytest.raises(TraceError, match="is not a model"):
        run("generate", coarse, "-o", one)


def test_formats_lists_every_format_and_its_page() -> None:
    rows = json.loads(run("formats", "--format", "json").stdout)
    assert {row["name"] for row in rows} == {reader.NAME for reader in READERS}
    for row in rows:
        assert row["about"] and row["recognised_by"]
        assert (Path(__file__).parents[4] / row["page"]).is_file()
    table = run("formats", width=120).stdout
    assert re.search(r"azure +Azure's LLM inference traces .* CSV with TIMESTAMP .* azure\.md", table)


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        ("stat", "No such command 'stat'. Did you mean 'stats'?"),
        ("generat", "Did you mean 'generate'?"),
        ("xyz", "No such command 'xyz'. The commands are stats, diff,"),
    ],
)
def test_a_mistyped_verb_is_answered_with_the_nearest(verb: str, message: str) -> None:
    result = CliRunner().invoke(cli, ["trace", verb, "x"])
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_help_ends_with_examples_that_parse(verb: str) -> None:
    command = trace.get_command(click.Context(trace), verb)
    assert isinstance(command, GroupedCommand)
    assert command.examples
    shown = CliRunner().invoke(cli, ["trace", verb, "--help"]).stdout
    for _, line in command.examples:
        assert f"\n    $ {line}\n" in shown
        program, group, name, *words = shlex.split(line)
        assert (program, group) == ("tokentape", "trace")
        called = trace.get_command(click.Context(trace), name)
        assert called is not None
        called.make_context(name, words)
