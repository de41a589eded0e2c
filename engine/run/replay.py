"""Replaying a trace: from a file and options to a sealed tape."""

import secrets as randomness
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ... import traces
from ...traces.planned_reuse import planned_reuse
from ...traces.prompts import Prompts, Vocabulary
from ...traces.table import Trace
from ..endpoints import ENDPOINTS, Body, BodyOptions, Endpoint, PromptForm, missing_prompt
from ..errors import UserError
from ..plan import Plan, Sessions, Think, make_plan, peak_rows
from ..tape import Tape, TapeWriter
from ..tape.seal import TokenCounts
from ..tokenizer import TokenCounter, load_tokenizer, template_overhead
from .bodies import Composer, LiveComposer
from .channel import Setup
from .controller import Controller, Status, descriptors_for
from .headers import redact, request_head, request_headers, secrets
from .host import clock_pair, host
from .records import Constants
from .simulated import simulated_server
from .target import Target, find_target, join_path, reachable, served_model
from .verbatim import Recorded, RecordedComposer, common_endpoint, has_paths, recorded_requests

MS = 1_000_000


@dataclass(frozen=True)
class ReplayOptions:
    """How a trace is replayed; the defaults are those of ``tokentape replay``.

    Attributes:
        url: The server; None starts the simulator.
        endpoint: A name of ENDPOINTS.
        model: None asks the server for the first that it lists.
        speed: Divide all times by this.
        start_ns, end_ns: The window of the trace, in the trace's own time.
        limit: The first so many requests of the window.
        sessions, think: When later turns leave; see make_plan.
        history: "recorded": a turn's prompt has the recorded length and blocks. "live": it holds this server's replies.
        go_on_after_failure: Send the turns after one that failed all the same.
        workers: Processes that send.
        tokenizer: A directory or hub name; makes prompt lengths exact and counts what the server does not.
        prompt_form: ``text`` or ``token_ids``; None: the endpoint's own.
        trace_format: None finds it out.
        trace_map: The columns of a trace in no known format, as in ``timestamp=ts:ms,input_tokens=n_in,...``.
        seed: Of the prompts.
        cache_namespace: ``shared``: the same prompts in every run with the same seed. ``fresh``: prompts that share
            no prefix with another run's, so that none meets a warm cache.
        stream, usage, ignore_eos: See BodyOptions.
        headers: Each ``Name: value``.
        api_key_env: The environment variable that holds the key.
        connect_timeout_ns, read_timeout_ns: A silence that is longer fails the request.
        grace_ns: How long open streams may go on after Ctrl-C.
        preopen_ns: Connections are opened this long before they are needed.
        spin_ns: Poll instead of sleeping this long before each due time.
        reuse: Keep connections for further requests.
        kernel_stamps: Use the kernel's receive stamps where there are any.
        keep_bodies: Keep request bodies and response texts on the tape.
        skip_bad_rows: Leave out trace rows that cannot be read.
        simulator: Options for ``tokentape serve``, when there is no url.
        extra: Further fields of every request body.
    """

    url: str | None = None
    endpoint: str = "chat"
    model: str | None = None
    speed: str | float = 1
    start_ns: int | None = None
    end_ns: int | None = None
    limit: int | None = None
    sessions: Sessions = "open"
    think: Think = "recorded"
    history: Literal["recorded", "live"] = "recorded"
    go_on_after_failure: bool = False
    workers: int = 1
    tokenizer: str | None = None
    prompt_form: PromptForm | None = None
    trace_format: str | None = None
    trace_map: str | None = None
    seed: int = 0
    cache_namespace: Literal["fresh", "shared"] = "shared"
    stream: bool = True
    usage: bool = True
    ignore_eos: bool = True
    headers: Sequence[str] = ()
    api_key_env: str | None = None
    connect_timeout_ns: int = 10_000 * MS
    read_timeout_ns: int = 300_000 * MS
    grace_ns: int = 30_000 * MS
    preopen_ns: int = 200 * MS
    spin_ns: int = 0
    reuse: bool = True
    kernel_stamps: bool = True
    keep_bodies: bool = False
    skip_bad_rows: bool = False
    simulator: Sequence[str] = ()
    extra: dict[str, Any] = field(default_factory=dict)


FEED_LIMIT = 16 << 20
"""Bytes of requests that wait in a worker, ready to be sent."""

IDLE_TIMEOUT_NS = 4_000 * MS
"""Pooled connections are given up before the server does it: llama.cpp and uvicorn close after 5.0 s."""


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
        trace_path: Any trace file.
        out: Where the tape will lie; must not exist.
        options: How.
        command: The command line, for the manifest, where there is one.
        on_status: Called some times a second while requests are sent.
        on_note: Called with each thing that the user should know.

    Returns:
        The sealed tape. It has one row for every row of the plan, whatever became of it.

    Raises:
        UserError: An option, the target or the output folder will not do.
        TraceError: The trace cannot be read.
        Interrupted: The user interrupted twice; the journal can be recovered.
    """
    endpoint = _endpoint(options.endpoint)
    form = _prompt_form(endpoint, options.prompt_form)
    if options.history == "live" and (endpoint.name != "chat" or options.sessions == "open"):
        raise UserError("--history live needs --endpoint chat, and --sessions closed or hybrid")
    if options.workers < 1:
        raise UserError(f"--workers is {options.workers}; it must be at least 1")
    headers = request_headers(options.headers, options.api_key_env)
    _check_free(out)
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
    with _server(options) as url:
        timeout_s = options.connect_timeout_ns / 1e9
        target = reachable(find_target(url, endpoint.path), timeout_s)
        whole = has_paths(plan.trace) and not plan.trace.table["body"].null_count
        model = options.model or ("" if whole else served_model(target, headers, timeout_s))
        recorded = recorded_requests(plan.trace, endpoint, model, options.model) if has_paths(plan.trace) else None
        stream = options.stream and endpoint.streams
        body = endpoint.body(BodyOptions(model, stream, options.usage, options.ignore_eos, form, options.extra))
        prompts = _prompts(plan.trace, endpoint, body, form, options, namespace, on_note)
        composer = _composer(plan, prompts, body, recorded, target, headers, stream, options)
        pair = clock_pair()
        exact = prompts.exact and (options.tokenizer is not None or form == "token_ids")
        constants = Constants(
            endpoint.name, model, target.url, pair["mono_ns"], exact_inputs=exact, secrets=secrets(headers)
        )
        if recorded is not None:
            constants = _of_recorded(constants, recorded, target, endpoint)
            endpoint = common_endpoint(recorded.endpoints, endpoint)
        writer = TapeWriter(
            out,
            _manifest(trace, plan, target, model, options, namespace, command, pair, exact=exact),
            epoch_mono_ns=pair["mono_ns"],
            epoch_unix_ns=pair["unix_ns"],
        )
        controller = Controller(
            plan,
            _setup(target, endpoint, options, connections, keep_text=_keeps_text(options)),
            composer,
            constants,
            writer,
            workers=options.workers,
            grace_ns=options.grace_ns,
            keep_bodies=options.keep_bodies,
            on_status=on_status,
            on_note=on_note,
        )
        try:
            controller.run()
        except BaseException:
            writer.close()  # the journal stays, and is nobody's: it can be recovered
            raise
    counts = None if options.tokenizer is None else _count_tokens(writer, Path(options.tokenizer))
    return writer.seal(counts=counts, keep_bodies=options.keep_bodies, **_outcome(controller, options, pair))


def _count_tokens(writer: TapeWriter, directory: Path) -> TokenCounts:
    """Counts the tokens of every response text, after the run."""
    counter = TokenCounter(directory)
    ids: list[int] = []
    counts: list[int] = []
    for request_ids, texts in writer.texts():
        told = [(int(row), text) for row, text in zip(request_ids, texts, strict=True) if text is not None]
        ids += [row for row, _ in told]
        counts += counter.count([text for _, text in told])
    order = np.argsort(np.array(ids, np.int64), kind="stable")
    return TokenCounts(np.array(ids, np.int64)[order], np.array(counts, np.int32)[order])


def _endpoint(name: str) -> Endpoint:
    if name not in ENDPOINTS:
        raise UserError(f"--endpoint {name!r} is not known; it is one of {', '.join(ENDPOINTS)}")
    return ENDPOINTS[name]


def _prompt_form(endpoint: Endpoint, asked: PromptForm | None) -> PromptForm:
    form = asked or endpoint.prompt_forms[0]
    if form not in endpoint.prompt_forms:
        raise UserError(f"--endpoint {endpoint.name} takes no prompts of token ids; use --endpoint completions")
    return form


def _check_free(out: Path) -> None:
    try:
        taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    except OSError as error:
        raise UserError(f"{out}: cannot be made: {error.strerror}; give another name with --out") from None
    if taken:
        raise UserError(f"{out} exists; name another with --out, or remove it")


def _composer(
    plan: Plan,
    prompts: Prompts,
    body: Body,
    recorded: Recorded | None,
    target: Target,
    headers: list[tuple[str, str]],
    stream: bool,
    options: ReplayOptions,
) -> Composer:
    head = request_head(target, headers, stream)
    if recorded is None:
        return (LiveComposer if options.history == "live" else Composer)(plan, prompts, body, head)
    return RecordedComposer(
        *(plan, prompts, body, head),
        recorded=recorded,
        target=target,
        base_path=_base_path(target, _endpoint(options.endpoint)),
        headers=headers,
        model=options.model,
    )


def _base_path(target: Target, endpoint: Endpoint) -> str:
    """What stands in the user's URL before the API's path, without the query."""
    return target.path.partition("?")[0].removesuffix(endpoint.path).removesuffix(endpoint.path.removeprefix("/v1"))


def _of_recorded(constants: Constants, recorded: Recorded, target: Target, endpoint: Endpoint) -> Constants:
    root, base_path = target.url.removesuffix(target.path), _base_path(target, endpoint)
    return replace(
        constants,
        endpoints=recorded.endpoints,
        models=recorded.models,
        urls=[root + join_path(base_path, path) for path in recorded.paths],
    )


def _keeps_text(options: ReplayOptions) -> bool:
    return options.keep_bodies or options.tokenizer is not None or options.history == "live"


@contextmanager
def _server(options: ReplayOptions) -> Iterator[str]:
    if options.url is not None:
        yield options.url
        return
    with simulated_server(options.simulator) as url:
        yield url


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
        raise UserError("--history live makes prompts of its own, and the trace has recorded bodies; leave it out")
    if bodies and has_paths(trace):
        changed = "" if options.model is None else ", but for the model"
        on_note(f"{bodies:,} of {len(trace):,} requests are sent as they were recorded, byte for byte{changed}")
    elif bodies:
        first = trace.table["body"].drop_null()[0].as_py()
        missing = missing_prompt(body, first)
        if missing:
            raise UserError(
                f"the trace's first recorded body has no {missing!r}, which --endpoint {endpoint.name} sends; "
                "name the endpoint that it was recorded for"
            )
        on_note(f"{bodies:,} of {len(trace):,} requests have recorded bodies; those that name a model are sent as they "
                "are, whatever --model, --seed, --cache-namespace and --stream say")  # fmt: skip
    if options.tokenizer is None:
        return Prompts(trace, form=form, seed=options.seed, namespace=namespace)
    tokenizer = load_tokenizer(Path(options.tokenizer))
    vocabulary = Vocabulary.for_tokenizer(lambda text: len(tokenizer.encode(text, add_special_tokens=False)))
    overhead = template_overhead(tokenizer, chat=endpoint.name == "chat") if form == "text" else 0
    on_note(f"{len(vocabulary.words):,} words of the corpus are single tokens of {options.tokenizer}; "
            f"{overhead} tokens of each prompt are the template's")  # fmt: skip
    return Prompts(
        trace,
        form=form,
        seed=options.seed,
        vocabulary=vocabulary,
        overhead_tokens=overhead,
        namespace=namespace,
    )


def _setup(target: Target, endpoint: Endpoint, options: ReplayOptions, connections: int, *, keep_text: bool) -> Setup:
    return Setup(
        address=target.sockaddr.hex(),
        fields=dict(endpoint.fields),
        types=dict(endpoint.types),
        connect_timeout_ns=options.connect_timeout_ns,
        read_timeout_ns=options.read_timeout_ns,
        idle_timeout_ns=IDLE_TIMEOUT_NS,
        horizon_ns=options.preopen_ns,
        spin_ns=options.spin_ns,
        feed_limit=FEED_LIMIT // options.workers,
        max_connections=connections,
        reuse=options.reuse,
        stamps=options.kernel_stamps,
        keep_text=keep_text,
        needs_end=endpoint.needs_end,
        follows=options.sessions != "open",
        floors=options.sessions == "hybrid",
        live_history=options.history == "live",
        go_on_after_failure=options.go_on_after_failure,
        lines=endpoint.framing == "ndjson" and options.stream,
    )


def _manifest(
    trace: Trace,
    plan: Plan,
    target: Target,
    model: str,
    options: ReplayOptions,
    namespace: str,
    command: Sequence[str],
    pair: dict[str, int],
    *,
    exact: bool,
) -> dict[str, Any]:
    reuse = planned_reuse(plan.trace)
    shown = {name: getattr(options, name) for name in options.__dataclass_fields__ if name != "headers"}
    return {
        "role": "client",
        "command": redact(command, options.headers),
        "options": shown | {"headers": [header.partition(":")[0] for header in options.headers]},
        "target": {"url": target.url, "address": target.address, "model": model},
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
            "sha256": plan.digest,
            "rows": len(plan),
            "span_ns": plan.span_ns,
            "seed": options.seed,
            "cache_namespace": namespace,
            "input_tokens": int(plan.input_tokens.sum(dtype="i8")),
            "output_tokens": int(plan.output_tokens.sum(dtype="i8")),
            "planned_reuse_tokens": None if reuse is None else reuse.hit_tokens,
            "planned_reuse_blocks": None if reuse is None else reuse.hit_blocks,
            "blocks": None if reuse is None else reuse.blocks,
            "block_tokens": plan.trace.block_tokens,
            "input_lengths": "exact" if exact else "estimated",
        },
        "streaming": options.stream and ENDPOINTS[options.endpoint].streams,
        "host": host(),
        "clocks": [pair],
        "workers": [],
    }


def _outcome(controller: Controller, options: ReplayOptions, pair: dict[str, int]) -> dict[str, Any]:
    return {
        "start_ns": controller.start_ns - pair["mono_ns"],
        "stopped_by_user": controller.was_stopped,
        "problems": controller.problems,
        "clocks": [pair, clock_pair()],
        "workers": controller.worker_facts(),
        "tokenizer": options.tokenizer,
        "finished_unix_ns": time.time_ns(),
    }
