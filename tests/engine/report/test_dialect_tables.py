"""What people and programs see of a dialect: tables in each tool's manner, JSON, CSV, and the command's options."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from tokentape.engine.cli.summarize import summarize
from tokentape.engine.errors import UserError
from tokentape.engine.measure.dialects import DIALECTS, summary_in
from tokentape.engine.report.dialect_table import print_dialect
from tokentape.engine.tape.read import Tape

MakeTape = Callable[..., Tape]
MS = 1_000_000


def run(make_tape: MakeTape, count: int = 40, failed: int = 0, name: str = "tape") -> Tape:
    """Requests 20 ms apart: TTFT 50 ms, three tokens 10 ms apart; the first ones are refused."""
    requests: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for r in range(count):
        row: dict[str, Any] = {"request_id": r, "scheduled_ns": 20 * MS * r, "sent_ns": 20 * MS * r}
        stamps = [row["sent_ns"] + 50 * MS + 10 * MS * e for e in range(3)]
        row |= {"end_ns": stamps[-1]}
        if r < failed:
            row |= {"outcome": "http_error", "http_status": 429}
        else:
            events += [{"request_id": r, "event": e, "arrival_ns": a} for e, a in enumerate(stamps)]
            row |= {"first_token_ns": stamps[0], "last_token_ns": stamps[-1], "output_events": 3}
            row |= {"input_tokens": 1000, "output_tokens": 3, "server_output_tokens": 3}
        requests.append(row)
    return make_tape(requests, events, {"streaming": True}, name=name)


def printed(tape: Tape, dialect: str, width: int) -> str:
    text = io.StringIO()
    print_dialect(summary_in(dialect, [tape]), text, width)
    return text.getvalue()


def test_genai_perfs_table(make_tape: MakeTape) -> None:
    lines = printed(run(make_tape), "genai-perf", 120).split("\n")
    assert lines[0].strip() == "NVIDIA GenAI-Perf | LLM Metrics"
    cells = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in lines[2:]]
    table = [row for row in cells if len(row) == 7]
    assert table[0] == ["Statistic", "avg", "min", "max", "p99", "p90", "p75"]
    assert table[1] == ["Time To First Token (ms)", *["50.00"] * 6]
    assert [row[0] for row in table[2:]] == [
        "Time To Second Token (ms)",
        "Request Latency (ms)",
        "Inter Token Latency (ms)",
        "Output Token Throughput Per User",
        "(tokens/sec/user)",
        "Output Sequence Length (tokens)",
        "Input Sequence Length (tokens)",
        "Output Token Throughput (tokens/sec)",
        "Request Throughput (per sec)",
        "Request Count (count)",
    ]
    assert table[8] == ["Input Sequence Length (tokens)", *["1,000.00"] * 6]
    assert table[-1] == ["Request Count (count)", "40.00", *["N/A"] * 5]


def test_vllms_block(make_tape: MakeTape) -> None:
    lines = printed(run(make_tape, failed=4), "vllm", 80).split("\n")
    assert lines[0] == "============ Serving Benchmark Result ============"
    assert "Successful requests:                     36        " in lines
    assert "Failed requests:                         4         " in lines
    assert "Request throughput (req/s):              42.35     " in lines  # 36 / 0.85 s
    assert "-----Time per Output Token (excl. 1st token)------" in lines
    assert "Mean TPOT (ms):                          10.00     " in lines
    assert not any("E2EL" in line or line.startswith("Std") for line in lines)
    assert "4 of 40 requests did not succeed: they count in their own number" in "\n".join(lines)


def test_guidellms_columns_go_on_below_where_the_width_ends(make_tape: MakeTape) -> None:
    tape = run(make_tape)
    wide, narrow = printed(tape, "guidellm", 200), printed(tape, "guidellm", 60)
    assert "| Request Latency                   | TTFT        | TTFOT         | ITL         | TPOT        |" in wide
    assert all(len(line) <= 60 for line in narrow.split("\n"))
    assert narrow.count("| TPOT") == wide.count("| TPOT") == 1


def test_loadgens_lines(make_tape: MakeTape) -> None:
    lines = printed(run(make_tape), "mlperf", 80).split("\n")
    assert "50.00 percentile latency (ns)   : 70000000" in lines
    assert "Mean First Token latency (ns)               : 50000000" in lines


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("width", [80, 140])
def test_every_table_fits_its_width_and_names_the_tool(make_tape: MakeTape, dialect: str, width: int) -> None:
    text = printed(run(make_tape, failed=4), dialect, width)
    assert max(len(line) for line in text.split("\n")) <= width
    assert f"Computed as in {summary_in(dialect, [run(make_tape, name='other')]).tool}." in text
    assert "nan" not in text


def test_json_and_csv_have_one_form_for_all(make_tape: MakeTape) -> None:
    path = str(run(make_tape).path)
    for dialect in DIALECTS:
        result = CliRunner().invoke(summarize, [path, "--dialect", dialect, "--format", "json"])
        data = json.loads(result.stdout)
        assert (data["dialect"], data["tapes"]) == (dialect, [path])
        assert len(data["metrics"]) >= 9
        result = CliRunner().invoke(summarize, [path, "--dialect", dialect, "--format", "csv"])
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert list(rows[0]) == ["metric", "unit", "statistic", "value", "dialect", "tape"]
        assert {row["metric"] for row in rows} == set(data["metrics"])
    result = CliRunner().invoke(summarize, [path, "--dialect", "vllm", "--format", "json"])
    assert json.loads(result.stdout)["metrics"]["mean_ttft_ms"] == pytest.approx(50)


def test_the_verdict_still_decides_how_the_command_ends(make_tape: MakeTape) -> None:
    good, bad = (str(run(make_tape, failed=failed, name=name).path) for failed, name in ((0, "good"), (30, "bad")))
    result = CliRunner().invoke(summarize, [good, "--dialect", "sglang"])
    assert result.exit_code == 0
    assert "Successful requests:                     40" in result.stdout
    assert f"{good}: VALID" in result.stderr
    result = CliRunner().invoke(summarize, [good, bad, "--dialect", "sglang"])
    assert result.exit_code == 4
    assert result.stdout.count("Serving Benchmark Result") == 2


def test_several_tapes_are_one_run_if_merged(make_tape: MakeTape) -> None:
    paths = [str(run(make_tape, name=name).path) for name in ("one", "two")]
    result = CliRunner().invoke(summarize, [*paths, "--merge", "--dialect", "genai-perf", "--format", "json"])
    data = json.loads(result.stdout)
    assert data["tapes"] == paths
    assert data["metrics"]["request_count"]["avg"] == 80
    assert data["metrics"]["request_throughput"]["avg"] == pytest.approx(2 * 40 / 0.85)
    result = CliRunner().invoke(summarize, [*paths, "--merge"])
    assert isinstance(result.exception, UserError)
    assert "--dialect genai-perf" in str(result.exception)


def test_slos_become_the_goodput(make_tape: MakeTape) -> None:
    path = str(run(make_tape).path)
    result = CliRunner().invoke(summarize, [path, "--dialect", "genai-perf", "--slo", "ttft:60ms", "--format", "json"])
    goodput = json.loads(result.stdout)["metrics"]["request_goodput"]
    assert goodput == {"unit": "requests/sec", "avg": pytest.approx(40 / 0.85)}
