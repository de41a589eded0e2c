"""The load of a trace as a model: renewal processes, fitting, generating, and ServeGen's files."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import gamma, sqrt
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tokentape.traces import TraceError, read
from tokentape.traces.model import Client, Histogram, Lengths, LoadModel, Window, fit, generate, read_model, write_model
from tokentape.traces.model.load_model import Family
from tokentape.traces.model.renewal import arrivals_within, bounded_cv, likelier, scale_of, shape_of
from tokentape.traces.stats import arrivals
from tokentape.traces.table import Trace

Build = Callable[..., Trace]
Find = Callable[[str], Path]
S = 10**9
HOUR = 3600 * S
FAMILIES: tuple[Family, ...] = ("Gamma", "Weibull")


def model_of(*windows: tuple[float, float, float, Family], span_s: float = 3600) -> LoadModel:
    """One client whose prompts have 10 or 20 tokens and whose outputs have 5."""
    lengths = Lengths(0, Histogram([10, 20], [3, 1]), Histogram([5], [1]))
    return LoadModel(1, "m", span_s, [Client("c", [Window(*window) for window in windows], [lengths])], [])


# ---- the laws


def test_shapes_by_hand() -> None:
    assert (shape_of("Gamma", 2), scale_of("Gamma", 0.25)) == (0.25, 4)
    assert shape_of("Weibull", 1) == pytest.approx(1)  # the exponential law
    assert shape_of("Weibull", sqrt(5)) == pytest.approx(0.5)  # CV**2 = Γ(5)/Γ(3)**2 - 1
    assert scale_of("Weibull", 0.5) == pytest.approx(1 / gamma(3))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cv", [0.3, 1.0, 3.0])
def test_processes_have_the_rate_and_the_spread_asked_for(family: Family, cv: float) -> None:
    random = np.random.default_rng(1)
    times = arrivals_within(random, family=family, cv=cv, rate_rps=50, length_s=4000)
    assert (np.diff(times) >= 0).all()
    assert 0 <= times[0] <= times[-1] < 4000
    assert len(times) == pytest.approx(200_000, rel=0.03)
    gaps = np.diff(times)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.05)


def kolmogorov_smirnov(values: Any, shares: Any) -> float:
    """The greatest distance of a sample's distribution from a law, times the root of its size: above 1.63 in 1 of 100.

    Args:
        values: The sample, ascending.
        shares: The law's share of what is at most each of them.
    """
    seen = np.searchsorted(values, values, "right") / len(values)
    return float(np.max(np.abs(seen - shares)) * sqrt(len(values)))


@pytest.mark.parametrize(
    ("family", "cv", "law"),
    [
        ("Gamma", sqrt(0.5), lambda x: 1 - (1 + 2 * x) * np.exp(-2 * x)),  # shape 2, scale 1/2
        ("Gamma", 1.0, lambda x: 1 - np.exp(-x)),
        ("Weibull", sqrt(5), lambda x: 1 - np.exp(-np.sqrt(2 * x))),  # shape 1/2, scale 1/Γ(3)
    ],
)
def test_gaps_are_of_their_law(family: Family, cv: float, law: Any) -> None:
    times = arrivals_within(np.random.default_rng(5), family=family, cv=cv, rate_rps=50, length_s=1000)
    gaps = np.sort(np.diff(times)) * 50
    assert kolmogorov_smirnov(gaps, law(gaps)) < 1.63


def test_a_generated_trace_has_its_model_s_gaps_lengths_and_windows() -> None:
    weights = np.random.default_rng(6).random(500)
    lengths = Lengths(0, Histogram(list(range(1, 501)), weights.tolist()), Histogram([7], [1]))
    windows = [Window(0, 30, 1.0, "Gamma"), Window(600, 5, 1.0, "Gamma")]
    model = LoadModel(1, "m", 1200, [Client(name, windows, [lengths]) for name in "ab"], [])
    made = generate(model, duration_ns=1200 * S, seed=7)
    arrival = made.table["arrival_ns"].to_numpy()
    for begin, rate in ((0, 60), (600, 10)):
        within = arrival[(arrival >= begin * S) & (arrival < (begin + 600) * S)]
        assert len(within) == pytest.approx(600 * rate, abs=4 * sqrt(600 * rate))
        gaps = np.sort(np.diff(within)) / S  # two Poisson clients are one of twice the rate
        assert kolmogorov_smirnov(gaps, 1 - np.exp(-gaps * rate)) < 1.63
    tokens = np.sort(made.table["input_tokens"].to_numpy())
    shares = np.cumsum(weights) / weights.sum()
    assert kolmogorov_smirnov(tokens, shares[tokens - 1]) < 1.63
    assert set(made.table["output_tokens"].to_pylist()) == {7}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bursty_process_does_not_begin_with_a_burst(family: Family) -> None:
    """Begun with a whole gap, it would send (CV**2 - 1) / 2 = 12 requests more than the 10 that are due."""
    random = np.random.default_rng(2)
    counts = [len(arrivals_within(random, family=family, cv=5, rate_rps=10, length_s=1)) for _ in range(6000)]
    assert np.mean(counts) == pytest.approx(10, rel=0.1)


def test_spreads_that_cannot_be_are_bounded() -> None:
    assert bounded_cv(1038, 101) == 10  # n gaps have one of at most sqrt(n - 1)
    assert bounded_cv(1038, 10**9) == 20
    assert bounded_cv(3, 100) == 3
    assert bounded_cv(0, 100) == 0.05
    assert bounded_cv(4, 1) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_law_that_made_the_gaps_is_the_likelier(family: Family) -> None:
    random = np.random.default_rng(3)
    for cv in (0.4, 2.5):
        gaps = np.diff(arrivals_within(random, family=family, cv=cv, rate_rps=1, length_s=20_000))
        assert likelier(gaps, cv) == family


# ---- generating


def test_the_same_seed_makes_the_same_trace() -> None:
    model = model_of((0, 2, 1.5, "Gamma"), (1800, 6, 0.5, "Weibull"))
    one, two, other = (generate(model, duration_ns=HOUR, seed=seed) for seed in (1, 1, 2))
    assert one.digest == two.digest != other.digest
    assert one.transforms == (f"generate(duration={HOUR}, start=0, seed=1)",)
    times = one.table["arrival_ns"].to_numpy()
    first = int(np.count_nonzero(times < 1800 * S))
    assert (first, len(one) - first) == (pytest.approx(3600, rel=0.1), pytest.approx(10_800, rel=0.1))
    lengths = one.table["input_tokens"].to_numpy()
    assert set(np.unique(lengths)) == {10, 20}
    assert np.mean(lengths == 20) == pytest.approx(0.25, abs=0.03)
    assert set(one.table["output_tokens"].to_pylist()) == {5}


def test_a_rate_scales_all_clients() -> None:
    quiet = model_of((0, 0.001, 1, "Gamma"))
    made = generate(quiet, duration_ns=HOUR, rate_rps=5, seed=1)
    assert len(made) == pytest.approx(18_000, rel=0.05)
    assert arrivals(made.table["arrival_ns"].to_numpy()).cv == pytest.approx(1, rel=0.05)


def test_a_model_repeats_with_other_draws() -> None:
    made = generate(model_of((0, 1, 1, "Gamma"), (50, 0, 1, "Gamma"), span_s=100), duration_ns=1000 * S, seed=1)
    seconds = made.table["arrival_ns"].to_numpy() / 1e9
    assert len(made) == pytest.approx(500, rel=0.2)
    rounds = [seconds[(seconds >= turn * 100) & (seconds < turn * 100 + 50)] for turn in range(10)]
    assert sum(map(len, rounds)) == len(made)  # nothing in the idle windows
    assert not np.array_equal(rounds[1] - 100, rounds[2] - 200)


def test_start_begins_within_the_model() -> None:
    model = model_of((0, 0, 1, "Gamma"), (1800, 2, 1, "Gamma"))
    assert len(generate(model, duration_ns=600 * S, start_ns=1800 * S)) == pytest.approx(1200, rel=0.2)
    with pytest.raises(TraceError, match="no client sends anything from 0 s to 600 s"):
        generate(model, duration_ns=600 * S)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"duration_ns": 0}, "a duration of 0 s"),
        ({"duration_ns": S, "rate_rps": 0}, "a rate of 0 requests"),
        ({"duration_ns": S, "rate_rps": float("nan")}, "a rate of nan requests"),
        ({"duration_ns": HOUR, "rate_rps": 1e6}, "at most 50,000,000 can be"),
        ({"duration_ns": 10**9 * HOUR}, "would repeat over 100,000 times"),
        ({"duration_ns": 1}, "no request was drawn"),
    ],
)
def test_what_cannot_be_generated(options: dict[str, float], problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        generate(model_of((0, 1, 1, "Gamma")), **options)  # type: ignore[arg-type]


# ---- fitting


def test_fitting_what_was_generated_finds_it_again() -> None:
    made = generate(model_of((0, 4, 2, "Gamma"), (1800, 8, 0.5, "Weibull")), duration_ns=HOUR, seed=4)
    model = fit(made, window_ns=1800 * S)
    (client,) = model.clients
    for window, (rate, cv, family) in zip(client.windows, [(4, 2, "Gamma"), (8, 0.5, "Weibull")], strict=True):
        assert window.rate_rps == pytest.approx(rate, rel=0.1)
        assert window.cv == pytest.approx(cv, rel=0.1)
        assert window.family == family
    assert client.lengths[0].input_tokens.values == [10, 20]
    assert model.rate_rps() == pytest.approx(6, rel=0.1)


def test_long_sessions_are_clients(build: Build) -> None:
    names = ["long" if row % 2 else f"short{row}" if row % 3 else None for row in range(100)]
    times = [row * S for row in range(100)]
    model = fit(build(times, session_id=names, input_tokens=[100 + row % 2 for row in range(100)]))
    assert [client.name for client in model.clients] == ["others", "long"]
    assert [client.lengths[0].input_tokens for client in model.clients] == [
        Histogram([100], [50.0]),
        Histogram([101], [50.0]),
    ]
    assert model.span_s == 100
    assert model.clients[1].windows[0].rate_rps == 0.5


def test_idle_windows_are_kept_once(build: Build) -> None:
    model = fit(build([0, S, 2 * S, 95 * S]), window_ns=10 * S)
    assert [(window.start_s, window.rate_rps > 0) for window in model.clients[0].windows] == [
        (0, True),
        (10, False),
        (90, True),
    ]


@pytest.mark.parametrize(
    ("times", "window_ns", "problem"),
    [([0, 0], S, "all requests arrive at once"), ([0, S], 0, "the window is 0 s"), ([0, S], 1, "over 100,000 windows")],
)
def test_what_cannot_be_fitted(build: Build, times: list[int], window_ns: int, problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        fit(build(times), window_ns=window_ns)


# ---- files


def test_a_model_survives_its_file(tmp_path: Path) -> None:
    model = model_of((0, 1, 1, "Gamma"), (5, 0.3, 2, "Weibull"))
    write_model(model, tmp_path / "model.json")
    assert read_model(tmp_path / "model.json") == model


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": 2}, "is a model of version 2"),
        ({"span_s": 0}, "field span_s: is 0; seconds above 0"),
        ({"clients": []}, "has no clients"),
        ({"clients": 3}, r"is not a model that .* wrote: Expected `array`, got `int` - at `\$.clients`"),
    ],
)
def test_damaged_models(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    value = msgspec.to_builtins(model_of((0, 1, 1, "Gamma"))) | change
    path = tmp_path / "model.json"
    path.write_text(json.dumps(value))
    with pytest.raises(TraceError, match=problem):
        read_model(path)


@pytest.mark.parametrize(
    ("client", "problem"),
    [
        (Client("c", [], []), "field windows: client 'c' needs entries"),
        (
            Client("c", [Window(0, -1, 1, "Gamma")], [Lengths(0, Histogram([1], [1]), Histogram([1], [1]))]),
            "rate of -1",
        ),
        (Client("c", [Window(0, 1, 1, "Gamma")], [Lengths(0, Histogram([1], []), Histogram([1], [1]))]), "as many"),
        (Client("c", [Window(0, 1, 1, "Gamma")], [Lengths(0, Histogram([1], [0]), Histogram([1], [1]))]), "as many"),
    ],
)
def test_clients_that_cannot_be(tmp_path: Path, client: Client, problem: str) -> None:
    path = tmp_path / "model.json"
    write_model(LoadModel(1, "m", 10, [client], []), path)
    with pytest.raises(TraceError, match=problem):
        read_model(path)


def servegen(folder: Path, rows: str, lengths: object) -> Path:
    (folder / "chunk-3-trace.csv").write_text(rows)
    (folder / "chunk-3-dataset.json").write_text(lengths if isinstance(lengths, str) else json.dumps(lengths))
    return folder


LAWS = {"0": {"input_tokens": "{5: 0.5, 7: 0.5}", "output_tokens": "{2: 1.0}", "reason_ratio": "{}"}}


def test_servegen_by_hand(tmp_path: Path) -> None:
    idle = {"600": {"input_tokens": "{}", "output_tokens": "{}"}}
    model = read_model(
        servegen(tmp_path, "0,2.0,1038.0,Weibull,0.1,1\n600,0,0,,0,0\n1200,0.5,0.5,Gamma,4,0.5\n", LAWS | idle)
    )
    assert model.span_s == 1800
    (client,) = model.clients
    assert client.name == "chunk-3"
    assert client.windows == [
        Window(0, 2, 20, "Weibull"),
        Window(600, 0, 1, "Gamma"),
        Window(1200, 0.5, 0.5, "Gamma"),
    ]
    assert client.lengths == [Lengths(0, Histogram([5, 7], [0.5, 0.5]), Histogram([2], [1]))]
    (note,) = model.notes
    assert note == "chunk-3-trace.csv: the CV of 1 window cannot be and was clamped; the greatest from 1038 to 20"
    made = generate(model, duration_ns=600 * S, start_ns=1200 * S, seed=1)
    assert set(made.table["input_tokens"].to_pylist()) == {5, 7}
    assert note in made.notes


@pytest.mark.parametrize(
    ("rows", "lengths", "problem"),
    [
        ("0,x,1,Gamma,1,1\n", LAWS, "chunk-3-trace.csv, row 1: '0,x,1,Gamma,1,1' does not begin with three numbers"),
        ("0,1,1,Pareto,1,1\n", LAWS, "row 1, field law: 'Pareto' is neither Gamma nor Weibull"),
        ("0,-1,1,Gamma,1,1\n", LAWS, "row 1: .* is not start, rate, CV and law"),
        ("", LAWS, "holds no windows"),
        ("0,1,1,Gamma,1,1\n", "[]", "chunk-3-dataset.json: is not a JSON object"),
        ("0,1,1,Gamma,1,1\n", {"0": {}}, "field input_tokens: the entry 0 lacks it"),
        ("0,1,1,Gamma,1,1\n", {"0": {"input_tokens": "{1: __import__('os')}"}}, "is not a dict of lengths to shares"),
        ("0,1,1,Gamma,1,1\n", {"0": {"input_tokens": "{}", "output_tokens": "{}"}}, "no lengths for them"),
    ],
)
def test_damaged_servegen(tmp_path: Path, rows: str, lengths: object, problem: str) -> None:
    with pytest.raises(TraceError, match=problem):
        read_model(servegen(tmp_path, rows, lengths))


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"without chunk-\*-trace.csv"):
        read_model(tmp_path)


def test_servegens_own_files(shared: Find) -> None:
    model = read_model(shared("traces/servegen"))
    assert len(model.clients) == 5
    assert model.span_s == 86_400
    rows = shared("traces/servegen/chunk-1-trace.csv").read_text().splitlines()
    assert model.clients[1].windows[0].rate_rps == float(rows[0].split(",")[1])
    made = generate(model, duration_ns=HOUR, rate_rps=20, seed=1)
    assert len(made) == pytest.approx(72_000, rel=0.1)


def test_a_real_trace_and_its_likeness(shared: Find) -> None:
    trace = read(shared("traces/azure/AzureLLMInferenceTrace_code.csv"))
    made = generate(fit(trace, window_ns=60 * S), duration_ns=HOUR, seed=1)
    old, new = (arrivals(t.table["arrival_ns"].to_numpy()) for t in (trace, made))
    assert old.cv is not None
    assert new.cv == pytest.approx(old.cv, rel=0.5)
    assert np.median(made.table["input_tokens"].to_numpy()) == pytest.approx(1469, rel=0.05)
