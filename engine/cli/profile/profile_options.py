"""The options of ``tokentape profile`` under their headings: those of GenAI-Perf, and Tokentape's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from ..common.grouped_command import options, read_config
from ..common.transport_options import CONNECTION, CREDENTIALS, TIMING

GENAI_PERF_URL: Final = "http://localhost:8000"

REPLACED: Final = {
    "--backend": "Triton's HTTP API does not name a backend; use --endpoint-type triton_generate or kserve",
    "--grpc-method": "Tokentape does not support gRPC; use the server's HTTP API with --endpoint-type",
    "--server-metrics-url": "Tokentape does not read the server's metrics; the tape has only what the client measured",
    "--batch-size-audio": "Tokentape does not create audio; use --input-file with payloads that contain it",
    "--batch-size-image": "put the images into the requests of --input-file",
    "--enable-checkpointing": "each run writes a tape; to summarize several tapes, run: tokentape summarize A B",
    "--checkpoint-dir": "each run writes a tape; to summarize several tapes, run: tokentape summarize A B",
    "--session-concurrency": "only traces have sessions; use tokentape replay TRACE --sessions closed",
    "--num-sessions": "only traces have sessions; use tokentape replay TRACE --sessions closed",
    "--session-turns-mean": "only traces have sessions; use tokentape trace generate, then tokentape replay "
    "--sessions closed",
    "--session-turns-stddev": "only traces have sessions; use tokentape trace generate, then replay --sessions closed",
    "--session-turn-delay-mean": "only traces have sessions; use tokentape replay TRACE --think 2s",
    "--session-turn-delay-stddev": "only traces have sessions; use tokentape replay TRACE --think recorded",
    "--session-delay-ratio": "only traces have sessions; use tokentape replay TRACE --speed",
}
"""Options of GenAI-Perf that have no counterpart, and what to use instead."""

_POSITIVE: Final = click.IntRange(min=1)
_COUNT: Final = click.IntRange(min=0)
_SHARE: Final = click.FloatRange(min=0, max=1)
_SPREAD: Final = click.FloatRange(min=0)
_FILE: Final = click.Path(path_type=Path)

_endpoint = options(
    "Server",
    (["--model", "-m", "models"], {"multiple": True, "several": True, "metavar": "NAME...",
        "help": "Models to name in requests.  [default: the first that the server lists]"}),
    (["--model-selection-strategy"], {"type": click.Choice(["round_robin", "random", "weight"]),
        "default": "round_robin", "show_default": True, "help": "How requests are spread over several models."}),
    (["--model-weights"], {"metavar": "W,W,…", "help": "Weights of the models for --model-selection-strategy "
        "weight, such as 3,1."}),
    (["--url", "-u", "urls"], {"multiple": True, "several": True, "metavar": "URL...",
        "help": f"URLs of servers: the root, the base URL (…/v1), or the whole URL of the API.  [default: "
            f"{GENAI_PERF_URL}]"}),
    (["--url-strategy"], {"type": click.Choice(["round_robin", "random", "weight"]), "default": "round_robin",
        "show_default": True, "help": "How requests are spread over several servers."}),
    (["--url-weights"], {"metavar": "W,W,…", "help": "Weights of the servers for --url-strategy weight, such as 3,1."}),
    (["--simulate"], {"is_flag": True, "help": "Start the simulated server and profile it."}),
    (["--ttft"], {"metavar": "DIST",
        "help": "Time to first token of the simulated server: 50ms, or a distribution (normal:50ms:5ms)."}),
    (["--itl"], {"metavar": "DIST", "help": "Time between two tokens of the simulated server: 10ms, or a "
        "distribution (normal:10ms:1ms)."}),
    (["--service-kind"], {"type": click.Choice(["openai", "triton", "tensorrtllm_engine", "dynamic_grpc"]),
        "default": "openai", "show_default": True,
        "help": "Kind of service in GenAI-Perf. Only openai is supported; it covers every API over HTTP."}),
    (["--endpoint-type"], {"default": "chat", "show_default": True, "metavar": "NAME",
        "help": "API of the server: chat, completions, embeddings, responses, messages, rankings, template, …"}),
    (["--endpoint", "path"], {"metavar": "PATH", "help": "Path of the API, in place of its usual one."}),
    (["--request-template", "template"], {"type": _FILE, "metavar": "FILE",
        "help": "With --endpoint-type template: Jinja2 template of a request's body."}),
    (["--response-field", "response_fields"], {"multiple": True, "metavar": "ROLE=PATH",
        "help": "With --endpoint-type template: where a part of a response is, such as text=choices[].text."}),
    (["--stream-framing", "framing"], {"type": click.Choice(["sse", "ndjson"]), "default": "sse",
        "show_default": True, "help": "With --endpoint-type template: framing of streams."}),
    (["--streaming"], {"is_flag": True, "help": "Request streamed responses. TTFT and ITL need it."}),
    (["--extra-inputs"], {"multiple": True, "metavar": "NAME:VALUE",
        "help": "Field to add to every request body, or a JSON object of fields."}),
    (["--ignore-eos/--no-ignore-eos"], {"default": None,
        "help": "Request exactly the output length of --osl (ignore_eos).  [default: where the server accepts "
            "the field]"}),
    (["--usage/--no-usage"], {"default": True, "help": "Request token counts in streams.  [default: usage]"}),
    (["--probe/--no-probe"], {"default": True,
        "help": "Send one request before the run to find out which fields the server accepts.  [default: probe]"}),
)  # fmt: skip

_inputs = options(
    "Inputs",
    (["--input-file"], {"metavar": "FILE",
        "help": "File with one request per line: text, prompt, messages or payload."}),
    (["--input-dataset"], {"metavar": "NAME",
        "help": "Dataset: openorca, cnn_dailymail, sharegpt, a hub name, or a folder."}),
    (["--dataset-column"], {"metavar": "NAME", "help": "Column that holds the text."}),
    (["--dataset-split"], {"metavar": "NAME", "help": "Split of the dataset, such as train."}),
    (["--dataset-subset"], {"metavar": "NAME", "help": "Configuration of a hub dataset."}),
    (["--dataset-order"], {"type": click.Choice(["sequential", "shuffle", "random"]), "default": "sequential",
        "show_default": True, "help": "Order in which requests are taken."}),
    (["--num-dataset-entries", "--num-prompts", "entries"], {"type": _POSITIVE, "metavar": "N",
        "help": "Number of different requests, which are sent again and again.  [default: 100; all of a file]"}),
    (["--synthetic-input-tokens-mean", "--isl", "input_mean"], {"type": _POSITIVE, "default": 550,
        "show_default": True, "metavar": "N", "help": "Mean tokens of synthetic prompts."}),
    (["--synthetic-input-tokens-stddev", "input_stddev"], {"type": _SPREAD, "default": 0, "show_default": True,
        "metavar": "N", "help": "Standard deviation of the tokens of synthetic prompts."}),
    (["--output-tokens-mean", "--osl", "output_mean"], {"type": _POSITIVE, "metavar": "N",
        "help": "Mean output tokens to request.  [default: the server decides]"}),
    (["--output-tokens-stddev", "output_stddev"], {"type": _SPREAD, "default": 0, "show_default": True,
        "metavar": "N", "help": "Standard deviation of the output tokens to request."}),
    (["--output-tokens-mean-deterministic", "min_tokens"], {"is_flag": True,
        "help": "Also request at least the output tokens of --osl (min_tokens), where the server accepts the field."}),
    (["--sequence-distribution", "lengths"], {"metavar": "DIST",
        "help": "Pairs of input and output tokens with their shares, such as '256,128:0.6;2048,64:0.4'."}),
    (["--num-prefix-prompts", "prefixes"], {"type": _COUNT, "default": 0, "show_default": True, "metavar": "N",
        "help": "Number of shared prefixes, one of which is put before each prompt."}),
    (["--prefix-prompt-length", "prefix_tokens"], {"type": _POSITIVE, "default": 100, "show_default": True,
        "metavar": "N", "help": "Tokens of each shared prefix."}),
    (["--batch-size-text", "--batch-size", "-b", "batch"], {"type": _POSITIVE, "default": 1, "show_default": True,
        "metavar": "N", "help": "Texts in one request (embeddings, rankings)."}),
    (["--image-width-mean", "image_width"], {"type": _COUNT, "default": 0, "metavar": "N",
        "help": "Add a synthetic image of this mean width in pixels. 0: no image."}),
    (["--image-width-stddev"], {"type": _SPREAD, "default": 0, "metavar": "N",
        "help": "Standard deviation of the image width in pixels."}),
    (["--image-height-mean", "image_height"], {"type": _COUNT, "default": 0, "metavar": "N", "help": "Mean "
        "height of the image in pixels."}),
    (["--image-height-stddev"], {"type": _SPREAD, "default": 0, "metavar": "N",
        "help": "Standard deviation of the image height in pixels."}),
    (["--image-format"], {"type": click.Choice(["png", "jpeg"]), "default": "png", "show_default": True,
        "help": "Format of synthetic images."}),
    (["--image-folder", "images"], {"type": _FILE, "metavar": "DIR", "help": "Folder of images to add to requests."}),
    (["--tokenizer"], {"metavar": "NAME",
        "help": "Folder or hub name of the tokenizer. Makes prompt lengths exact, and counts tokens that the "
            "server does not count."}),
    (["--tokenizer-revision"], {"metavar": "REV", "help": "Revision of a hub tokenizer."}),
    (["--tokenizer-trust-remote-code", "trust_remote_code"], {"is_flag": True,
        "help": "Run code that comes with a tokenizer from the hub."}),
    (["--random-seed", "seed"], {"type": _COUNT, "default": 0, "show_default": True, "metavar": "N",
        "help": "Seed of prompts and arrivals."}),
)  # fmt: skip

_load = options(
    "Load",
    (["--concurrency"], {"type": _POSITIVE, "metavar": "N",
        "help": "Keep N requests in flight. With --request-rate, the limit of requests in flight.  [default: 1]"}),
    (["--request-rate"], {"type": click.FloatRange(min=0, min_open=True), "metavar": "R",
        "help": "Requests per second, sent whether or not earlier ones have ended."}),
    (["--arrival"], {"type": click.Choice(["constant", "poisson", "gamma"]), "default": "constant",
        "show_default": True, "help": "Arrival process, with --request-rate or --rate-series."}),
    (["--burstiness"], {"type": click.FloatRange(min=0, min_open=True), "metavar": "B",
        "help": "Shape of gamma arrivals: 1 is Poisson, below 1 is burstier."}),
    (["--rate-series"], {"type": _FILE, "metavar": "FILE",
        "help": "CSV file of rates over time: time_s,requests_per_s."}),
    (["--ramp"], {"metavar": "TIME[:STEPS]",
        "help": "Ramp up to the rate or concurrency over this time, in a straight line or in steps."}),
    (["--duration"], {"metavar": "TIME", "help": "Time to send requests for, such as 60s."}),
    (["--request-count", "--num-requests", "count"], {"type": _POSITIVE, "metavar": "N",
        "help": "Number of requests to send."}),
    (["--warmup"], {"metavar": "TIME",
        "help": "Duration of the warm-up, in which requests are sent but not measured."}),
    (["--warmup-request-count", "--num-warmup-requests", "warmup_count"], {"type": _COUNT, "default": 0,
        "metavar": "N", "help": "Number of warm-up requests, which are sent but not measured."}),
    (["--grace"], {"default": "30s", "show_default": True, "metavar": "TIME",
        "help": "Time that open streams have to end after --duration; then they are cancelled."}),
    (["--measurement-interval", "-p"], {"type": _POSITIVE, "default": 10_000, "show_default": True, "metavar": "MS",
        "help": "Without --duration or --request-count: send for three times this time, in ms."}),
    (["--stability-percentage", "-s"], {"type": click.FloatRange(min=0, min_open=True), "default": 999,
        "show_default": True, "metavar": "PCT",
        "help": "Report if the three thirds of the run differ by more than this, in rate or latency."}),
    (["--max-prefilling"], {"type": _POSITIVE, "metavar": "N",
        "help": "Limit of requests in flight without their first token."}),
    (["--cancel-share"], {"type": _SHARE, "default": 0, "metavar": "P",
        "help": "Share of requests to cancel, with --cancel-after."}),
    (["--cancel-after"], {"metavar": "TIME", "help": "Time from the send of a request to its cancellation, with "
        "--cancel-share."}),
    (["--fixed-schedule"], {"is_flag": True, "help": "Replay --input-file, a trace, at its recorded times."}),
    (["--workers"], {"type": click.IntRange(min=1, max=64), "default": 1, "show_default": True, "metavar": "N",
        "help": "Number of processes that send."}),
)  # fmt: skip

_transport = options(
    "Transport",
    *CREDENTIALS,
    *CONNECTION,
    *TIMING,
)

_results = options(
    "Results",
    (["--out", "-o"], {"type": _FILE, "metavar": "TAPE",
        "help": "Tape to write.  [default: profile-<time>.tape in --artifact-dir]"}),
    (["--artifact-dir"], {"type": _FILE, "metavar": "DIR",
        "help": "Folder for the tape, exports and plots.  [default: artifacts/<model>-<kind>-<endpoint>-<load>]"}),
    (["--profile-export-file"], {"metavar": "NAME", "default": "profile_export.json", "show_default": True,
        "help": "File name of the exported requests; the summary's name is derived from it."}),
    (["--generate-plots"], {"is_flag": True, "help": "Draw the plots of the tape, as PNG and SVG."}),
    (["--goodput", "-g"], {"multiple": True, "several": True, "metavar": "KEY:VALUE",
        "help": "Objectives for goodput in GenAI-Perf's form, in ms: time_to_first_token:300."}),
    (["--slo", "slos"], {"multiple": True, "metavar": "METRIC[:STATISTIC]:LIMIT",
        "help": "Objective to check: ttft:300ms for each request (goodput), or ttft:p99:300ms for the run."}),
    (["--dialect"], {"default": "tokentape", "show_default": True, "metavar": "NAME",
        "help": "Tool whose table is printed: tokentape, genai-perf, aiperf, vllm, sglang, guidellm or mlperf."}),
    (["--format", "format_"], {"type": click.Choice(["table", "json", "csv"]), "default": "table",
        "show_default": True, "help": "Output format. json prints one object and nothing else."}),
    (["--max-failures"], {"type": click.FloatRange(min=0), "default": 0.1, "show_default": True, "metavar": "N",
        "help": "Exit with code 4 if more requests fail: a share below 1 (0.1), or a number of requests (5)."}),
    (["--keep-bodies"], {"is_flag": True, "help": "Keep request bodies and response texts on the tape."}),
    (["--verbose", "-v"], {"is_flag": True, "help": "Print the path of each exported file."}),
    (["--quiet", "-q"], {"is_flag": True, "help": "Do not show progress."}),
    (["--config", "-f"], {"type": _FILE, "metavar": "FILE", "is_eager": True, "callback": read_config,
        "help": "YAML file of options. Options on the command line override it."}),
    (["--dump-config"], {"type": _FILE, "metavar": "FILE",
        "help": "Write all options to this file (-: standard output) and exit."}),
)  # fmt: skip


def _refuse(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        from ...errors import UserError

        raise UserError(f"{param.opts[0]}: {REPLACED[param.opts[0]]}")


def profile_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add all options of ``tokentape profile``."""
    for name in REPLACED:
        settings = {"hidden": True, "callback": _refuse, "expose_value": False, "is_flag": False, "flag_value": ""}
        command = options("", ([name], settings))(command)
    for group in (_results, _transport, _load, _inputs, _endpoint):
        command = group(command)
    return command
