"""The tape in Python programs: data frames, SQL, the notebook's card, plots."""

import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pandas as pd
import pytest
import tokentape
from tokentape.tape import MeasuredTape, Tape, measured

MS = 1_000_000


@pytest.fixture
def tape(make_tape: Any) -> Tape:
    """Two requests: one with three tokens, one that failed."""
    requests = [
        {
            "request_id": 0,
            "scheduled_ns": 0,
            "sent_ns": 0,
            "first_token_ns": 50 * MS,
            "last_token_ns": 70 * MS,
            "end_ns": 71 * MS,
            "output_tokens": 3,
            "output_events": 3,
        },
        {"request_id": 1, "scheduled_ns": 10 * MS, "sent_ns": 10 * MS, "end_ns": 20 * MS, "outcome": "http_error",
         "http_status": 503, "error": "<b>busy & tired</b>"},
    ]  # fmt: skip
    events = [{"request_id": 0, "event": n, "arrival_ns": (50 + 10 * n) * MS, "tokens": 1} for n in range(3)]
    return measured(make_tape(requests, events, name="a<b.tape"))


def test_tables(tape: Tape) -> None:
    assert tape.requests["outcome"].to_pylist() == ["ok", "http_error"]
    assert tape.events.num_rows == 3
    assert tape.probes.num_rows == 0
    assert "at_ns" in tape.probes.column_names
    assert not tape.stopped
    assert repr(tape) == f"<Tape {tape.path}: 2 requests, 3 events>"


def test_whole_numbers_stay_whole_in_pandas_where_some_are_null(tape: Tape) -> None:
    frame = tape.to_pandas()
    assert frame["first_token_ns"].dtype == "Int64"
    assert frame["first_token_ns"].iloc[0] == 50 * MS
    assert frame["first_token_ns"].iloc[1] is pd.NA
    assert frame["connection_reused"].dtype == "boolean"
    assert str(frame["started_at"].dtype) == "datetime64[us, UTC]"
    assert list(tape.to_pandas("events")["arrival_ns"]) == [50 * MS, 60 * MS, 70 * MS]


def test_polars(tape: Tape) -> None:
    assert tape.to_polars()["first_token_ns"].to_list() == [50 * MS, None]
    assert tape.to_polars("events").height == 3


def test_a_table_that_there_is_not(tape: Tape) -> None:
    wrong: Any = "request"
    message = "^table is 'request'; it must be one of requests, events, probes, bodies, blocks$"
    for call in (tape.to_pandas, tape.to_polars):
        with pytest.raises(tokentape.UserError, match=message):
            call(wrong)


def test_sql_over_all_tables(tape: Tape) -> None:
    rows = tape.sql("""
        select r.request_id, count(e.event), max(e.arrival_ns) - r.sent_ns
        from requests r left join events e using (request_id) group by r.request_id, r.sent_ns order by 1
    """).fetchall()
    assert rows == [(0, 3, 70 * MS), (1, 0, None)]
    for empty in ("probes", "bodies", "blocks"):
        assert tape.sql(f"select count(*) from {empty}").fetchall() == [(0,)]
    assert tape.sql("select error from requests where http_status = 503").df()["error"].tolist() == [
        "<b>busy & tired</b>"
    ]


def test_sql_that_is_wrong(tape: Tape) -> None:
    with pytest.raises(duckdb.Error, match="reqests"):
        tape.sql("select * from reqests")


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("pandas", lambda tape: tape.to_pandas()),
        ("polars", lambda tape: tape.to_polars()),
        ("duckdb", lambda tape: tape.sql("select 1")),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tape: Tape, package: str, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Missing:
        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> None:
            if name == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing, *sys.meta_path])
    with pytest.raises(tokentape.UserError) as raised:
        call(tape)
    assert f"needs {package}, which is not installed; run: pip install 'tokentape[{package}]'" in str(raised.value)


def test_the_extras_that_messages_name_are_there() -> None:
    import tomllib

    project = Path(__file__).parents[3] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    assert {"pandas", "polars", "duckdb"} <= set(extras)


def test_the_card_of_a_notebook(tape: Tape) -> None:
    html = tape._repr_html_()
    root = ElementTree.fromstring(html)  # well-formed: nothing of a file's text is left as markup
    text = " ".join(" ".join(root.itertext()).split())
    assert tape.summary().verdict.state in text
    assert "a<b.tape" in text
    assert "2 requests, 1 ok, 1 failed" in text
    cells = [[cell.text for cell in row] for row in root.iter("tr")]
    assert cells[0] == ["metric", "from", "unit", "avg", "p50", "p90", "p99", "max"]
    assert ["TTFT", "send", "ms", "50.00"] in [row[:4] for row in cells]
    assert not re.search("<script|<b>", html)


def test_the_card_sets_colours_only_where_both_are_set(tape: Tape) -> None:
    """Text takes the notebook's colour; where the card has a background of its own, it sets the text's colour too."""
    for style in re.findall(r'style="([^"]*)"', tape._repr_html_()):
        rules = dict(rule.split(":", 1) for rule in style.split(";") if rule)
        if rules.get("background", "transparent") != "transparent":
            assert rules["color"] == "#fff"
        else:
            assert rules.get("color", "inherit") == "inherit"


def test_plots_are_files_that_a_notebook_shows(tape: Tape, tmp_path: Path) -> None:
    files = tape.plot(tmp_path / "pictures", only="timeline", format="both")
    assert [file.name for file in files] == ["timeline.png", "timeline.svg"]
    html = files._repr_html_()
    assert html.count("<img") == 1
    assert "data:image/png;base64," in html
    assert tape.plot(only=["timeline"]) == [tape.path / "plots" / "timeline.png"]
    assert tokentape.plot([tape, str(tape.path)], tmp_path / "two", only="timeline") == [
        tmp_path / "two" / "timeline.png"
    ]


def test_plots_that_cannot_be_drawn(tape: Tape) -> None:
    with pytest.raises(tokentape.UserError, match="there is no tape to plot"):
        tokentape.plot([])
    with pytest.raises(tokentape.UserError, match="a plot shows only objectives for each request; write ttft:300ms"):
        tape.plot(slos="ttft:p99:300ms")


def test_the_report(tape: Tape, tmp_path: Path) -> None:
    notes: list[str] = []
    assert tape.report(tmp_path / "r.html", on_note=notes.append) == tmp_path / "r.html"
    assert tape.summary().verdict.state in (tmp_path / "r.html").read_text()
    assert tape.report(on_note=notes.append) == tape.path / "report.html"


def test_summaries_of_one_tape_and_of_several(tape: Tape) -> None:
    ours = tokentape.summarize(tape.path, slos="ttft:p50:100ms")
    assert ours.requests.ok == 1
    assert [result.slo for result in ours.slos][:1] == ["ttft:p50:100ms"]
    assert [summary.tape for summary in tokentape.summarize([tape, str(tape.path)])] == [str(tape.path)] * 2
    vllm = tokentape.summarize(tape, dialect="vllm")
    assert vllm.value("mean_ttft_ms") == tape.summary_in("vllm").value("mean_ttft_ms") == 50
    assert [each.dialect for each in tokentape.summarize([tape, tape], dialect="sglang")] == ["sglang"] * 2
    merged = tokentape.summarize([tape, tape], dialect="genai-perf", merge=True)
    assert merged.tapes == (str(tape.path),) * 2


def test_summaries_that_make_no_sense(tape: Tape) -> None:
    wrong: Any = {"merge": True}
    with pytest.raises(tokentape.UserError, match="merge needs a dialect"):
        tokentape.summarize([tape], **wrong)
    with pytest.raises(tokentape.UserError, match="there is no tape to summarize"):
        tokentape.summarize([], dialect="vllm", merge=True)
    assert tokentape.summarize([]) == []


def test_files_of_genai_perf(tape: Tape, tmp_path: Path) -> None:
    files = tokentape.export(tape, tmp_path / "artifacts", goodput=["time_to_first_token:300"])
    assert {file.name for file in files} >= {"profile_export_genai_perf.json", "profile_export.json"}
    with pytest.raises(tokentape.UserError, match="there is no tape to export"):
        tokentape.export([], tmp_path)


def test_a_trace_as_data_frames() -> None:
    trace = tokentape.read_trace(tokentape.sample_trace())
    frame = trace.to_pandas()
    assert len(frame) == len(trace) == trace.to_polars().height
    assert frame["arrival_ns"].is_monotonic_increasing
    assert frame["think_ns"].dtype == "Int64"
    assert repr(trace).startswith(f"<Trace {trace.source}: mooncake, {len(trace):,} requests over ")


def test_a_trace_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("{}\n")
    with pytest.raises(tokentape.TraceError):
        tokentape.read_trace(tmp_path / "x.jsonl")


def test_names_of_earlier_versions_are_there() -> None:
    from tokentape.tape import open_measured, open_tape

    assert MeasuredTape is Tape
    assert open_measured is open_tape
