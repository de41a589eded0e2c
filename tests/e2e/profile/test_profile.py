"""``tokentape profile`` against the simulated server: what leaves when, and what the tape says of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from tokentape.engine.measure.summary import summarize
from tokentape.engine.plan import Choice, Pace, constant_rate, ramp
from tokentape.engine.tape import Tape
from tokentape.engine.workloads.options import InputOptions, ProfileOptions
from tokentape.engine.workloads.profile_run import profile

MS = 1_000_000
S = 1_000_000_000


@pytest.fixture
def profiled(simulator: Any, tmp_path: Path) -> Callable[..., Tape]:
    """Profiles a simulated server: profiled(pace, out="x.tape", server={...}, **options)."""

    def run(pace: Pace, *, out: str = "x.tape", server: dict[str, Any] | None = None, **options: Any) -> Tape:
        url = simulator(**(server or {})).url
        inputs = options.pop("inputs", InputOptions(input_mean=20, output_mean=5, entries=10))
        options = {"urls": [url], "url": url, "models": ["m"], "ask_length": inputs.output_mean is not None} | options
        return profile(tmp_path / out, ProfileOptions(pace=pace, inputs=inputs, **options)).tape

    return run


def _column(tape: Tape, name: str) -> Any:
    return tape.requests.sort_by("request_id")[name].to_numpy(zero_copy_only=False)


def test_a_rate_is_kept(profiled: Any) -> None:
    tape = profiled(Pace(segments=constant_rate(500), count=200), server={"ttft": "1ms", "itl": "1ms"})
    assert tape.requests["outcome"].to_pylist() == ["ok"] * 200
    assert np.diff(_column(tape, "scheduled_ns")).tolist() == [2 * MS] * 199
    assert (_column(tape, "sent_ns") >= _column(tape, "scheduled_ns")).all()
    assert set(tape.requests["arrival"].to_pylist()) == {"open"}
    assert tape.requests["output_tokens"].to_pylist() == [5] * 200


def test_a_dense_schedule_leaves_time_for_the_house(profiled: Any) -> None:
    """Something is always due within 100 us: housekeeping goes on all the same, and the controller hears of the run."""
    tape = profiled(Pace(segments=constant_rate(20_000), count=10_000), server={"ttft": "0ms", "itl": "0ms"})
    assert tape.requests["outcome"].to_pylist() == ["ok"] * 10_000
    probes = tape.read("probes")
    heard = probes.filter(pc.equal(probes["name"], "finished"))["value"].to_pylist()
    assert any(0 < finished < 10_000 for finished in heard)


def test_a_closed_loop_keeps_its_slots_full(profiled: Any) -> None:
    tape = profiled(Pace(concurrency=4, count=40), server={"ttft": "5ms", "itl": "1ms"})
    assert tape.requests["outcome"].to_pylist() == ["ok"] * 40
    scheduled, ends = _column(tape, "scheduled_ns"), _column(tape, "end_ns")
    # From the fifth on each is due the moment that another one ended.
    assert set(scheduled[4:].tolist()) <= set(ends.tolist())
    for row in range(40):
        under_way = (_column(tape, "sent_ns") < scheduled[row]) & (ends > scheduled[row])
        assert under_way.sum() <= 3
    assert set(tape.requests["arrival"].to_pylist()) == {"closed"}


def test_a_closed_loop_that_ends_by_the_clock(profiled: Any) -> None:
    tape = profiled(Pace(concurrency=2, duration_ns=300 * MS), server={"ttft": "10ms", "itl": "1ms"})
    n = len(tape.requests)
    assert n >= 4
    assert tape.requests["outcome"].to_pylist() == ["ok"] * n
    assert tape.manifest["plan"]["rows"] == n
    assert _column(tape, "scheduled_ns").max() - tape.manifest["start_ns"] < 300 * MS
    assert _column(tape, "request_id").tolist() == list(range(n))


def test_slots_open_one_after_another(profiled: Any) -> None:
    tape = profiled(Pace(concurrency=4, ramp_ns=400 * MS, count=4), server={"ttft": "1s"})
    opened = np.sort(_column(tape, "scheduled_ns")) - tape.manifest["start_ns"]
    assert opened.tolist() == [0, 100 * MS, 200 * MS, 300 * MS]


def test_a_capped_rate_shows_its_queue(profiled: Any) -> None:
    pace = Pace(segments=constant_rate(200), count=30, max_in_flight=2)
    tape = profiled(pace, server={"ttft": "20ms", "itl": "1ms"})
    released, scheduled, sent = (_column(tape, name) for name in ("released_ns", "scheduled_ns", "sent_ns"))
    waited = ~np.isnan(released)
    assert 20 <= waited.sum() < 30
    assert (sent[waited] >= released[waited]).all()
    assert (released[waited] > scheduled[waited]).all()
    summary = summarize(tape)
    queue = summary.statistic("queueing")
    assert queue.count == waited.sum()
    assert "late" not in {reason.code for reason in summary.verdict.reasons if reason.level == "INVALID"}


def test_a_cap_on_prefills(profiled: Any) -> None:
    pace = Pace(segments=constant_rate(1000), count=12, max_prefilling=3)
    tape = profiled(pace, server={"ttft": "30ms", "itl": "1ms"})
    first, sent = _column(tape, "first_token_ns"), _column(tape, "sent_ns")
    assert tape.requests["outcome"].to_pylist() == ["ok"] * 12
    for row in range(12):
        assert ((sent < sent[row]) & (first > sent[row])).sum() <= 2


def test_the_warm_up_is_counted_apart(profiled: Any) -> None:
    tape = profiled(Pace(segments=constant_rate(500), count=50, warmup_count=10), server={"ttft": "1ms"})
    assert tape.requests.sort_by("request_id")["phase"].to_pylist() == ["warmup"] * 10 + ["main"] * 50
    summary = summarize(tape)
    assert (summary.requests.planned, summary.requests.warmup) == (50, 10)


def test_planned_cancellations_are_no_interruption(profiled: Any) -> None:
    pace = Pace(segments=constant_rate(100), count=40, cancel_share=0.5, cancel_after_ns=30 * MS)
    tape = profiled(pace, server={"ttft": "10ms", "itl": "20ms"})
    outcomes = tape.requests["outcome"].to_pylist()
    planned = tape.manifest["load"]["planned_cancellations"]
    assert outcomes.count("cancelled") == planned > 5
    assert outcomes.count("ok") == 40 - planned
    gone = tape.requests.filter(pc.equal(tape.requests["outcome"], "cancelled"))
    held_ns = pc.subtract(gone["end_ns"], gone["sent_ns"]).to_numpy()
    assert held_ns.min() >= 30 * MS
    summary = summarize(tape)
    assert summary.requests.given_up == planned
    assert "interrupted" not in {reason.code for reason in summary.verdict.reasons}


def test_streams_that_outlive_the_grace_time_are_cancelled(profiled: Any) -> None:
    pace = Pace(segments=constant_rate(50), duration_ns=100 * MS)
    tape = profiled(pace, server={"ttft": "10ms", "itl": "10s"}, grace_ns=200 * MS)
    assert set(tape.requests["outcome"].to_pylist()) == {"cancelled"}
    assert len(tape.requests) == 5


def test_several_servers_and_models(simulator: Any, profiled: Any) -> None:
    urls = [simulator(ttft="1ms").url for _ in range(2)]
    tape = profiled(
        Pace(segments=constant_rate(400), count=60),
        urls=urls,
        url=urls[0],
        models=["one", "other", "third"],
        url_choice=Choice(2),
        model_choice=Choice(3),
    )
    requests = tape.requests.sort_by("request_id")
    assert requests["model"].to_pylist() == ["one", "other", "third"] * 20
    assert requests["url"].to_pylist() == [f"{url}/v1/chat/completions" for url in urls] * 30
    assert requests["outcome"].to_pylist() == ["ok"] * 60
    assert set(requests["worker"].to_pylist()) == {0, 1}


def test_the_simulator_hears_the_model(profiled: Any) -> None:
    tape = profiled(Pace(concurrency=1, count=2), keep_bodies=True)
    bodies = [json.loads(body) for body in tape.read("bodies")["request_body"].to_pylist()]
    assert {body["model"] for body in bodies} == {"m"}
    assert {body["max_tokens"] for body in bodies} == {5}


def test_without_an_output_length_none_is_asked_for(profiled: Any) -> None:
    tape = profiled(Pace(concurrency=1, count=2), inputs=InputOptions(input_mean=20), keep_bodies=True)
    bodies = [json.loads(body) for body in tape.read("bodies")["request_body"].to_pylist()]
    assert all("max_tokens" not in body and "ignore_eos" not in body for body in bodies)
    assert tape.requests["planned_output_tokens"].to_pylist() == [None, None]


def test_workers_share_the_slots(profiled: Any) -> None:
    tape = profiled(Pace(concurrency=4, count=40), workers=2, server={"ttft": "5ms", "itl": "1ms"})
    assert tape.requests["outcome"].to_pylist() == ["ok"] * 40
    assert np.bincount(_column(tape, "worker").astype(int)).tolist() == [20, 20]


@pytest.mark.parametrize("process", ["constant", "poisson"])
def test_what_was_planned_is_what_was_due(profiled: Any, process: str) -> None:
    pace = Pace(segments=ramp(400, 0.2), process=process, duration_ns=400 * MS)  # type: ignore[arg-type]
    tape = profiled(pace, server={"ttft": "1ms"})
    due = np.sort(_column(tape, "scheduled_ns")) - tape.manifest["start_ns"]
    assert (np.diff(due) >= 0).all()
    assert due.max() < 400 * MS
    assert len(due) == len(tape.requests) == tape.manifest["plan"]["rows"]


def test_a_server_that_is_gone_is_not_stormed(raw_server: Any, tmp_path: Path) -> None:
    """A refused connection comes back within microseconds; the slot rests before it asks again."""
    server: Any = None

    def handler(exchange: Any) -> None:
        while exchange.request() is not None:
            server.refuse()
            exchange.stream_head()
            exchange.token()
            exchange.done()
            return

    server = raw_server(handler)
    options = ProfileOptions(
        urls=[server.url],
        url=server.url,
        models=["m"],
        pace=Pace(concurrency=4, duration_ns=500 * MS),
        inputs=InputOptions(input_mean=5, entries=2),
        probe=False,
    )
    tape = profile(tmp_path / "x.tape", options).tape
    outcomes = tape.requests["outcome"].to_pylist()
    assert set(outcomes) <= {"ok", "connect_error", "truncated"}
    assert outcomes.count("connect_error") >= 4
    assert len(outcomes) < 40  # four slots, ten times a second, for half a second
