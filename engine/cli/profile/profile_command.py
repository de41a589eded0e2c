"""The work of ``tokentape profile``: parse the options, run, and report the results."""

import json
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...plan import Choice, Pace, constant_rate, ramp
from ...plan.arrival_process import Segment
from ...requests.endpoints import find_endpoint
from ...workloads.options import InputOptions, ProfileOptions
from ..common.duration_options import option_ns
from ..common.transport_options import transport_settings
from .profile_options import GENAI_PERF_URL
from .profile_results import check_dialect, report_profile

MS = 1_000_000

KINDS = {
    "triton": "Tokentape uses Triton's HTTP API; pass --service-kind openai --endpoint-type triton_generate (or "
    "kserve)",
    "tensorrtllm_engine": "Tokentape profiles servers only; serve the engine (trtllm-serve) and pass its "
    "URL with --service-kind openai",
    "dynamic_grpc": "Tokentape does not support gRPC; use the server's HTTP API with --service-kind openai",
}
"""Service kinds of GenAI-Perf without a counterpart, and what to use instead."""


def run_profile(given: dict[str, Any]) -> int:
    """Profile a server, export and print the results, and return the exit code."""
    if given["fixed_schedule"]:
        from .fixed_schedule import run_fixed_schedule

        return run_fixed_schedule(given)
    options = profile_options_of(given)
    check_dialect(given["dialect"])
    artifacts = given["artifact_dir"] or _artifact_directory(given, options)
    out = given["out"] or artifacts / f"profile-{time.strftime('%Y%m%d-%H%M%S')}.tape"
    slos = _slos(given)
    for slo in slos:
        if slo.metric in ("ttft", "tpot", "itl") and not given["streaming"]:
            raise UserError(f"{slo.text}: responses without streaming have no token times; add --streaming")
    from ...workloads.profile_run import profile
    from ..common.watched_run import EXIT_INTERRUPTED, note, watched

    command = ["tokentape", *sys.argv[1:]]
    profiled = watched(
        out, given["quiet"], lambda show: profile(out, options, command=command, on_status=show, on_note=note)
    )
    if profiled is None:
        return EXIT_INTERRUPTED
    return report_profile(profiled, given, artifacts, slos)


def profile_options_of(given: dict[str, Any]) -> ProfileOptions:
    """Return the options of a profile from the values of the command line.

    Raises:
        UserError: Two options contradict each other, or a value cannot be used.
    """
    if given["service_kind"] in KINDS:
        raise UserError(f"--service-kind {given['service_kind']}: {KINDS[given['service_kind']]}")
    if given["simulate"] and given["urls"]:
        raise UserError("--simulate and --url both name a server; leave one out")
    endpoint = None if given["endpoint_type"] == "template" else find_endpoint(given["endpoint_type"])
    urls = () if given["simulate"] else given["urls"] or (GENAI_PERF_URL,)
    if given["streaming"] and endpoint is not None and not endpoint.streams:
        raise UserError(f"--streaming: the API {endpoint.name} does not stream; leave the option out")
    asks = any(given[name] is not None for name in ("output_mean", "lengths"))
    for name in ("ttft", "itl"):
        if given[name] is not None and not given["simulate"]:
            raise UserError(f"--{name} is for the simulated server; add --simulate")
    simulator = [word for name in ("ttft", "itl") if given[name] for word in (f"--{name}", given[name])]
    return ProfileOptions(
        urls=urls,
        simulator=simulator,
        url=urls[0] if urls else None,
        url_choice=_choice("url", given["urls"], given["url_strategy"], given["url_weights"]),
        models=given["models"],
        model=given["models"][0] if given["models"] else None,
        model_choice=_choice(
            "model", given["models"], given["model_selection_strategy"], given["model_weights"], "-selection"
        ),
        endpoint="template" if endpoint is None else endpoint.name,
        template=given["template"],
        response_fields=given["response_fields"],
        framing=given["framing"],
        path=given["path"],
        pace=_pace(given),
        order=given["dataset_order"],
        inputs=_inputs(given),
        ask_length=asks,
        min_tokens=given["min_tokens"],
        ignore_eos=asks if given["ignore_eos"] is None else given["ignore_eos"],
        probe=given["probe"],
        stream=given["streaming"],
        extra=_extra(given["extra_inputs"]),
        **{name: given[name] for name in ("usage", "workers", "tokenizer", "seed", "keep_bodies")},
        **transport_settings(given),
    )


def _inputs(given: dict[str, Any]) -> InputOptions:
    if given["input_file"] and given["input_dataset"]:
        raise UserError("--input-file and --input-dataset both set the inputs; leave one out")
    names = ("entries", "input_mean", "input_stddev", "output_mean", "output_stddev", "lengths", "prefixes",
             "prefix_tokens", "batch", "image_width", "image_height", "image_width_stddev", "image_height_stddev",
             "image_format", "images")  # fmt: skip
    return InputOptions(
        file=given["input_file"],
        dataset=given["input_dataset"],
        column=given["dataset_column"],
        split=given["dataset_split"],
        subset=given["dataset_subset"],
        **{name: given[name] for name in names},
    )


def _pace(given: dict[str, Any]) -> Pace:
    ramp_ns, steps = _ramp(given["ramp"])
    segments = _segments(given, ramp_ns / 1e9, steps)
    if given["burstiness"] is not None and given["arrival"] != "gamma":
        raise UserError("--burstiness is the shape of gamma arrivals; add --arrival gamma")
    if segments is None:
        for name in ("arrival",):
            if given[name] != "constant":
                raise UserError(f"--{name} is for requests at a rate; add --request-rate")
    if bool(given["cancel_share"]) != bool(given["cancel_after"]):
        raise UserError("--cancel-share and --cancel-after must be given together")
    count, duration_ns = given["count"], None
    if given["duration"] is not None:
        duration_ns = option_ns(given, "duration", above_0=True)
    elif count is None:
        duration_ns = 3 * given["measurement_interval"] * MS
    return Pace(
        segments=segments,
        process=given["arrival"],
        burstiness=given["burstiness"] or 1.0,
        concurrency=0 if segments is not None else given["concurrency"] or 1,
        ramp_ns=ramp_ns,
        ramp_steps=steps,
        count=count,
        duration_ns=duration_ns,
        warmup_count=given["warmup_count"],
        warmup_ns=option_ns(given, "warmup") if given["warmup"] is not None else 0,
        max_in_flight=(given["concurrency"] or 0) if segments is not None else 0,
        max_prefilling=given["max_prefilling"] or 0,
        cancel_share=given["cancel_share"],
        cancel_after_ns=option_ns(given, "cancel_after", above_0=True) if given["cancel_after"] else 0,
    )


def _segments(given: dict[str, Any], ramp_s: float, steps: int) -> list[Segment] | None:
    if given["rate_series"] is not None:
        from ...plan.rate_series import read_rate_series

        for name in ("request_rate", "ramp"):
            if given[name] is not None:
                raise UserError(f"--rate-series and --{name.replace('_', '-')} both set the rate; leave one out")
        return read_rate_series(given["rate_series"])
    rate = given["request_rate"]
    if rate is None:
        return None
    return ramp(rate, ramp_s, steps) if ramp_s else constant_rate(rate)


def _ramp(text: str | None) -> tuple[int, int]:
    """Return the length of a ramp in ns and its number of steps; 0 steps for a straight line."""
    if text is None:
        return 0, 0
    time_, colon, steps = text.partition(":")
    length_ns = option_ns({"ramp": time_}, "ramp", above_0=True)
    if not colon:
        return length_ns, 0
    if not steps.isascii() or not steps.isdigit() or int(steps) < 1:
        raise UserError(f"--ramp {text!r}: write TIME or TIME:STEPS, as in 30s:6")
    return length_ns, int(steps)


def _choice(what: str, names: tuple[str, ...], strategy: str, weights: str | None, word: str = "") -> Choice:
    if strategy == "weight":
        values = _weights(what, weights)
        if len(values) != len(names):
            raise UserError(
                f"--{what}-weights has {len(values)} numbers, but --{what} has {len(names)} values; write one "
                f"number for each"
            )
        return Choice(max(1, len(names)), strategy, values)
    if weights is not None:
        raise UserError(f"--{what}-weights needs --{what}{word}-strategy weight")
    return Choice(max(1, len(names)), strategy)


def _weights(what: str, text: str | None) -> tuple[float, ...]:
    try:
        values = tuple(float(Fraction(word.strip())) for word in (text or "").split(","))
    except (ValueError, ZeroDivisionError):
        values = ()
    if not values or min(values) < 0 or sum(values) <= 0:
        raise UserError(
            f"--{what}-weights is {text!r}; write one number for each {what}, none negative and at least one "
            f"above 0, such as 3,1"
        )
    return values


def _extra(words: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of ``NAME:VALUE`` texts and JSON objects. A name without a value is true."""
    fields: dict[str, Any] = {}
    for word in words:
        text = word.strip()
        if text.startswith("{"):
            try:
                fields |= json.loads(text)
            except ValueError as error:
                raise UserError(f"--extra-inputs {word!r} is not JSON: {error}") from None
            continue
        name, colon, value = text.partition(":")
        if not name or (colon and not value):
            raise UserError(f"--extra-inputs {word!r}: write NAME:VALUE or a JSON object")
        fields[name] = _value(value) if colon else True
    return fields


def _value(text: str) -> Any:
    """Return the value of a JSON text, or the text itself if it is not JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def _slos(given: dict[str, Any]) -> list[Any]:
    from ...measure.dialects.goodput_words import parse_goodput
    from ...measure.slo import parse_slo

    return [parse_slo(slo) for slo in given["slos"]] + [parse_goodput(word) for word in given["goodput"]]


def _artifact_directory(given: dict[str, Any], options: ProfileOptions) -> Path:
    from ...report.genai_perf import artifact_directory

    open_loop = options.pace.segments is not None
    return artifact_directory(
        given["models"] or "model",
        given["service_kind"],
        given["endpoint_type"],
        concurrency=None if open_loop else options.pace.concurrency,
        request_rate=given["request_rate"] if open_loop else None,
    )
