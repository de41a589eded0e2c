"""A program as a user of the Python API writes it. It is not run: mypy and pyright check it in their strict modes.

`assert_type` states what each call returns; the lines that are marked as errors must be errors.
"""

from datetime import timedelta
from pathlib import Path
from typing import assert_type

import tokentape
from tokentape.engine.measure.dialects.dialect_summary import DialectSummary
from tokentape.engine.measure.summary import Summary
from tokentape.engine.run.run_status import Status
from tokentape.tape import Plots, Tape
from tokentape.trace import Trace


def show(status: Status) -> None:
    """Print the status of a run."""
    print(status.sent, status.planned, status.lateness_quantile_us(0.99))


def runs() -> None:
    """Call the functions that write tapes."""
    tape = tokentape.replay(
        tokentape.sample_trace(),
        Path("run.tape"),
        url="http://127.0.0.1:8000",
        speed=4,
        end="120s",
        grace=timedelta(seconds=5),
        headers={"X-Team": "infra"},
        trace_map={"timestamp": "ts:ms"},
        on_status=show,
        on_note=print,
    )
    assert_type(tape, Tape)
    load = tokentape.profile(
        "load.tape",
        url=["http://127.0.0.1:8000", "http://127.0.0.1:8001"],
        url_strategy="weight",
        url_weights=[3, 1],
        request_rate=20,
        arrival="poisson",
        duration=timedelta(minutes=1),
        osl=50,
    )
    assert_type(load, Tape)
    assert_type(load.stopped, bool)
    tokentape.replay("trace.jsonl", "run.tape", end_ns=5, go_on_after_failure=True)
    tokentape.profile("load.tape", urls=["http://127.0.0.1:8000"], pace={"concurrency": 8, "count": 200})


def mistakes() -> None:
    """Calls with errors that type checkers must find."""
    tokentape.replay("trace.jsonl", "run.tape", sped=4)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    tokentape.replay("trace.jsonl", "run.tape", grace=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tokentape.replay("trace.jsonl", "run.tape", sessions="close")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tokentape.profile("load.tape", isl="200")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tokentape.serve(role="after")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def servers() -> None:
    """Start the simulated server and the recorder."""
    with (
        tokentape.serve(ttft="20ms", truth="truth.tape") as server,
        tokentape.record("prod.tape", url=server.url, rotate_every="1h", rotate_size="1GB") as recording,
    ):
        assert_type(server, tokentape.SimulatedServer)
        assert_type(recording, tokentape.Recording)
        assert_type(recording.url, str)
    assert_type(recording.tape, Tape)
    assert_type(recording.tapes, list[Tape])
    assert_type(server.tape, Tape)
    assert_type(server.stats().tokens, int)


def results() -> None:
    """Read tapes and traces."""
    tape = tokentape.open("run.tape")
    assert_type(tape.requests.num_rows, int)
    assert_type(len(tape.events), int)
    assert_type(tape.requests.column_names, list[str])
    outcomes = [str(outcome) for outcome in tape.requests["outcome"].to_pylist()]
    print(outcomes, tape.manifest["tape_id"], tape.probes.num_rows)
    assert_type(tape.summary(slos=["ttft:300ms"]), Summary)
    assert_type(tape.summary().statistic("ttft", "send").value("p99"), float | None)
    assert_type(tokentape.summarize("run.tape"), Summary)
    assert_type(tokentape.summarize(["a.tape", tape]), list[Summary])
    assert_type(tokentape.summarize("run.tape", dialect="vllm"), DialectSummary)
    assert_type(tokentape.summarize(["a.tape", "b.tape"], dialect="vllm"), list[DialectSummary])
    assert_type(tokentape.summarize(["a.tape", "b.tape"], dialect="vllm", merge=True), DialectSummary)
    assert_type(tokentape.plot([tape, Path("old.tape")], only="timeline", format="both"), Plots)
    assert_type(tape.plot(), Plots)
    assert_type(tape.report(), Path)
    assert_type(tokentape.export(tape, "artifacts"), list[Path])
    assert_type(tape.to_pandas("events").shape, tuple[int, int])
    assert_type(tape.to_polars().height, int)
    print(tape.sql("select count(*) from requests").fetchall())
    trace = tokentape.read_trace("trace.jsonl", skip_bad_rows=True)
    assert_type(trace, Trace)
    assert_type(len(trace), int)
    assert_type(trace.table.num_rows, int)
    for batch in tape.event_batches(["arrival_ns", "kind"]):
        assert_type(batch["kind"].null_count, int)
    assert_type(trace.to_pandas().shape, tuple[int, int])


def errors() -> int:
    """Catch errors in values of the user."""
    try:
        runs()
    except (tokentape.UserError, tokentape.TraceError) as error:
        print(error)
        return 2
    return 0
