"""Replaying a trace: from a file and options to a sealed tape."""

import secrets as randomness
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ... import traces
from ...traces.prompts.prompts import Prompts, Vocabulary
from ...traces.stats.planned_reuse import planned_reuse
from ...traces.table import Trace
from ..errors import UserError
from ..host import clock_pair
from ..plan import Plan, make_plan, peak_rows
from ..requests.composer import Composer, LiveComposer
from ..requests.endpoints import Body, BodyOptions, Endpoint, PromptForm, missing_prompt
from ..requests.recorded_requests import (
    RecordedComposer,
    RecordedTargets,
    common_endpoint,
    has_paths,
    recorded_requests,
)
from ..requests.request_heads import RequestHeads
from ..run.descriptors import descriptors_for
from ..run.execute import Job, check_start, execute, server_of
from ..run.row_batches import Constants
from ..run.run_status import Status
from ..tape import Tape
from ..tokenizer import load_tokenizer, template_overhead
from ..transport.api_paths import base_path, join_path
from ..transport.connection_check import check_connection
from ..transport.models import served_model
from ..transport.preflight import settle_path
from ..transport.request_head import request_headers, secrets
from ..transport.target import Target, find_target
from .endpoint_choice import api_of
from .options import ReplayOptions


def replay(
    trace_path: Path,
    out: Path,
    options: ReplayOptions,
    *,
    command: Sequence[str] = (),
    on_status: Callable[[Status], None] = lambda status: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Tape:
    """Replay a trace against a server and write the tape.

    Args:
        trace_path: Path of a trace.
        out: Path of the tape; must not exist.
        options: Options of the replay.
        command: The command line for the manifest, if there is one.
        on_status: Called several times a second while requests are sent.
        on_note: Called with each note for the user.

    Returns:
        The sealed tape. It has one row for every row of the plan, whatever its outcome.

    Raises:
        UserError: An option, the target or the output path is not valid.
        TraceError: The trace cannot be read.
        Interrupted: The user interrupted twice; the journal can be recovered.
    """
    endpoint = api_of(options)
    form = _prompt_form(endpoint, options.prompt_form)
    if options.history == "live" and (endpoint.name != "chat" or options.sessions == "open"):
        raise UserError("--history live needs --endpoint chat, and --sessions closed or hybrid")
    if options.workers < 1:
        raise UserError(f"--workers is {options.workers}; it must be at least 1")
    headers = request_headers(
        options.headers,
        options.api_key_env,
        options.api_key_file,
        key_header=endpoint.key_header,
        of_api=endpoint.headers,
    )
    check_start(out, options)
    trace = traces.read(
        trace_path,
        format=options.trace_format,
        skip_bad_rows=options.skip_bad_rows,
        mapping=options.trace_map,
    )
    namespace = randomness.token_hex(8) if options.cache_namespace == "fresh" else ""
    recipe = repr((endpoint.name, form, options.seed, options.stream, options.usage, options.ignore_eos,
                   options.tokenizer, sorted(options.extra.items()), *filter(None, [namespace])))  # fmt: skip
    if has_paths(trace):
        recipe += repr(options.model)
    plan = make_plan(
        trace,
        start_ns=options.start_ns,
        end_ns=options.end_ns,
        limit_rows=options.limit,
        speed_factor=options.speed,
        sessions=options.sessions,
        think=options.think,
        recipe=recipe,
    )
    for note in plan.notes:
        on_note(note)
    connections, warning = descriptors_for(plan, peak_rows(plan), options.workers)
    if warning:
        on_note(warning)
    with server_of(options) as url:
        timeout_s = options.connect_timeout_ns / 1e9
        stream = options.stream and endpoint.streams
        path = endpoint.path_for(options.model, stream)
        target = check_connection(find_target(url, path, options.transport()), timeout_s)
        target, chosen = settle_path(target, path, headers, timeout_s)
        if chosen is not None:
            on_note(chosen)
        for note in target.notes():
            on_note(note)
        whole = has_paths(plan.trace) and not plan.trace.table["body"].null_count
        model = options.model or ("" if whole else served_model(target, headers, timeout_s))
        target = target.of_model(model)
        recorded = recorded_requests(plan.trace, endpoint, model, options.model) if has_paths(plan.trace) else None
        body = endpoint.body(BodyOptions(model, stream, options.usage, options.ignore_eos, form, options.extra))
        prompts = _prompts(plan.trace, endpoint, body, form, options, namespace, on_note)
        epoch = clock_pair()
        constants = Constants(
            endpoint.name,
            model,
            target.url,
            epoch["mono_ns"],
            exact_inputs=prompts.exact and (options.tokenizer is not None or form == "token_ids"),
            secrets=(*secrets(headers), *target.secrets),
        )
        before = base_path(target.path.partition("?")[0], path)
        heads = RequestHeads(plan.trace, target, headers, stream, recorded, before)
        if recorded is not None:
            constants = _of_recorded(constants, recorded, target, before)
            endpoint = common_endpoint(recorded.endpoints, endpoint)
        job = Job(
            plan=plan,
            endpoint=endpoint,
            targets=[target],
            composer=_composer(plan, prompts, body, heads, recorded, options),
            constants=constants,
            epoch=epoch,
            facts=_facts(trace, plan, options, namespace),
            connections=connections,
            go_on_after_failure=options.go_on_after_failure,
        )
        run = execute(job, out, options, command=command, on_status=on_status, on_note=on_note)
    return run.seal()


def _prompt_form(endpoint: Endpoint, asked: PromptForm | None) -> PromptForm:
    form = asked or endpoint.prompt_forms[0]
    if form not in endpoint.prompt_forms:
        raise UserError(f"--endpoint {endpoint.name} takes no prompts of token ids; use --endpoint completions")
    return form


def _composer(
    plan: Plan,
    prompts: Prompts,
    body: Body,
    heads: RequestHeads,
    recorded: RecordedTargets | None,
    options: ReplayOptions,
) -> Composer:
    if recorded is None:
        return (LiveComposer if options.history == "live" else Composer)(plan, prompts, body, heads)
    return RecordedComposer(plan, prompts, body, heads, options.model)


def _of_recorded(constants: Constants, recorded: RecordedTargets, target: Target, base: str) -> Constants:
    root = target.url.removesuffix(target.path)
    return replace(
        constants,
        endpoints=pa.array(recorded.endpoints).dictionary_encode(),
        models=pa.array(recorded.models).dictionary_encode(),
        urls=pa.array(
            [root + join_path(base, path, below_v1=target.below_v1) for path in recorded.paths]
        ).dictionary_encode(),
    )


def _prompts(
    trace: Trace,
    endpoint: Endpoint,
    body: Body,
    form: PromptForm,
    options: ReplayOptions,
    namespace: str,
    on_note: Callable[[str], None],
) -> Prompts:
    bodies = len(trace) - trace.table["body"].null_count
    if bodies and options.history == "live":
        raise UserError("--history live composes prompts, but the trace has recorded bodies; omit --history")
    if bodies and has_paths(trace):
        changed = "" if options.model is None else ", except the model"
        on_note(f"{bodies:,} of {len(trace):,} requests are sent as they were recorded, byte for byte{changed}")
    elif bodies:
        first = trace.table["body"].drop_null()[0].as_py()
        missing = missing_prompt(body, first)
        if missing:
            raise UserError(
                f"the trace's first recorded body has no {missing!r}, which --endpoint {endpoint.name} sends; "
                "give the endpoint that it was recorded for"
            )
        on_note(f"{bodies:,} of {len(trace):,} requests have recorded bodies; those with a model are sent unchanged: "
                "--model, --seed, --cache-namespace and --stream do not apply to them")  # fmt: skip
    if options.tokenizer is None:
        return Prompts(trace, form=form, seed=options.seed, namespace=namespace)
    tokenizer = load_tokenizer(Path(options.tokenizer))
    vocabulary = Vocabulary.for_tokenizer(lambda text: len(tokenizer.encode(text, add_special_tokens=False)))
    overhead = template_overhead(tokenizer, chat=endpoint.chats) if form == "text" else 0
    on_note(f"{len(vocabulary.words):,} words of the corpus are single tokens of {options.tokenizer}; "
            f"{overhead} tokens of each prompt belong to the chat template")  # fmt: skip
    return Prompts(
        trace,
        form=form,
        seed=options.seed,
        vocabulary=vocabulary,
        overhead_tokens=overhead,
        namespace=namespace,
    )


def _facts(trace: Trace, plan: Plan, options: ReplayOptions, namespace: str) -> dict[str, Any]:
    """Return a replay's entries of the manifest."""
    reuse = planned_reuse(plan.trace)
    return {
        "trace": {
            "source": trace.source,
            "format": trace.format,
            "sha256": trace.digest,
            "rows": len(trace),
            "skipped_rows": trace.skipped_rows,
            "notes": list(trace.notes),
            "transforms": list(plan.trace.transforms),
        },
        "plan": {
            "cache_namespace": namespace,
            "planned_reuse_tokens": None if reuse is None else reuse.hit_tokens,
            "planned_reuse_blocks": None if reuse is None else reuse.hit_blocks,
            "blocks": None if reuse is None else reuse.blocks,
            "block_tokens": plan.trace.block_tokens,
        },
        "streaming": options.stream and api_of(options).streams,
    }
