"""The Python function, JSON and CSV output, the sample trace, and DuckDB queries on the tape's files."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import tokentape
from completed_runs import assert_completed


def test_json_stands_alone_on_standard_output(simulator: Any, small_trace: Any, run_cli: Any, tmp_path: Path) -> None:
    result = run_cli("replay", small_trace(40), "--url", simulator().url, "--out", "x.tape", "--format", "json")
    summary = json.loads(result.stdout)
    assert summary["requests"]["ok"] == 40
    assert_completed(result.returncode, tmp_path, result.stderr)
    assert (summary["verdict"]["state"] in ("VALID", "DEGRADED")) == (result.returncode == 0)
    assert "the tape is x.tape" in result.stderr
    again = run_cli("summarize", "x.tape", "--format", "json")
    assert json.loads(again.stdout) == summary


def test_csv_stands_alone_on_standard_output(simulator: Any, small_trace: Any, run_cli: Any) -> None:
    result = run_cli(
        "replay", small_trace(10), "--url", simulator().url, "--out", "x.tape", "--format", "csv", "--quiet"
    )
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {"ttft", "itl", "e2e", "lateness"} <= {row["metric"] for row in rows}


def test_failures_decide_the_exit_code(simulator: Any, small_trace: Any, run_cli: Any, tmp_path: Path) -> None:
    url = simulator(fault="status", fault_share=0.5, seed=3).url
    words = ("replay", small_trace(40), "--url", url, "--model", "m", "--quiet")
    assert run_cli(*words, "--out", "a.tape").returncode == 4
    assert_completed(run_cli(*words, "--out", "b.tape", "--max-failures", "0.9").returncode, tmp_path / "b.tape")
    failed = run_cli(*words, "--out", "c.tape", "--max-failures", "3", "--format", "json")
    assert failed.returncode == 4
    assert json.loads(failed.stdout)["requests"]["failed"] > 3


def test_none_that_ends_well_is_invalid_whatever_is_allowed(simulator: Any, small_trace: Any, run_cli: Any) -> None:
    words = ("replay", small_trace(5), "--url", simulator(fault="status").url, "--model", "m", "--quiet")
    result = run_cli(*words, "--out", "a.tape", "--max-failures", "100")
    assert result.returncode == 3
    assert "none of 5 requests succeeded" in result.stdout


def test_the_tape_has_a_name_of_its_own_by_default(
    simulator: Any, small_trace: Any, run_cli: Any, tmp_path: Path
) -> None:
    result = run_cli("replay", small_trace(3, name="mine.jsonl"), "--url", simulator().url, "--quiet")
    (tape,) = tmp_path.glob("mine-*.tape")
    assert f"the tape is {tape.name}" in result.stderr


def test_a_database_reads_and_joins_the_files(simulator: Any, small_trace: Any, replayed: Any) -> None:
    tape = replayed(small_trace(15, output_tokens=6), simulator().url)
    with duckdb.connect() as database:
        rows = database.execute(
            f"""
            select r.request_id, r.output_tokens, count(*) filter (where e.kind = 'token'),
                   min(e.arrival_ns) filter (where e.kind = 'token') = any_value(r.first_token_ns),
                   max(e.arrival_ns) filter (where e.kind = 'token') = any_value(r.last_token_ns)
            from '{tape.path}/requests/*.parquet' r join '{tape.path}/events/*.parquet' e using (request_id)
            group by r.request_id, r.output_tokens order by 1
            """
        ).fetchall()
        (zone,) = database.execute(f"select typeof(started_at) from '{tape.path}/requests/*.parquet'").fetchone() or ()
    assert rows == [(n, 6, 6, True, True) for n in range(15)]
    assert zone == "TIMESTAMP WITH TIME ZONE"


def test_the_function_from_a_bare_interpreter(small_trace: Any, tmp_path: Path) -> None:
    """The run starts in a folder with a user's json.py, which a worker must not import."""
    (tmp_path / "json.py").write_text("raise ImportError('the wrong json')")
    (tmp_path / "script").mkdir()
    script = tmp_path / "script" / "replay.py"
    script.write_text(
        "import tokentape\n"
        f"tape = tokentape.replay({str(small_trace(12))!r}, 'x.tape', speed=2, "
        "simulator=['--ttft', '2ms', '--itl', '1ms'])\n"
        "print(len(tape.requests), len(tape.events) > 12, tape.summary().requests.ok)\n"
        "print(tokentape.open('x.tape'))\n"
    )
    result = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(tokentape.__file__).parents[1])},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == "12 True 12"
    assert "12 requests" in result.stdout
    assert json.loads((tmp_path / "x.tape" / "manifest.json").read_text())["command"] == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, tokentape; print([m for m in ('numpy', 'pyarrow', 'transformers', 'click') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": str(Path(tokentape.__file__).parents[1])},
        check=True,
    )
    assert result.stdout == "[]\n"


def test_a_profile_from_python(simulator: Any, tmp_path: Path) -> None:
    url = simulator(ttft="2ms", itl="1ms").url
    tape = tokentape.profile(
        tmp_path / "x.tape",
        url=url,
        model="m",
        concurrency=2,
        request_count=6,
        isl=10,
        osl=3,
    )
    assert tape.requests["output_tokens"].to_pylist() == [3] * 6
    assert tape.summary().requests.ok == 6
