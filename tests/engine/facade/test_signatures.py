"""Parameters of the Python API against the options of the engine and of the command line: none is missing."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Literal, get_args

import click
import pytest
import tokentape
from tokentape._older_names import PROFILE, REPLAY, OlderProfileNames, OlderReplayNames
from tokentape._values import PARAMETERS
from tokentape.engine.cli.profile import profile as profile_verb
from tokentape.engine.cli.record import record as record_verb
from tokentape.engine.cli.replay import replay as replay_verb
from tokentape.engine.cli.serve import serve as serve_verb
from tokentape.engine.plan import Pace
from tokentape.engine.record.recorder import RecordOptions
from tokentape.engine.simulate.simulator import SimulatorConfig
from tokentape.engine.workloads.options import InputOptions, ProfileOptions, ReplayOptions

FUNCTIONS = [getattr(tokentape, name) for name in tokentape.__all__ if inspect.isfunction(getattr(tokentape, name))]

REPLAY_FIELDS = {"go_on_after_failure": "on_failure"}
PACE_FIELDS = {
    "segments": "request_rate",
    "process": "arrival",
    "ramp_steps": "ramp",
    "count": "request_count",
    "warmup_count": "warmup_request_count",
    "max_in_flight": "concurrency",
}
INPUT_FIELDS = {
    "file": "input_file",
    "dataset": "input_dataset",
    "column": "dataset_column",
    "split": "dataset_split",
    "subset": "dataset_subset",
    "input_mean": "isl",
    "input_stddev": "isl_stddev",
    "output_mean": "osl",
    "output_stddev": "osl_stddev",
}
PROFILE_FIELDS = {
    "urls": "url",
    "models": "model",
    "url_choice": "url_strategy",
    "model_choice": "model_selection_strategy",
    "ask_length": "osl",
}
RECORD_FIELDS = {"rotate_ns": "rotate_every", "rotate_bytes": "rotate_size"}
"""Fields whose parameter is not called like the field, or like the field without its unit."""

NOT_IN_PYTHON = {
    "--simulate": "leave out url",
    "--sample": "tokentape.sample_trace()",
    "--service-kind": "a word of GenAI-Perf that has one useful value",
    "--fixed-schedule": "tokentape.replay()",
    "--measurement-interval": "duration",
    "--stability-percentage": "a note of the command line",
    "--announce-fd": "of the program alone",
    "--parent-pid": "of the program alone",
    "--config": "a dict and **",
    "--dump-config": "a dict and **",
    "--artifact-dir": "tokentape.export()",
    "--profile-export-file": "tokentape.export()",
    "--generate-plots": "tape.plot()",
    "--goodput": "tokentape.export()",
    "--slo": "tape.summary()",
    "--dialect": "tokentape.summarize()",
    "--max-failures": "tape.summary()",
    "--format": "tape.summary().as_dict()",
    "--explain": "docs/metrics.md",
    "--verbose": "on_note",
    "--quiet": "on_status",
}
"""Options of the command line without a parameter, and what to use instead."""


def keywords(function: Callable[..., Any]) -> set[str]:
    """Names of the parameters of a function."""
    return set(inspect.signature(function).parameters)


def parameter_of(field: str, renamed: dict[str, str]) -> str:
    """The parameter that sets a field of an options class."""
    return renamed.get(field, field.removesuffix("_ns"))


@pytest.mark.parametrize(
    ("options", "renamed", "function"),
    [
        (ReplayOptions, REPLAY_FIELDS, tokentape.replay),
        (ProfileOptions, PROFILE_FIELDS, tokentape.profile),
        (Pace, PACE_FIELDS, tokentape.profile),
        (InputOptions, INPUT_FIELDS, tokentape.profile),
        (SimulatorConfig, {}, tokentape.serve),
        (RecordOptions, RECORD_FIELDS, tokentape.record),
    ],
)
def test_every_field_of_the_options_has_a_parameter(
    options: Any, renamed: dict[str, str], function: Callable[..., Any]
) -> None:
    needed = {parameter_of(field.name, renamed) for field in fields(options)} - {"pace", "inputs"}
    assert needed - keywords(function) == set()


@pytest.mark.parametrize(
    ("verb", "function"),
    [
        (replay_verb, tokentape.replay),
        (profile_verb, tokentape.profile),
        (record_verb, tokentape.record),
        (serve_verb, tokentape.serve),
    ],
    ids=["replay", "profile", "record", "serve"],
)
def test_every_option_of_a_verb_has_a_parameter(verb: click.Command, function: Callable[..., Any]) -> None:
    known = keywords(function)
    missing = []
    for option in verb.params:
        if not isinstance(option, click.Option) or option.hidden:
            continue
        names = [name for name in option.opts if name.startswith("--")]
        places = {
            PARAMETERS.get(name, name.removeprefix("--").replace("-", "_")).removesuffix("=False") for name in names
        } | {option.name}
        if verb is profile_verb and "--endpoint" in names:
            places = {"path"}
        if not places & known and not set(names) & set(NOT_IN_PYTHON):
            missing.append(names)
    assert missing == []


def test_messages_name_parameters_that_there_are() -> None:
    functions = (tokentape.replay, tokentape.profile, tokentape.record, tokentape.serve)
    known = set().union(*map(keywords, functions))
    assert {name.removesuffix("=False") for name in PARAMETERS.values()} <= known


def test_all_but_the_first_parameters_are_keyword_only() -> None:
    positional = {
        function.__name__: [
            parameter.name
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ]
        for function in FUNCTIONS
    }
    assert positional == {
        "export": ["tapes", "directory"],
        "open": ["path"],
        "plot": ["tapes", "directory"],
        "profile": ["out"],
        "read_trace": ["path"],
        "record": ["out"],
        "replay": ["trace", "out"],
        "sample_trace": [],
        "serve": [],
        "summarize": ["tapes"],
    }


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_no_parameter_is_untyped_or_any(function: Callable[..., Any]) -> None:
    for parameter in inspect.signature(function).parameters.values():
        assert isinstance(parameter.annotation, str), f"{function.__name__}({parameter.name}) has no type"
        assert parameter.annotation != "Any", f"{function.__name__}({parameter.name}) is Any"


@pytest.mark.parametrize(
    ("typed", "replaced", "function"),
    [(OlderReplayNames, REPLAY, tokentape.replay), (OlderProfileNames, PROFILE, tokentape.profile)],
)
def test_older_names_are_typed_and_point_to_parameters(
    typed: Any, replaced: dict[str, tuple[str, ...]], function: Callable[..., Any]
) -> None:
    assert set(typed.__annotations__) == set(replaced)
    assert {new for names in replaced.values() for new in names} <= keywords(function)


def test_choices_are_those_of_the_simulator() -> None:
    """The signature of `serve` spells out what the compiled module has for type checkers alone."""
    from tokentape.cext import server

    annotations = inspect.signature(tokentape.serve).parameters
    names = {
        "role": server.ROLES,
        "finish": server.FINISHES,
        "line_end": server.LINE_ENDS,
        "framing": server.FRAMINGS,
        "error_shape": server.SHAPES,
        "stream_error": server.STREAM_ERRORS,
        "ping": server.PINGS,
        "fault": server.FAULTS,
    }
    for name, values in names.items():
        choices = get_args(eval(annotations[name].annotation, {"Literal": Literal}))
        assert set(choices) == set(values), name


def test_errors_can_be_caught_by_their_public_names() -> None:
    from tokentape.engine.errors import UserError
    from tokentape.traces.errors import TraceError

    assert tokentape.UserError is UserError
    assert tokentape.TraceError is TraceError
