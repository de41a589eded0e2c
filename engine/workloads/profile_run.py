"""Profiling a server: prepared requests at a rate or a concurrency, from options to a sealed tape."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import UserError
from ..host import clock_pair
from ..plan import Pace, Plan, peak_rows, profile_plan
from ..requests.endpoints import BodyCompleter, BodyOptions, Endpoint
from ..requests.profile_composer import ProfileComposer
from ..run.descriptors import descriptors_for
from ..run.execute import Job, check_start, execute, server_of
from ..run.row_batches import Constants
from ..run.run_status import Status
from ..tape import Tape
from ..transport.connection_check import check_connection
from ..transport.models import served_model
from ..transport.preflight import settle_path
from ..transport.request_head import request_head, request_headers, secrets
from ..transport.target import Target, find_target
from .endpoint_choice import api_of
from .options import ProfileOptions
from .probe_servers import path_of, probe_servers
from .profile_contents import ProfileContents, make_contents


@dataclass(frozen=True)
class Profiled:
    """A profile's tape and the bodies that were sent, whether or not the tape keeps them."""

    tape: Tape
    composer: ProfileComposer

    def payloads(self) -> Iterator[bytes]:
        """The body of each request on the tape, by request_id."""
        for row in sorted(self.tape.read("requests", ("request_id",))["request_id"].to_pylist()):
            yield self.composer.body(row)


def profile(
    out: Path,
    options: ProfileOptions,
    *,
    command: Sequence[str] = (),
    on_status: Callable[[Status], None] = lambda status: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Profiled:
    """Send prepared requests to servers at a rate or a concurrency, and write the tape.

    Args:
        out: Path of the tape; must not exist.
        options: Options of the profile.
        command: The command line for the manifest, if there is one.
        on_status: Called several times a second while requests are sent.
        on_note: Called with each note for the user.

    Returns:
        The sealed tape and the bodies. The tape has a row for every request of the plan; if a closed loop ended by the
        clock, for every request that was sent.

    Raises:
        UserError: An option, the target or the output path is not valid.
        TraceError: Inputs cannot be read.
        Interrupted: The user interrupted twice; the journal can be recovered.
    """
    endpoint = _endpoint(options)
    check_profile(options)
    headers = request_headers(
        options.headers,
        options.api_key_env,
        options.api_key_file,
        key_header=endpoint.key_header,
        of_api=endpoint.headers,
    )
    check_start(out, options)
    prepared = make_contents(options, endpoint, on_note)
    plan = _plan(prepared, options)
    if (cut := ramp_cut(options.pace)) is not None:
        on_note(cut)
    connections, warning = descriptors_for(plan, _at_once(plan), options.workers)
    if warning and not plan.load.closed:
        on_note(warning)
    stream = options.stream and endpoint.streams
    with _servers_of(options) as urls:
        timeout_s = options.connect_timeout_ns / 1e9
        models, targets = _models_and_targets(endpoint, options, urls, headers, stream, timeout_s, on_note)
        if options.probe:
            options, targets = probe_servers(prepared, endpoint, options, models, targets, headers, stream, on_note)
        composer = _composer(plan, prepared, endpoint, models, targets, headers, stream, options)
        for note in dict.fromkeys(note for target in targets for note in target.notes()):
            on_note(note)
        epoch = clock_pair()
        constants = Constants(
            endpoint.name,
            models[0],
            targets[0].url,
            epoch["mono_ns"],
            exact_inputs=prepared.exact,
            secrets=(*secrets(headers), *(secret for target in targets for secret in target.secrets)),
            models=_by_row(plan.model, models),
            urls=_by_row(plan.server, [target.url for target in targets]),
        )
        job = Job(
            plan=plan,
            endpoint=endpoint,
            targets=targets,
            composer=composer,
            constants=constants,
            epoch=epoch,
            facts=_facts(prepared, plan, options, models, stream),
            connections=connections,
        )
        run = execute(job, out, options, command=command, on_status=on_status, on_note=on_note)
    tape = run.seal()
    if plan.load.stop_ns and run.controller.status.sent == len(plan):
        on_note(
            f"all {len(plan):,} requests of the plan were sent before the end of the duration; give a --request-count"
        )
    return Profiled(tape, composer)


def _endpoint(options: ProfileOptions) -> Endpoint:
    endpoint = api_of(options, options.path or "", "--endpoint-type")
    if options.path is None or endpoint.name == "template":
        return endpoint
    return replace(endpoint, path="/" + options.path.lstrip("/"), whole_path=None)


def _plan(prepared: ProfileContents, options: ProfileOptions) -> Plan:
    return profile_plan(
        prepared.input_tokens,
        prepared.output_tokens,
        options.pace,
        seed=options.seed,
        order=options.order,
        models=options.model_choice,
        servers=options.url_choice,
        workers=options.workers,
        source=prepared.source,
        recipe=repr((options.endpoint, options.stream, options.ignore_eos, options.seed, options.inputs,
                     options.tokenizer, sorted(options.extra.items()))),
    )  # fmt: skip


def _at_once(plan: Plan) -> int:
    """Return the largest number of requests in flight of those sent within a second."""
    return len(plan.load.slot_opens_ns) or plan.load.max_in_flight or peak_rows(plan)


@contextmanager
def _servers_of(options: ProfileOptions) -> Iterator[Sequence[str]]:
    if options.urls:
        yield options.urls
        return
    with server_of(options) as url:
        yield [url]


def _models_and_targets(
    endpoint: Endpoint,
    options: ProfileOptions,
    urls: Sequence[str],
    headers: list[tuple[str, str]],
    stream: bool,
    timeout_s: float,
    on_note: Callable[[str], None],
) -> tuple[Sequence[str], list[Target]]:
    def find(url: str, path: str) -> tuple[Target, str | None]:
        target = check_connection(find_target(url, path, options.transport()), timeout_s)
        return settle_path(target, path, headers, timeout_s)

    models = options.models
    if not models:
        models = (served_model(find(urls[0], endpoint.path)[0], headers, timeout_s),)
    path = endpoint.path_for(models[0], stream)
    found = [find(url, path) for url in urls]
    for note in dict.fromkeys(note for _, note in found if note is not None):
        on_note(note)
    return models, [target for target, _ in found]


def _by_row(which: Any, names: Sequence[str]) -> pa.DictionaryArray | None:
    if which is None:
        return None
    return pa.DictionaryArray.from_arrays(pa.array(which.astype(np.int32)), pa.array(list(names), pa.string()))


def _composer(
    plan: Plan,
    prepared: ProfileContents,
    endpoint: Endpoint,
    models: Sequence[str],
    targets: Sequence[Target],
    headers: list[tuple[str, str]],
    stream: bool,
    options: ProfileOptions,
) -> ProfileComposer:
    completions = [
        BodyCompleter(
            endpoint.body(BodyOptions(model, stream, options.usage, options.ignore_eos, "text", options.extra))
        )
        for model in models
    ]
    heads = [
        [
            request_head(replace(target, path=path_of(target, endpoint, models[0], model, stream)), headers, stream)
            for model in models
        ]
        for target in targets
    ]
    return ProfileComposer(plan, prepared.contents, endpoint, completions, heads, ask_minimum=options.min_tokens)


def _facts(
    prepared: ProfileContents, plan: Plan, options: ProfileOptions, models: Sequence[str], stream: bool
) -> dict[str, Any]:
    """Return a profile's entries of the manifest."""
    pace = options.pace
    return {
        "models": list(models),
        "inputs": {"source": prepared.source, "entries": len(prepared.contents)},
        "load": {
            "concurrency": pace.concurrency or None,
            "rates": None
            if pace.segments is None
            else [
                {"length_s": None if segment.length_s == np.inf else segment.length_s,
                 "from": segment.start, "to": segment.end}
                for segment in pace.segments
            ],
            "arrival": pace.process if pace.segments is not None else "closed",
            "burstiness": pace.burstiness,
            "ramp_ns": pace.ramp_ns,
            "duration_ns": pace.duration_ns,
            "request_count": pace.count,
            "warmup_ns": pace.warmup_ns,
            "warmup_request_count": pace.warmup_count,
            "max_in_flight": pace.max_in_flight or None,
            "max_prefilling": pace.max_prefilling or None,
            "planned_cancellations": 0 if plan.cancel_after_ns is None else int((plan.cancel_after_ns >= 0).sum()),
            "cancel_after_ns": pace.cancel_after_ns or None,
        },
        "streaming": stream,
    }  # fmt: skip


def ramp_cut(pace: Pace) -> str | None:
    """Return a note on a ramp that is longer than the run; None if it is not, or if only a count ends the run."""
    if pace.duration_ns is None:
        return None
    length_ns = pace.duration_ns + pace.warmup_ns
    if length_ns >= pace.ramp_ns:
        return None
    return (
        f"the ramp takes {pace.ramp_ns / 1e9:g} s and sending ends after {length_ns / 1e9:g} s: "
        f"the full {'concurrency' if pace.concurrency else 'rate'} is not reached"
    )


def check_profile(options: ProfileOptions) -> None:
    """Raise UserError for a run that cannot work, before anything is created.

    Raises:
        UserError: There are more workers than requests in flight, or more servers, each of which needs a worker.
    """
    pace, servers = options.pace, len(options.urls)
    if options.workers >= servers:
        sharing, advice = f"--workers {options.workers}", "; use fewer workers"
    else:
        sharing, advice = f"{servers} servers", ", because each needs its own worker; raise it, or give fewer servers"
    caps = (("--concurrency", pace.concurrency or pace.max_in_flight), ("--max-prefilling", pace.max_prefilling))
    for option, cap in caps:
        if 0 < cap < max(options.workers, servers):
            raise UserError(f"{sharing} cannot share {option} {cap}{advice}")
