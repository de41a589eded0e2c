"""The options of ``tokentape profile``, under their headings: GenAI-Perf's words, and ours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from ..common.grouped_command import options, read_config
from ..common.transport_options import CONNECTION, CREDENTIALS, TIMING

GENAI_PERF_URL: Final = "http://localhost:8000"

REPLACED: Final = {
    "--backend": "a Triton backend is not named over HTTP; use --endpoint-type triton_generate or kserve",
    "--grpc-method": "gRPC is not spoken; use the server's HTTP API with --endpoint-type",
    "--server-metrics-url": "the server's own metrics are not read; the tape has what the client saw",
    "--batch-size-audio": "audio is not sent; use --input-file with payload lines that hold it",
    "--batch-size-image": "give the number of pictures in the lines of --input-file",
    "--enable-checkpointing": "each run has its tape; summarize takes several: tokentape summarize A B",
    "--checkpoint-dir": "each run has its tape; summarize takes several: tokentape summarize A B",
    "--session-concurrency": "sessions are of traces: tokentape replay TRACE --sessions closed",
    "--num-sessions": "sessions are of traces: tokentape replay TRACE --sessions closed",
    "--session-turns-mean": "sessions are of traces: tokentape trace generate, then tokentape replay --sessions closed",
    "--session-turns-stddev": "sessions are of traces: tokentape trace generate, then replay --sessions closed",
    "--session-turn-delay-mean": "sessions are of traces: tokentape replay TRACE --think 2s",
    "--session-turn-delay-stddev": "sessions are of traces: tokentape replay TRACE --think recorded",
    "--session-delay-ratio": "sessions are of traces: tokentape replay TRACE --speed",
}
"""Options of GenAI-Perf that have no counterpart, and what to use instead."""

_POSITIVE: Final = click.IntRange(min=1)
_COUNT: Final = click.IntRange(min=0)
_SHARE: Final = click.FloatRange(min=0, max=1)
_SPREAD: Final = click.FloatRange(min=0)
_FILE: Final = click.Path(path_type=Path)

_endpoint = options(
    "The server",
    (["--model", "-m", "models"], {"multiple": True, "several": True, "metavar": "NAME...",
        "help": "Models to ask for.  [default: the first that the server lists]"}),
    (["--model-selection-strategy"], {"type": click.Choice(["round_robin", "random", "weight"]),
        "default": "round_robin", "show_default": True, "help": "Which of several models a request asks for."}),
    (["--model-weights"], {"metavar": "W,W,…", "help": "For the strategy weight, as in 3,1."}),
    (["--url", "-u", "urls"], {"multiple": True, "several": True, "metavar": "URL...",
        "help": f"Servers: their root, their /v1, or the API's whole URL.  [default: {GENAI_PERF_URL}]"}),
    (["--url-strategy"], {"type": click.Choice(["round_robin", "random", "weight"]), "default": "round_robin",
        "show_default": True, "help": "Which of several servers a request goes to."}),
    (["--url-weights"], {"metavar": "W,W,…", "help": "For the strategy weight, as in 3,1."}),
    (["--simulate"], {"is_flag": True, "help": "Start the simulated server and profile that."}),
    (["--ttft"], {"metavar": "DIST", "help": "Of the simulated server: 50ms, normal:50ms:5ms, …"}),
    (["--itl"], {"metavar": "DIST", "help": "Of the simulated server, likewise."}),
    (["--service-kind"], {"type": click.Choice(["openai", "triton", "tensorrtllm_engine", "dynamic_grpc"]),
        "default": "openai", "show_default": True, "help": "openai stands for all that is spoken over HTTP."}),
    (["--endpoint-type"], {"default": "chat", "show_default": True, "metavar": "NAME",
        "help": "The API: chat, completions, embeddings, responses, messages, rankings, template, …"}),
    (["--endpoint", "path"], {"metavar": "PATH", "help": "The API's path, instead of its usual one."}),
    (["--request-template", "template"], {"type": _FILE, "metavar": "FILE",
        "help": "For --endpoint-type template: the body of a request in Jinja2."}),
    (["--response-field", "response_fields"], {"multiple": True, "metavar": "ROLE=PATH",
        "help": "For the same: where an answer says what, as in text=choices[].text."}),
    (["--stream-framing", "framing"], {"type": click.Choice(["sse", "ndjson"]), "default": "sse",
        "show_default": True, "help": "For the same: how its streams come."}),
    (["--streaming"], {"is_flag": True, "help": "Ask for a stream of events: token times need it."}),
    (["--extra-inputs"], {"multiple": True, "metavar": "NAME:VALUE",
        "help": "A further field of every request, or a JSON object of them."}),
    (["--ignore-eos/--no-ignore-eos"], {"default": None,
        "help": "Ask for exactly the output length.  [default: where the server takes it]"}),
    (["--usage/--no-usage"], {"default": True, "help": "Ask for token counts in the stream.  [default: usage]"}),
    (["--probe/--no-probe"], {"default": True,
        "help": "Send one request before the run to learn what the server takes.  [default: probe]"}),
)  # fmt: skip

_inputs = options(
    "What requests say",
    (["--input-file"], {"metavar": "FILE", "help": "One request a line: text, prompt, messages or payload."}),
    (["--input-dataset"], {"metavar": "NAME", "help": "openorca, cnn_dailymail, sharegpt, a hub's name, or a folder."}),
    (["--dataset-column"], {"metavar": "NAME", "help": "Where the text stands."}),
    (["--dataset-split"], {"metavar": "NAME", "help": "As in train."}),
    (["--dataset-subset"], {"metavar": "NAME", "help": "A hub's configuration."}),
    (["--dataset-order"], {"type": click.Choice(["sequential", "shuffle", "random"]), "default": "sequential",
        "show_default": True, "help": "In which order requests are taken."}),
    (["--num-dataset-entries", "--num-prompts", "entries"], {"type": _POSITIVE, "metavar": "N",
        "help": "So many different requests, sent again and again.  [default: 100; all of a file]"}),
    (["--synthetic-input-tokens-mean", "--isl", "input_mean"], {"type": _POSITIVE, "default": 550,
        "show_default": True, "metavar": "N", "help": "Tokens of a synthetic prompt."}),
    (["--synthetic-input-tokens-stddev", "input_stddev"], {"type": _SPREAD, "default": 0, "show_default": True,
        "metavar": "N", "help": "Their standard deviation."}),
    (["--output-tokens-mean", "--osl", "output_mean"], {"type": _POSITIVE, "metavar": "N",
        "help": "Output tokens to ask for.  [default: the server decides]"}),
    (["--output-tokens-stddev", "output_stddev"], {"type": _SPREAD, "default": 0, "show_default": True,
        "metavar": "N", "help": "Their standard deviation."}),
    (["--output-tokens-mean-deterministic", "min_tokens"], {"is_flag": True,
        "help": "Ask for at least as many (min_tokens), where the server takes it."}),
    (["--sequence-distribution", "lengths"], {"metavar": "DIST",
        "help": "Input and output tokens by share, as in '256,128:0.6;2048,64:0.4'."}),
    (["--num-prefix-prompts", "prefixes"], {"type": _COUNT, "default": 0, "show_default": True, "metavar": "N",
        "help": "Shared prefixes; one of them stands in front of each prompt."}),
    (["--prefix-prompt-length", "prefix_tokens"], {"type": _POSITIVE, "default": 100, "show_default": True,
        "metavar": "N", "help": "Tokens of each."}),
    (["--batch-size-text", "--batch-size", "-b", "batch"], {"type": _POSITIVE, "default": 1, "show_default": True,
        "metavar": "N", "help": "Texts in one request (embeddings, rankings)."}),
    (["--image-width-mean", "image_width"], {"type": _COUNT, "default": 0, "metavar": "N",
        "help": "Send a synthetic picture of this width along."}),
    (["--image-width-stddev"], {"type": _SPREAD, "default": 0, "metavar": "N", "help": "Its standard deviation."}),
    (["--image-height-mean", "image_height"], {"type": _COUNT, "default": 0, "metavar": "N", "help": "Its height."}),
    (["--image-height-stddev"], {"type": _SPREAD, "default": 0, "metavar": "N", "help": "Its standard deviation."}),
    (["--image-format"], {"type": click.Choice(["png", "jpeg"]), "default": "png", "show_default": True,
        "help": "Of synthetic pictures."}),
    (["--image-folder", "images"], {"type": _FILE, "metavar": "DIR", "help": "Pictures to send along."}),
    (["--tokenizer"], {"metavar": "NAME", "help": "A folder or a hub's name; makes lengths exact, counts tokens."}),
    (["--tokenizer-revision"], {"metavar": "REV", "help": "Of a hub's tokenizer."}),
    (["--tokenizer-trust-remote-code", "trust_remote_code"], {"is_flag": True, "help": "Run its own code."}),
    (["--random-seed", "seed"], {"type": _COUNT, "default": 0, "show_default": True, "metavar": "N",
        "help": "Another seed, other prompts and arrivals."}),
)  # fmt: skip

_load = options(
    "How fast",
    (["--concurrency"], {"type": _POSITIVE, "metavar": "N",
        "help": "So many requests at a time; with a rate, at most so many.  [default: 1]"}),
    (["--request-rate"], {"type": click.FloatRange(min=0, min_open=True), "metavar": "R",
        "help": "Requests per second, whatever comes back."}),
    (["--arrival"], {"type": click.Choice(["constant", "poisson", "gamma"]), "default": "constant",
        "show_default": True, "help": "How requests follow each other at a rate."}),
    (["--burstiness"], {"type": click.FloatRange(min=0, min_open=True), "metavar": "B",
        "help": "Shape of gamma arrivals: 1 is Poisson, below it burstier."}),
    (["--rate-series"], {"type": _FILE, "metavar": "FILE", "help": "Rates over time: CSV, time_s,requests_per_s."}),
    (["--ramp"], {"metavar": "TIME[:STEPS]", "help": "Rise to the rate or concurrency, straight or in steps."}),
    (["--duration"], {"metavar": "TIME", "help": "Send for so long."}),
    (["--request-count", "--num-requests", "count"], {"type": _POSITIVE, "metavar": "N", "help": "Send so many."}),
    (["--warmup"], {"metavar": "TIME", "help": "Before that, send for so long without counting."}),
    (["--warmup-request-count", "--num-warmup-requests", "warmup_count"], {"type": _COUNT, "default": 0,
        "metavar": "N", "help": "Before that, send so many without counting."}),
    (["--grace"], {"default": "30s", "show_default": True, "metavar": "TIME",
        "help": "For open streams to end after --duration; then they are cancelled."}),
    (["--measurement-interval", "-p"], {"type": _POSITIVE, "default": 10_000, "show_default": True, "metavar": "MS",
        "help": "Without duration or count: send for three of these."}),
    (["--stability-percentage", "-s"], {"type": click.FloatRange(min=0, min_open=True), "default": 999,
        "show_default": True, "metavar": "PCT",
        "help": "Say so where three thirds of the run differ by more, in rate or latency."}),
    (["--max-prefilling"], {"type": _POSITIVE, "metavar": "N",
        "help": "At most so many requests without their first token."}),
    (["--cancel-share"], {"type": _SHARE, "default": 0, "metavar": "P", "help": "Give up this share of requests …"}),
    (["--cancel-after"], {"metavar": "TIME", "help": "… so long after they were sent."}),
    (["--fixed-schedule"], {"is_flag": True, "help": "--input-file is a trace: replay it at its own times."}),
    (["--workers"], {"type": click.IntRange(min=1, max=64), "default": 1, "show_default": True, "metavar": "N",
        "help": "Processes that send."}),
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
        "help": "Where the tape will lie.  [default: in --artifact-dir]"}),
    (["--artifact-dir"], {"type": _FILE, "metavar": "DIR",
        "help": "For tape, exports and plots.  [default: artifacts/<model>-<kind>-<endpoint>-<load>]"}),
    (["--profile-export-file"], {"metavar": "NAME", "default": "profile_export.json", "show_default": True,
        "help": "Name of the exported requests; the summary's is made of it."}),
    (["--generate-plots"], {"is_flag": True, "help": "Draw the plots of the tape, as PNG and SVG."}),
    (["--goodput", "-g"], {"multiple": True, "several": True, "metavar": "KEY:VALUE",
        "help": "GenAI-Perf's words for --slo, as in time_to_first_token:300."}),
    (["--slo", "slos"], {"multiple": True, "metavar": "METRIC[:STATISTIC]:LIMIT",
        "help": "An objective: ttft:300ms of each request, for the goodput, or ttft:p99:300ms of the run."}),
    (["--dialect"], {"default": "tokentape", "show_default": True, "metavar": "NAME",
        "help": "Whose table: tokentape, genai-perf, aiperf, vllm, sglang, guidellm or mlperf."}),
    (["--format", "format_"], {"type": click.Choice(["table", "json", "csv"]), "default": "table",
        "show_default": True, "help": "How to print; json prints one object and nothing else."}),
    (["--max-failures"], {"type": click.FloatRange(min=0), "default": 0.1, "show_default": True, "metavar": "N",
        "help": "Exit with 4 above this: a share below 1, else a number of requests."}),
    (["--keep-bodies"], {"is_flag": True, "help": "Keep request bodies and response texts on the tape."}),
    (["--verbose", "-v"], {"is_flag": True, "help": "Say more."}),
    (["--quiet", "-q"], {"is_flag": True, "help": "No progress."}),
    (["--config", "-f"], {"type": _FILE, "metavar": "FILE", "is_eager": True, "callback": read_config,
        "help": "Options from a YAML file; those on the command line go before it."}),
    (["--dump-config"], {"type": _FILE, "metavar": "FILE", "help": "Write all options to a file (-: print), and end."}),
)  # fmt: skip


def _refuse(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        from ...errors import UserError

        raise UserError(f"{param.opts[0]}: {REPLACED[param.opts[0]]}")


def profile_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds all options of ``tokentape profile``."""
    for name in REPLACED:
        settings = {"hidden": True, "callback": _refuse, "expose_value": False, "is_flag": False, "flag_value": ""}
        command = options("", ([name], settings))(command)
    for group in (_results, _transport, _load, _inputs, _endpoint):
        command = group(command)
    return command
