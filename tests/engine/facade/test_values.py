"""Values as users of the Python API write them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tokentape
from tokentape._values import header_lines, nanoseconds, several, size, with_parameters
from tokentape.engine.plan import constant_rate, ramp


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("50ms", 50_000_000),
        ("1.5s", 1_500_000_000),
        ("2m", 120 * 10**9),
        ("0", 0),
        (timedelta(milliseconds=50), 50_000_000),
        (timedelta(days=1, microseconds=1), 86_400 * 10**9 + 1000),
        (timedelta(0), 0),
    ],
)
def test_durations_become_nanoseconds(value: str | timedelta, expected: int) -> None:
    assert nanoseconds("grace", value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "grace is 5, a number without a unit; write '5s' for seconds, '5ms' for milliseconds, or a "
            "datetime.timedelta"),
        (0.5, "grace is 0.5, a number without a unit; write '0.5s' for seconds, '0.5ms' for milliseconds, or a "
              "datetime.timedelta"),
        (True, "grace is True; write a text as in '50ms', or a datetime.timedelta"),
        (None, "grace is None; write a text as in '50ms', or a datetime.timedelta"),
        (timedelta(seconds=-1), "grace is -1 day, 23:59:59; a duration cannot be negative"),
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_what_to_write(value: Any, message: str) -> None:
    with pytest.raises(tokentape.UserError) as raised:
        nanoseconds("grace", value)
    assert str(raised.value) == message


def test_a_duration_that_must_be_above_0() -> None:
    with pytest.raises(tokentape.UserError, match=r"^read_timeout is 0s; it must be above 0$"):
        nanoseconds("read_timeout", "0s", above_0=True)


def test_sizes_headers_and_lists() -> None:
    assert [size("rotate_size", value) for value in ("1GB", 500, None)] == [10**9, 500, None]
    with pytest.raises(tokentape.UserError, match="rotate_size is 0; it must be above 0"):
        size("rotate_size", 0)
    assert header_lines({"X-A": "1", "X-B": "2"}) == ("X-A: 1", "X-B: 2")
    assert header_lines(["X-A: 1"]) == header_lines("X-A: 1") == ("X-A: 1",)
    assert several("a") == several(["a"]) == ("a",)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sessions": "close"}, "sessions is 'close'; it must be one of open, closed, hybrid"),
        ({"limit": 0}, "limit is 0; it must be a whole number of at least 1"),
        ({"workers": 1.5}, "workers is 1.5; it must be a whole number of at least 1"),
        ({"start": 60}, "start is 60, a number without a unit"),
        ({"think": 2}, "think is 2, a number without a unit"),
        ({"url": "http://127.0.0.1:1", "ttft": "5ms"}, "ttft is a setting of the simulated server; leave it out, or"),
    ],
)
def test_parameters_of_replay_that_cannot_be_used(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(tokentape.UserError) as raised:
        tokentape.replay(tokentape.sample_trace(), tmp_path / "x.tape", **wrong)
    assert str(raised.value).startswith(message)
    assert not (tmp_path / "x.tape").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"arrival": "poisson"}, "arrival is for requests at a rate; add request_rate"),
        ({"request_rate": 5, "burstiness": 0.5}, "burstiness is the shape of gamma arrivals; add arrival='gamma'"),
        ({"request_rate": 0}, "request_rate is 0; it must be above 0"),
        ({"rate_series": "r.csv", "ramp": "5s"}, "rate_series and ramp both set the rate; leave one out"),
        ({"cancel_share": 0.1}, "cancel_share and cancel_after must be given together"),
        ({"ramp": "5s:x"}, "ramp is '5s:x'; write TIME or TIME:STEPS, as in '30s:6'"),
        ({"duration": "0s"}, "duration is 0s; it must be above 0"),
        ({"isl": 0}, "isl is 0; it must be a whole number of at least 1"),
        ({"input_file": "a", "input_dataset": "b"}, "input_file and input_dataset both set the inputs"),
        (
            {"url": ["a", "b"], "url_strategy": "weight", "url_weights": [1]},
            "url_weights has 1 numbers, but url has 2 values",
        ),
        ({"model_weights": [1]}, "model_weights needs model_selection_strategy='weight'"),
    ],
)
def test_parameters_of_profile_that_cannot_be_used(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(tokentape.UserError) as raised:
        tokentape.profile(tmp_path / "x.tape", **wrong)
    assert str(raised.value).startswith(message)


def test_a_load_in_words_is_the_load_of_the_engine() -> None:
    from tokentape._run import profile_options

    defaults = {**(tokentape.profile.__kwdefaults__ or {})}
    open_loop = profile_options(defaults | {"request_rate": 20, "ramp": "30s:6", "concurrency": 9, "warmup": "5s"}, {})
    pace = open_loop.pace
    assert pace.segments == ramp(20, 30, 6)
    assert (pace.concurrency, pace.max_in_flight, pace.warmup_ns, pace.duration_ns) == (0, 9, 5 * 10**9, 30 * 10**9)
    assert profile_options(defaults | {"request_rate": 2}, {}).pace.segments == constant_rate(2)
    closed = profile_options(defaults | {"request_count": 7, "osl": 5, "url": "http://a"}, {})
    assert (closed.pace.concurrency, closed.pace.count, closed.pace.duration_ns) == (1, 7, None)
    assert (closed.inputs.output_mean, closed.ask_length, closed.ignore_eos) == (5, True, True)
    assert (closed.url, closed.urls) == ("http://a", ("http://a",))
    assert profile_options(defaults, {}).ignore_eos is False


@pytest.mark.parametrize(
    ("engine", "python"),
    [
        ("x.tape exists; name another with --out, or remove it", "x.tape exists; name another with out, or remove it"),
        ("--workers 4 cannot share --concurrency 1", "workers 4 cannot share concurrency 1"),
        ("needs the body: --request-template FILE", "needs the body: template FILE"),
        ("leave the proxy out (--no-proxy)", "leave the proxy out (proxy=False)"),
        ("--out: run: tokentape recover x --y", "out: run: tokentape recover x --y"),
        ("`tokentape trace formats --x`, or --map", "`tokentape trace formats --x`, or trace_map"),
        ("two-word--dash, a -- b", "two-word--dash, a -- b"),
    ],
)  # fmt: skip
def test_messages_name_parameters_instead_of_options(engine: str, python: str) -> None:
    assert with_parameters(engine) == python


def test_errors_of_the_engine_name_parameters(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    out = tmp_path / "x.tape"
    calls: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: tokentape.profile(out, workers=2, concurrency=1), ["workers 2", "concurrency 1"]),
        (
            lambda: tokentape.record(out, url="http://127.0.0.1:1", keep_bodies=True, anonymize=True),
            ["keep_bodies", "anonymize"],
        ),
        (lambda: tokentape.serve(tls_cert="x.pem"), ["tls_cert", "tls_key"]),
        (lambda: tokentape.read_trace(tmp_path / "x.csv"), ["x.csv", "mapping"]),
    ]
    for call, words in calls:
        with pytest.raises((tokentape.UserError, tokentape.TraceError)) as raised:
            call()
        message = str(raised.value)
        assert "--" not in message
        assert [word for word in words if word not in message] == []
