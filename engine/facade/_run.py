"""Runs that are started from Python: conversion of parameters to options of the engine, and handling of Ctrl-C."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from tokentape._values import (
    duration_text,
    errors_with_parameters,
    header_lines,
    nanoseconds,
    note_with,
    one_of,
    optional_nanoseconds,
    optional_path,
    several,
    text_path,
    whole_number,
)
from tokentape.engine.errors import UserError
from tokentape.engine.plan import Choice, Pace, constant_rate, ramp
from tokentape.engine.plan.arrival_process import Segment
from tokentape.engine.plan.rate_series import read_rate_series
from tokentape.engine.run.controller import Interrupted
from tokentape.engine.run.send_options import MS
from tokentape.engine.workloads.options import InputOptions, ProfileOptions, ReplayOptions
from tokentape.engine.workloads.profile_run import profile
from tokentape.engine.workloads.replay_run import replay
from tokentape.tape import Tape, open_tape

T = TypeVar("T")

_AS_THEY_ARE = ("endpoint", "workers", "tokenizer_revision", "trust_remote_code", "seed", "stream", "usage", "framing",
                "api_key_env", "insecure", "proxy", "reuse", "realtime", "kernel_stamps", "keep_bodies")  # fmt: skip


def run_replay(given: Mapping[str, Any], overrides: Mapping[str, Any]) -> Tape:
    """Replay a trace and return the sealed tape.

    Args:
        given: The parameters of ``tokentape.replay``.
        overrides: Fields of ReplayOptions that were given by their older names.
    """
    out = Path(given["out"])
    options = replay_options(given, overrides)
    _interruptible(
        out,
        lambda: replay(
            Path(given["trace"]), out, options, on_status=_status(given), on_note=note_with(given["on_note"])
        ),
    )
    return open_tape(out)


def run_profile(given: Mapping[str, Any], overrides: Mapping[str, Any]) -> Tape:
    """Profile a server and return the sealed tape.

    Args:
        given: The parameters of ``tokentape.profile``.
        overrides: Fields of ProfileOptions that were given by their older names.
    """
    out = Path(given["out"])
    options = profile_options(given, overrides)
    _interruptible(out, lambda: profile(out, options, on_status=_status(given), on_note=note_with(given["on_note"])))
    return open_tape(out)


def _status(given: Mapping[str, Any]) -> Callable[[Any], Any]:
    show: Callable[[Any], Any] | None = given["on_status"]
    return show or (lambda status: None)


def _interruptible(out: Path, run: Callable[[], T]) -> T:
    """Run, and raise KeyboardInterrupt where the engine raises Interrupted."""
    try:
        with errors_with_parameters():
            return run()
    except Interrupted:
        raise KeyboardInterrupt(f"interrupted twice; to keep what was measured, run: tokentape recover {out}") from None


def replay_options(given: Mapping[str, Any], overrides: Mapping[str, Any]) -> ReplayOptions:
    """Return the options of a replay.

    Args:
        given: The parameters of ``tokentape.replay``.
        overrides: Fields of ReplayOptions that were given by their older names.

    Raises:
        UserError: A value cannot be used.
    """
    one_of("sessions", given["sessions"], ("open", "closed", "hybrid"))
    one_of("history", given["history"], ("recorded", "live"))
    one_of("on_failure", given["on_failure"], ("stop", "continue"))
    one_of("cache_namespace", given["cache_namespace"], ("fresh", "shared"))
    one_of("prompt_form", given["prompt_form"] or "text", ("text", "token-ids", "token_ids"))
    whole_number("limit", given["limit"], least=1)
    form, think, columns = given["prompt_form"], given["think"], given["trace_map"]
    values = _send_fields(given, given["url"]) | {
        "url": given["url"],
        "model": given["model"],
        "ignore_eos": given["ignore_eos"],
        "speed": given["speed"],
        "start_ns": optional_nanoseconds("start", given["start"]),
        "end_ns": optional_nanoseconds("end", given["end"]),
        "limit": given["limit"],
        "sessions": given["sessions"],
        "think": think if think in ("recorded", "none") else nanoseconds("think", think),
        "history": given["history"],
        "go_on_after_failure": given["on_failure"] == "continue",
        "prompt_form": None if form is None else form.replace("-", "_"),
        "trace_format": given["trace_format"],
        "trace_map": ",".join(f"{name}={column}" for name, column in columns.items())
        if isinstance(columns, Mapping)
        else columns,
        "cache_namespace": given["cache_namespace"],
        "skip_bad_rows": given["skip_bad_rows"],
    }
    return ReplayOptions(**(values | dict(overrides)))


def profile_options(given: Mapping[str, Any], overrides: Mapping[str, Any]) -> ProfileOptions:
    """Return the options of a profile.

    Args:
        given: The parameters of ``tokentape.profile``.
        overrides: Fields of ProfileOptions that were given by their older names; `pace` and `inputs` may be mappings of
            their fields.

    Raises:
        UserError: A value cannot be used, or two contradict each other.
    """
    one_of("order", given["order"], ("sequential", "shuffle", "random"))
    rest = dict(overrides)
    urls, models = several(rest.pop("urls", given["url"])), several(rest.pop("models", given["model"]))
    pace, inputs = rest.pop("pace", None), rest.pop("inputs", None)
    asks = given["osl"] is not None or given["lengths"] is not None
    values = _send_fields(given, urls[0] if urls else None) | {
        "url": urls[0] if urls else None,
        "urls": urls,
        "url_choice": _choice("url", urls, given["url_strategy"], "url_strategy", given["url_weights"]),
        "model": models[0] if models else None,
        "models": models,
        "model_choice": _choice(
            "model", models, given["model_selection_strategy"], "model_selection_strategy", given["model_weights"]
        ),
        "path": given["path"],
        "pace": _pace(given) if pace is None else Pace(**pace) if isinstance(pace, Mapping) else pace,
        "order": given["order"],
        "inputs": _inputs(given)
        if inputs is None
        else InputOptions(**inputs)
        if isinstance(inputs, Mapping)
        else inputs,
        "ask_length": asks,
        "min_tokens": given["min_tokens"],
        "probe": given["probe"],
        "ignore_eos": rest.get("ask_length", asks) if given["ignore_eos"] is None else given["ignore_eos"],
    }
    return ProfileOptions(**(values | rest))


def _send_fields(given: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    """Return the fields of SendOptions, except for the server, the model and `ignore_eos`."""
    one_of("framing", given["framing"], ("sse", "ndjson"))
    whole_number("workers", given["workers"], least=1)
    whole_number("seed", given["seed"], least=0)
    simulator = list(given["simulator"])
    for name in ("ttft", "itl"):
        if given[name] is not None:
            if url is not None:
                raise UserError(f"{name} is a setting of the simulated server; leave it out, or leave out url")
            simulator += [f"--{name}", duration_text(name, given[name])]
    return {
        **{name: given[name] for name in _AS_THEY_ARE},
        "template": optional_path(given["template"]),
        "response_fields": several(given["response_fields"]),
        "tokenizer": text_path(given["tokenizer"]),
        "headers": header_lines(given["headers"]),
        "api_key_file": text_path(given["api_key_file"]),
        "cacert": text_path(given["cacert"]),
        "connect_timeout_ns": nanoseconds("connect_timeout", given["connect_timeout"], above_0=True),
        "read_timeout_ns": nanoseconds("read_timeout", given["read_timeout"], above_0=True),
        "grace_ns": nanoseconds("grace", given["grace"]),
        "preopen_ns": nanoseconds("preopen", given["preopen"]),
        "spin_ns": nanoseconds("spin", given["spin"]),
        "simulator": simulator,
        "extra": dict(given["extra"] or {}),
    }


def _inputs(given: Mapping[str, Any]) -> InputOptions:
    if given["input_file"] is not None and given["input_dataset"] is not None:
        raise UserError("input_file and input_dataset both set the inputs; leave one out")
    one_of("image_format", given["image_format"], ("png", "jpeg"))
    limits = {"entries": 1, "isl": 1, "osl": 1, "prefixes": 0, "prefix_tokens": 1, "batch": 1, "image_width": 0,
              "image_height": 0}  # fmt: skip
    for name, least in limits.items():
        whole_number(name, given[name], least=least)
    renamed = {"input_mean": "isl", "input_stddev": "isl_stddev", "output_mean": "osl", "output_stddev": "osl_stddev",
               "file": "input_file", "dataset": "input_dataset", "column": "dataset_column",
               "split": "dataset_split", "subset": "dataset_subset"}  # fmt: skip
    values = {field.name: given[renamed.get(field.name, field.name)] for field in fields(InputOptions)}
    for name in ("file", "images"):
        values[name] = optional_path(values[name])
    return InputOptions(**values)


def _pace(given: Mapping[str, Any]) -> Pace:
    one_of("arrival", given["arrival"], ("constant", "poisson", "gamma"))
    for name, least in {"concurrency": 1, "request_count": 1, "warmup_request_count": 0, "max_prefilling": 1}.items():
        whole_number(name, given[name], least=least)
    ramp_ns, steps = _ramp(given["ramp"])
    segments = _segments(given, ramp_ns / 1e9, steps)
    if given["burstiness"] is not None and given["arrival"] != "gamma":
        raise UserError("burstiness is the shape of gamma arrivals; add arrival='gamma'")
    if given["burstiness"] is not None and given["burstiness"] <= 0:
        raise UserError(f"burstiness is {given['burstiness']}; it must be above 0")
    if segments is None and given["arrival"] != "constant":
        raise UserError("arrival is for requests at a rate; add request_rate")
    if not 0 <= given["cancel_share"] <= 1:
        raise UserError(f"cancel_share is {given['cancel_share']}; it must be from 0 to 1")
    if bool(given["cancel_share"]) != (given["cancel_after"] is not None):
        raise UserError("cancel_share and cancel_after must be given together")
    count = given["request_count"]
    duration_ns = optional_nanoseconds("duration", given["duration"], above_0=True)
    if count is None and duration_ns is None:
        duration_ns = 30_000 * MS
    return Pace(
        segments=segments,
        process=given["arrival"],
        burstiness=given["burstiness"] or 1.0,
        concurrency=0 if segments is not None else given["concurrency"] or 1,
        ramp_ns=ramp_ns,
        ramp_steps=steps,
        count=count,
        duration_ns=duration_ns,
        warmup_count=given["warmup_request_count"],
        warmup_ns=optional_nanoseconds("warmup", given["warmup"]) or 0,
        max_in_flight=(given["concurrency"] or 0) if segments is not None else 0,
        max_prefilling=given["max_prefilling"] or 0,
        cancel_share=given["cancel_share"],
        cancel_after_ns=optional_nanoseconds("cancel_after", given["cancel_after"], above_0=True) or 0,
    )


def _segments(given: Mapping[str, Any], ramp_s: float, steps: int) -> list[Segment] | None:
    rate = given["request_rate"]
    if given["rate_series"] is not None:
        for name in ("request_rate", "ramp"):
            if given[name] is not None:
                raise UserError(f"rate_series and {name} both set the rate; leave one out")
        return read_rate_series(Path(given["rate_series"]))
    if rate is None:
        return None
    if not rate > 0:
        raise UserError(f"request_rate is {rate}; it must be above 0")
    return ramp(rate, ramp_s, steps) if ramp_s else constant_rate(rate)


def _ramp(value: object) -> tuple[int, int]:
    """Return the length of a ramp in ns and its number of steps; 0 steps for a straight line."""
    if value is None:
        return 0, 0
    if not isinstance(value, str) or ":" not in value:
        return nanoseconds("ramp", value, above_0=True), 0
    length, _, steps = value.partition(":")
    if not steps.isascii() or not steps.isdigit() or int(steps) < 1:
        raise UserError(f"ramp is {value!r}; write TIME or TIME:STEPS, as in '30s:6'")
    return nanoseconds("ramp", length, above_0=True), int(steps)


def _choice(what: str, names: Sequence[str], strategy: str, parameter: str, weights: Sequence[float]) -> Choice:
    one_of(parameter, strategy, ("round_robin", "random", "weight"))
    if strategy != "weight":
        if weights:
            raise UserError(f"{what}_weights needs {parameter}='weight'")
        return Choice(max(1, len(names)), strategy)
    if len(weights) != len(names) or not weights:
        raise UserError(
            f"{what}_weights has {len(weights)} numbers, but {what} has {len(names)} values; give one for each"
        )
    if min(weights) < 0 or sum(weights) <= 0:
        raise UserError(
            f"{what}_weights is {list(weights)}; no number may be negative, and at least one must be above 0"
        )
    return Choice(len(names), strategy, tuple(weights))
