"""``tokentape.profile``: send requests at a rate or a concurrency and write a tape."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta
    from os import PathLike
    from typing import Any, Literal, Unpack

    from tokentape._older_names import OlderProfileNames
    from tokentape.engine.run.run_status import Status
    from tokentape.tape import Tape


def profile(
    out: str | PathLike[str],
    *,
    url: str | Sequence[str] | None = None,
    url_strategy: Literal["round_robin", "random", "weight"] = "round_robin",
    url_weights: Sequence[float] = (),
    endpoint: str = "chat",
    path: str | None = None,
    model: str | Sequence[str] | None = None,
    model_selection_strategy: Literal["round_robin", "random", "weight"] = "round_robin",
    model_weights: Sequence[float] = (),
    concurrency: int | None = None,
    request_rate: float | None = None,
    arrival: Literal["constant", "poisson", "gamma"] = "constant",
    burstiness: float | None = None,
    rate_series: str | PathLike[str] | None = None,
    ramp: str | timedelta | None = None,
    duration: str | timedelta | None = None,
    request_count: int | None = None,
    warmup: str | timedelta | None = None,
    warmup_request_count: int = 0,
    max_prefilling: int | None = None,
    cancel_share: float = 0.0,
    cancel_after: str | timedelta | None = None,
    isl: int = 550,
    isl_stddev: float = 0.0,
    osl: int | None = None,
    osl_stddev: float = 0.0,
    lengths: str | None = None,
    min_tokens: bool = False,
    input_file: str | PathLike[str] | None = None,
    input_dataset: str | None = None,
    dataset_column: str | None = None,
    dataset_split: str | None = None,
    dataset_subset: str | None = None,
    order: Literal["sequential", "shuffle", "random"] = "sequential",
    entries: int | None = None,
    prefixes: int = 0,
    prefix_tokens: int = 100,
    batch: int = 1,
    image_width: int = 0,
    image_height: int = 0,
    image_width_stddev: float = 0.0,
    image_height_stddev: float = 0.0,
    image_format: Literal["png", "jpeg"] = "png",
    images: str | PathLike[str] | None = None,
    workers: int = 1,
    tokenizer: str | PathLike[str] | None = None,
    tokenizer_revision: str | None = None,
    trust_remote_code: bool = False,
    seed: int = 0,
    stream: bool = True,
    usage: bool = True,
    ignore_eos: bool | None = None,
    probe: bool = True,
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
    **older: Unpack[OlderProfileNames],
) -> Tape:
    """Send prepared requests to a server, or to the simulated server, at a rate or a concurrency, and write a tape.

    The call blocks until the tape is sealed. It works in a notebook, within a running event loop, and in any thread.
    Ctrl-C has the same effect as in `replay`.

    Example:
        tape = tokentape.profile("load.tape", url="http://127.0.0.1:8000", concurrency=8, osl=50, duration="30s")

    Args:
        out: Folder of the new tape; it must not exist.
        url: One server or several: its root, its /v1, or the API's whole URL. None starts the simulated server for this
            run.
        url_strategy: How requests are spread over several servers.
        url_weights: For the strategy "weight": one number for each server.
        endpoint: The API: "chat", "completions", "embeddings", "responses", "messages", "rankings", "template", …
            (docs/endpoints.md).
        path: Path of the API, instead of the usual path.
        model: One model or several to name in requests. None asks the server and takes the first model that it lists.
        model_selection_strategy: How requests are spread over several models.
        model_weights: For the strategy "weight": one number for each model.
        concurrency: Keep this number of requests in flight. With a rate: the upper limit of requests in flight.
            None: 1, or no limit with a rate.
        request_rate: Requests per second, independent of the responses.
        arrival: Arrival process, with `request_rate` or `rate_series`.
        burstiness: Shape of "gamma" arrivals: 1 is Poisson, values below 1 are burstier. None: 1.
        rate_series: CSV file with rates over time, with the columns time_s and requests_per_s.
        ramp: Rise to the rate or concurrency over this time, as in "30s", or in steps, as in "30s:6".
        duration: Time to send requests for. None: until `request_count` requests are sent, or 30 s if both are None.
        request_count: Number of requests to send. None: `duration` decides.
        warmup: Duration of the warm-up, in which requests are sent but not measured.
        warmup_request_count: Number of warm-up requests, which are sent but not measured.
        max_prefilling: Upper limit of requests in flight without their first token.
        cancel_share: Share of the requests (0 to 1) that are cancelled `cancel_after` after they were sent.
        cancel_after: Time from the send of a request to its cancellation, with `cancel_share`.
        isl: Mean length of a synthetic prompt, in tokens.
        isl_stddev: Standard deviation of prompt lengths, in tokens.
        osl: Mean number of output tokens to request. None: the server decides.
        osl_stddev: Standard deviation of output tokens.
        lengths: Distribution of input and output tokens, as in "256,128:0.6;2048,64:0.4". Replaces `isl` and `osl`.
        min_tokens: Also request at least `osl` output tokens (min_tokens), where the server accepts the field.
        input_file: File with one request in each line: text, prompt, messages or payload (docs/inputs.md).
        input_dataset: "openorca", "cnn_dailymail", "sharegpt", a name on the Hugging Face hub, or a folder.
        dataset_column: Column of the dataset that holds the text.
        dataset_split: Split of the dataset, as in "train".
        dataset_subset: Configuration of a dataset from the hub.
        order: Order in which prepared requests are taken. "shuffle": in another order in each round. "random":
            each one drawn at random.
        entries: Number of different requests, which are sent again and again. None: all requests of
            a file, or 100 synthetic requests.
        prefixes: Number of shared prefixes; one of them is put in front of each prompt.
        prefix_tokens: Length of each shared prefix, in tokens.
        batch: Number of texts in one request (embeddings, rankings).
        image_width: Mean width of a synthetic image to add, in pixels. 0: no image.
        image_height: Mean height of the image, in pixels.
        image_width_stddev: Standard deviation of the width.
        image_height_stddev: Standard deviation of the height.
        image_format: Format of synthetic images.
        images: Folder of images to add to requests.
        workers: Number of processes that send.
        tokenizer: A folder or a name on the Hugging Face hub. Makes prompt lengths exact, and counts tokens that the
            server does not count.
        tokenizer_revision: Revision of a tokenizer from the hub.
        trust_remote_code: Run the code that comes with a tokenizer from the hub.
        seed: Seed of prompts and arrivals.
        stream: Request streamed responses; token times need them. The command line streams only with --streaming.
        usage: Request token counts in streams.
        ignore_eos: Request exactly the output length. None: only if `osl` or `lengths` is given.
        probe: Send one request before the run, to find out which fields the server accepts.
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
        grace: Time that open streams have to end after `duration` or Ctrl-C; then they are cancelled.
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
        older: Names of earlier versions: ``urls``, ``models``, ``pace``, ``inputs``, ``url_choice``, ``model_choice``,
            ``ask_length``, and durations in ns such as ``grace_ns``. They give a DeprecationWarning.

    Returns:
        The sealed tape.

    Raises:
        UserError: A parameter, the server or the output folder cannot be used.
        TraceError: The inputs cannot be read.
        KeyboardInterrupt: The run was interrupted twice, or before the first request.
    """
    given = dict(locals())
    from tokentape._older_names import PROFILE, take_older
    from tokentape._run import run_profile

    overrides = take_older("profile", given, PROFILE, profile.__kwdefaults__ or {})
    return run_profile(given, overrides)
