"""Runs that are started from Python: in an event loop, in a thread, with older names, and their messages."""

import asyncio
import logging
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import tokentape
from tokentape.engine.workloads.options import InputOptions

QUICK: dict[str, Any] = {"ttft": "2ms", "itl": "1ms"}


def test_a_blocking_call_works_within_a_running_event_loop(small_trace: Any, tmp_path: Path) -> None:
    async def main() -> int:
        tape = tokentape.replay(small_trace(10), tmp_path / "x.tape", speed=4, **QUICK)
        await asyncio.sleep(0)
        return tape.summary().requests.ok

    before = signal.getsignal(signal.SIGINT)
    assert asyncio.run(main()) == 10
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_works_in_another_thread(small_trace: Any, tmp_path: Path) -> None:
    tapes: list[Any] = []
    run = threading.Thread(
        target=lambda: tapes.append(tokentape.replay(small_trace(10), tmp_path / "x.tape", speed=4, **QUICK))
    )
    run.start()
    run.join(60)
    assert tapes[0].requests["outcome"].to_pylist() == ["ok"] * 10


def test_one_interrupt_ends_the_sending_and_returns_the_tape(small_trace: Any, tmp_path: Path) -> None:
    """The callback of the status sends the signal, so that it arrives in the middle of the run."""
    interrupted: list[int] = []

    def interrupt(status: Any) -> None:
        if status.finished and not interrupted:
            interrupted.append(status.finished)
            signal.raise_signal(signal.SIGINT)

    tape = tokentape.replay(small_trace(40), tmp_path / "x.tape", speed=0.1, on_status=interrupt, **QUICK)
    assert interrupted
    assert tape.stopped
    outcomes = tape.requests["outcome"].to_pylist()
    assert len(outcomes) == 40
    assert set(outcomes) == {"ok", "cancelled"}


def test_two_interrupts_raise_keyboard_interrupt(small_trace: Any, tmp_path: Path) -> None:
    def interrupt(status: Any) -> None:
        if status.finished:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"^interrupted twice; to keep .* run: tokentape recover .*x\.tape$"):
        tokentape.replay(small_trace(40), tmp_path / "x.tape", speed=0.1, on_status=interrupt, **QUICK)
    with pytest.raises(tokentape.UserError, match="not sealed"):
        tokentape.open(tmp_path / "x.tape")


def test_notes_go_to_the_user_or_to_the_logger(
    simulator: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words: dict[str, Any] = {"url": simulator(ttft="1ms", itl="1ms").url, "ramp": "10s", "duration": "100ms"}
    notes: list[str] = []
    with caplog.at_level(logging.INFO, "tokentape"):
        tokentape.profile(tmp_path / "a.tape", on_note=notes.append, **words)
        assert caplog.records == []
        tokentape.profile(tmp_path / "b.tape", **words)
    (ramp,) = [note for note in notes if "ramp" in note]
    assert ramp in [record.getMessage() for record in caplog.records]


def test_a_profile_by_its_parameters(simulator: Any, tmp_path: Path) -> None:
    url = simulator(ttft="2ms", itl="1ms").url
    tape = tokentape.profile(tmp_path / "x.tape", url=url, model="m", concurrency=2, request_count=6, isl=10, osl=3)
    assert tape.requests["output_tokens"].to_pylist() == [3] * 6
    assert not tape.stopped


def test_older_names_of_profile_still_work_with_a_warning(simulator: Any, tmp_path: Path) -> None:
    url = simulator(ttft="2ms", itl="1ms").url
    with pytest.warns(DeprecationWarning) as warned:
        tape = tokentape.profile(
            tmp_path / "x.tape",
            urls=[url],
            models=["m"],
            pace={"concurrency": 2, "count": 6},
            inputs=InputOptions(input_mean=10, output_mean=3),
            ask_length=True,
            grace_ns=10**9,
        )
    assert tape.requests["output_tokens"].to_pylist() == [3] * 6
    assert "profile(urls=...) is an older name; use url" in [str(warning.message) for warning in warned]
    assert {warning.filename for warning in warned} == {__file__}


def test_older_names_of_replay_still_work_with_a_warning(small_trace: Any, tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match=r"replay\(end_ns=...\) is an older name; use end"):
        tape = tokentape.replay(small_trace(10), tmp_path / "x.tape", end_ns=1, **QUICK)
    assert len(tape.requests) < 10


def test_an_older_and_a_newer_name_contradict_each_other(small_trace: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"replay\(\) got both 'end' and 'end_ns', its older name"):
        tokentape.replay(small_trace(10), tmp_path / "x.tape", end="1s", end_ns=1)


def test_an_unknown_parameter_is_answered_with_the_nearest_one(small_trace: Any, tmp_path: Path) -> None:
    wrong: dict[str, Any] = {"sped": 2}
    with pytest.raises(TypeError, match=r"^replay\(\) got an unexpected keyword argument 'sped'. Did you mean 'speed'"):
        tokentape.replay(small_trace(10), tmp_path / "x.tape", **wrong)
    wrong = {"speed": 2}
    with pytest.raises(TypeError, match=r"^profile\(\) got an unexpected keyword argument 'speed'"):
        tokentape.profile(tmp_path / "x.tape", **wrong)
