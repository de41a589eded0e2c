"""``tokentape summarize`` and ``recover`` on the command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import tokentape
from click.testing import CliRunner
from tokentape.engine.cli.plot import plot
from tokentape.engine.cli.recover import recover
from tokentape.engine.cli.report import report
from tokentape.engine.cli.summarize import summarize
from tokentape.engine.errors import UserError
from tokentape.engine.tape.read import Tape, open_tape
from tokentape.engine.tape.writer import TapeWriter

MakeTape = Callable[..., Tape]
MS = 1_000_000


def rows(count: int, ok: int) -> list[dict[str, Any]]:
    """Requests of one token each, the first `ok` of which succeeded."""
    good = {"output_events": 1, "server_output_tokens": 1}
    return [
        {"request_id": r, "scheduled_ns": r * MS, "sent_ns": r * MS}
        | (
            {"first_token_ns": r * MS + MS, "last_token_ns": r * MS + MS, "end_ns": r * MS + MS} | good
            if r < ok
            else {}
        )
        | {"outcome": "ok" if r < ok else "timeout"}
        for r in range(count)
    ]


@pytest.mark.parametrize(("count", "ok", "code"), [(50, 50, 0), (50, 45, 0), (50, 44, 4), (50, 0, 4), (0, 0, 3)])
def test_exit_codes(make_tape: MakeTape, count: int, ok: int, code: int) -> None:
    result = CliRunner().invoke(summarize, [str(make_tape(rows(count, ok)).path)])
    assert result.exit_code == code


def test_max_failures_moves_the_limit(make_tape: MakeTape) -> None:
    path = str(make_tape(rows(50, 44)).path)
    assert CliRunner().invoke(summarize, [path, "--max-failures", "6"]).exit_code == 0
    assert CliRunner().invoke(summarize, [path, "--max-failures", "0.11"]).exit_code == 4


def test_json_is_one_object_and_nothing_else(make_tape: MakeTape) -> None:
    one, two = make_tape(rows(50, 50), name="one").path, make_tape(rows(40, 40), name="two").path
    result = CliRunner().invoke(summarize, ["--format", "json", "--slo", "ttft:p50:2ms", str(one)])
    data = json.loads(result.stdout)
    assert result.stderr == ""
    assert data["slos"][0]["met"] is True
    result = CliRunner().invoke(summarize, ["--format", "json", str(one), str(two)])
    assert [s["requests"]["ok"] for s in json.loads(result.stdout)["summaries"]] == [50, 40]


def test_csv_and_table_go_to_standard_output(make_tape: MakeTape) -> None:
    path = str(make_tape(rows(50, 50)).path)
    result = CliRunner().invoke(summarize, ["--format", "csv", path])
    assert result.stdout.startswith("metric,unit,basis,avg,min,max,p50,")
    result = CliRunner().invoke(summarize, [path, path])
    assert result.stdout.count("end to end") == 4
    assert result.stderr == ""


def test_mistakes_are_users_errors(make_tape: MakeTape, tmp_path: Path) -> None:
    path = str(make_tape(rows(1, 1)).path)
    for arguments in ([str(tmp_path / "none")], [path, "--slo", "ttft:soon"]):
        assert isinstance(CliRunner().invoke(summarize, arguments).exception, UserError)
    assert CliRunner().invoke(summarize, []).exit_code == 2


@pytest.mark.parametrize("verb", [summarize, plot, report])
@pytest.mark.parametrize("objective", ["ttft:p99:300", "ttft:300"])
def test_a_limit_without_a_unit_is_refused(make_tape: MakeTape, verb: click.Command, objective: str) -> None:
    result = CliRunner().invoke(verb, [str(make_tape(rows(50, 50)).path), "--slo", objective])
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == f"SLO {objective!r}: the limit 300 has no unit; write 300ms or 300s"


def test_the_python_api_refuses_a_limit_without_a_unit(make_tape: MakeTape) -> None:
    tape = tokentape.open(make_tape(rows(50, 50)).path)
    for compute in (tape.summary, lambda slos: tape.summary_in("vllm", slos)):
        with pytest.raises(UserError, match="SLO 'ttft:p99:300': the limit 300 has no unit; write 300ms or 300s"):
            compute(["ttft:p99:300"])
    assert [result.limit_ms for result in tape.summary(["ttft:p99:300ms"]).slos] == [300.0, 300.0]


def test_recover_tells_what_it_found(tmp_path: Path, batches: tuple[Callable[..., Any], Callable[..., Any]]) -> None:
    requests, events = batches
    writer = TapeWriter(tmp_path / "run", {}, epoch_mono_ns=0)
    for e in range(2):
        writer.events(events([{"request_id": r, "event": e, "arrival_ns": r} for r in range(30)]))
    writer.requests(requests([{"request_id": r} for r in range(20)]))
    writer.close()
    journal = writer.path / "journal" / "events.arrows"
    journal.write_bytes(journal.read_bytes()[:-100])
    result = CliRunner().invoke(recover, [str(writer.path)])
    assert result.exit_code == 0
    assert result.stdout == f"Recovered 20 requests and 30 events of {writer.path}\n"
    assert "Dropped an incomplete batch of events: 30 rows, " in result.stderr
    assert "10 requests had not ended" in result.stderr
    assert len(open_tape(writer.path).events) == 30
    again = CliRunner().invoke(recover, [str(writer.path)])
    assert (again.exit_code, again.stdout) == (0, "")
    assert "nothing to recover" in again.stderr


@pytest.mark.parametrize("module", ["cli.summarize", "cli.recover", "facade"])
def test_imports_stay_light(module: str) -> None:
    name = "tokentape" if module == "facade" else f"tokentape.engine.{module}"
    heavy = ("numpy", "pyarrow", "rich", "transformers")
    code = f"import sys, {name}; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
