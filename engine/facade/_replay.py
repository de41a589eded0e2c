"""``tokentape.replay``: replay a trace and write a tape."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta
    from os import PathLike
    from typing import Any, Literal, Unpack

    from tokentape._older_names import OlderReplayNames
    from tokentape.engine.run.run_status import Status
    from tokentape.tape import Tape


def replay(
    trace: str | PathLike[str],
    out: str | PathLike[str],
    *,
    url: str | None = None,
    endpoint: str = "chat",
    model: str | None = None,
    speed: str | float = 1,
    start: str | timedelta | None = None,
    end: str | timedelta | None = None,
    limit: int | None = None,
    sessions: Literal["open", "closed", "hybrid"] = "open",
    think: str | timedelta = "recorded",
    history: Literal["recorded", "live"] = "recorded",
    on_failure: Literal["stop", "continue"] = "stop",
    workers: int = 1,
    tokenizer: str | PathLike[str] | None = None,
    tokenizer_revision: str | None = None,
    trust_remote_code: bool = False,
    prompt_form: Literal["text", "token-ids", "token_ids"] | None = None,
    seed: int = 0,
    cache_namespace: Literal["fresh", "shared"] = "shared",
    trace_format: str | None = None,
    trace_map: str | Mapping[str, str] | None = None,
    skip_bad_rows: bool = False,
    stream: bool = True,
    usage: bool = True,
    ignore_eos: bool = True,
    extra: Mapping[str, Any] | None = None,
    template: str | PathLike[str] | None = None,
    response_fields: Sequence[str] = (),
    framing: Literal["sse", "ndjson"] = "sse",
    headers: Mapping[str, str] | Sequence[str] = (),
    api_key_env: str | None = None,
    api_key_file: str | PathLike[str] | None = None,
    cacert: str | PathLike[str] | None = None,
    insecure: bool = False,
    proxy: bool = True,
    reuse: bool = True,
    connect_timeout: str | timedelta = "10s",
    read_timeout: str | timedelta = "300s",
    grace: str | timedelta = "30s",
    preopen: str | timedelta = "200ms",
    spin: str | timedelta = "0s",
    realtime: bool = False,
    kernel_stamps: bool = True,
    keep_bodies: bool = False,
    ttft: str | timedelta | None = None,
    itl: str | timedelta | None = None,
    simulator: Sequence[str] = (),
    on_status: Callable[[Status], object] | None = None,
    on_note: Callable[[str], object] | None = None,
    **older: Unpack[OlderReplayNames],
) -> Tape:
    """Replay a trace against a server, or against the simulated server, and write a tape.

    Each request is sent at its time in the trace, divided by `speed`. A request that would be late is sent late, and
    recorded as late. The call blocks until the tape is sealed. It works in a notebook, within a running event loop,
    and in any thread.

    Ctrl-C (or a notebook's interrupt) stops the sending and lets open streams end; the call then returns the tape
    as usual, and `Tape.stopped` is True. A second Ctrl-C raises KeyboardInterrupt at once. Ctrl-C before the first
    request is sent raises KeyboardInterrupt too, and leaves no tape. A run in
    another thread than the main one is not interrupted.

    Example:
        tape = tokentape.replay("trace.jsonl", "run.tape", url="http://127.0.0.1:8000", speed=4, end="120s")

    Args:
        trace: A trace file of any known format, a folder or a pattern of such files, or a tape.
        out: Folder of the new tape; it must not exist.
        url: The server: its root, its /v1, or the API's whole URL; or unix:/PATH/OF.SOCKET. None starts the simulated
            server for this run.
        endpoint: The API: "chat", "completions", "responses", "messages", "template", … (docs/endpoints.md).
        model: Model to name in requests. None asks the server and takes the first model that it lists.
        speed: Divide all times of the trace by this number.
        start: Begin at this time of the trace, as in "60s".
        end: Leave out requests that arrive at this time of the trace or later.
        limit: Maximum number of requests to send. None: all.
        sessions: When later turns of a session are sent: "open" at their recorded times, "closed" a think time after
            the end of the turn before, "hybrid" at the later of the two.
        think: Time between two turns: "recorded", "none", or a duration.
        history: Prompts of later turns. "recorded": prompts of the recorded lengths. "live": prompts with the replies
            of this server.
        on_failure: After a failed turn, "stop" its session or "continue" it.
        workers: Number of processes that send.
        tokenizer: A folder or a name on the Hugging Face hub. Makes prompt lengths exact, and counts tokens that the
            server does not count.
        tokenizer_revision: Revision of a tokenizer from the hub.
        trust_remote_code: Run the code that comes with a tokenizer from the hub.
        prompt_form: Send prompts as "text" or as "token-ids". None: the usual form of the endpoint.
        seed: Seed of the prompts. Another seed makes other prompts.
        cache_namespace: "fresh": prompts share no prefix with those of other runs, so that the server's prefix cache is
            cold. "shared": the same seed makes the same prompts in every run.
        trace_format: Name of the trace's format. None: found by the content.
        trace_map: Columns of a trace in no known format, as in "timestamp=ts:ms,input_tokens=n_in,output_tokens=n_out",
            or as a mapping.
        skip_bad_rows: Leave out rows of the trace that cannot be read, and count them.
        stream: Request streamed responses.
        usage: Request token counts in streams.
        ignore_eos: Request exactly the recorded output lengths. Some servers refuse the field.
        extra: Further fields for the body of every request.
        template: For endpoint "template": file with the body of a request, in Jinja2.
        response_fields: For endpoint "template": where the parts of a response are, as in ["text=choices[].text"].
        framing: For endpoint "template": framing of streams, "sse" or "ndjson".
        headers: Headers of every request: a mapping, or a list of "Name: value".
        api_key_env: Environment variable that holds the API key.
        api_key_file: File that holds the API key in one line.
        cacert: File of certificates (PEM) to trust instead of the system's.
        insecure: Accept any certificate. The verdict reports it.
        proxy: Use the proxy that http_proxy or https_proxy names.
        reuse: Reuse connections for further requests. False: open one connection for each request.
        connect_timeout: Timeout for opening a connection.
        read_timeout: Timeout for silence within a response; the request then fails.
        grace: Time that open streams have to end after Ctrl-C.
        preopen: Open connections this long before they are needed.
        spin: Poll for this long before each due time. Lowers lateness, costs CPU.
        realtime: Send at real-time priority and keep CPU cores awake. Needs root.
        kernel_stamps: Take receive stamps from the kernel. False: from the process that reads.
        keep_bodies: Keep request bodies and response texts on the tape.
        ttft: Time to first token of the simulated server: a duration, or a distribution as in "normal:50ms:5ms".
        itl: Time between two tokens of the simulated server: a duration or a distribution.
        simulator: Further options for the simulated server, as on the command line of ``tokentape serve``.
        on_status: Called several times per second with the status of the run.
        on_note: Called with each note for the user. None: notes go to the logger "tokentape", at level INFO.
        older: Names of earlier versions: ``start_ns``, ``end_ns``, ``go_on_after_failure``, ``connect_timeout_ns``,
            ``read_timeout_ns``, ``grace_ns``, ``preopen_ns``, ``spin_ns``. They give a DeprecationWarning.

    Returns:
        The sealed tape, with one row for each request of the plan, failed and unsent ones included.

    Raises:
        UserError: A parameter, the server or the output folder cannot be used.
        TraceError: The trace cannot be read.
        KeyboardInterrupt: The run was interrupted twice, or before the first request. What was measured can be
            recovered with ``tokentape recover``.
    """
    given = dict(locals())
    from tokentape._older_names import REPLAY, take_older
    from tokentape._run import run_replay

    overrides = take_older("replay", given, REPLAY, replay.__kwdefaults__ or {})
    return run_replay(given, overrides)
