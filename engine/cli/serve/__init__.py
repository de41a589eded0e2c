"""``tokentape serve``: the simulated server."""

from pathlib import Path
from typing import Any

import click

from ..common.grouped_command import GroupedCommand


def _choice(*names: str) -> click.Choice[str]:
    return click.Choice(names)


EXAMPLES = (
    ("Serve with fixed latencies:", "tokentape serve --port 8000 --ttft 50ms --itl 10ms"),
    ("Draw latencies from distributions:", "tokentape serve --ttft lognormal:200ms:50ms --itl normal:10ms:1ms"),
    ("Fail every tenth request in the middle of its stream:", "tokentape serve --fault cut --fault-share 0.1"),
    (
        "Keep a prefix cache, and write the server's own tape:",
        "tokentape serve --prefix-cache 10000 --truth truth.tape",
    ),
)
GROUPS = {
    "Most used": ("port", "ttft", "itl", "model", "truth"),
    "Address": ("host", "listen", "uds", "tls_cert", "tls_key"),
    "Responses": (
        "default_tokens",
        "reasoning_tokens",
        "tokens_per_chunk",
        "prefix_cache",
        "block_tokens",
        "dimensions",
        "seed",
    ),
    "Wire format": (
        "headers",
        "role",
        "finish",
        "line_end",
        "framing",
        "done",
        "space",
        "empty_choice",
        "continuous_usage",
        "keepalive",
        "ping",
        "chunk_extensions",
        "trailers",
        "interim",
        "split_bytes",
        "close_after",
        "idle_close",
    ),
    "Faults": (
        "fault",
        "fault_after",
        "fault_share",
        "fault_status",
        "error_shape",
        "stream_error",
        "retry_after_s",
    ),
}


@click.command(
    cls=GroupedCommand,
    groups=GROUPS,
    examples=EXAMPLES,
    short_help="Start a simulated server, to test clients.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=int, default=8000, show_default=True, help="Port to listen at; 0 chooses a free one.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Address and port to listen at, such as [::1]:8000. Replaces --host and --port.",
)
@click.option("--uds", metavar="PATH", help="Unix socket to listen at, instead of an address.")
@click.option(
    "--tls-cert", metavar="FILE", help="File with the TLS certificate and its chain (PEM). The server then uses TLS."
)
@click.option("--tls-key", metavar="FILE", help="File with the key of the certificate (PEM).")
@click.option(
    "--model", default="simulated", show_default=True, help="Model listed at /v1/models. Requests may name any other."
)
@click.option(
    "--ttft",
    default="50ms",
    show_default=True,
    metavar="DIST",
    help="Time to first token: a duration (50ms) or a distribution (uniform:40ms:60ms, normal:50ms:5ms,"
    " lognormal:50ms:10ms).",
)
@click.option(
    "--itl",
    default="10ms",
    show_default=True,
    metavar="DIST",
    help="Time between two tokens: a duration or a distribution, as for --ttft.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random draws.")
@click.option(
    "--default-tokens",
    type=int,
    default=128,
    show_default=True,
    help="Output tokens of requests that do not set a maximum.",
)
@click.option("--dimensions", type=int, default=64, show_default=True, help="Dimensions of embeddings.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    metavar="NAME",
    help="Write the server's own tape: when requests arrived and events were sent.",
)
@click.option(
    "--headers",
    default="0",
    show_default=True,
    metavar="TIME",
    help="When the response headers are sent: a time after the request, or 'first' for together with the first event.",
)
@click.option(
    "--role",
    type=_choice("before", "with", "early", "none"),
    default="before",
    show_default=True,
    help="When the role chunk is sent: right before the first token (before), in one write with the first token (with),"
    " with the response headers (early), or never (none).",
)
@click.option(
    "--finish",
    type=_choice("alone", "last", "usage"),
    default="alone",
    show_default=True,
    help="Where the finish reason is: in a separate chunk (alone), in the last content chunk (last), or in the"
    " chunk with the usage (usage).",
)
@click.option(
    "--line-end",
    type=_choice("lf", "crlf", "cr"),
    default="lf",
    show_default=True,
    help="Line ending of server-sent events.",
)
@click.option(
    "--framing",
    type=_choice("chunked", "length", "close"),
    default="chunked",
    show_default=True,
    help="Framing of streams: chunked, Content-Length, or ended by closing the connection.",
)
@click.option("--done/--no-done", default=True, help="End streams with [DONE].  [default: done]")
@click.option("--space/--no-space", default=True, help="Put a space after 'data:'.  [default: space]")
@click.option("--empty-choice", is_flag=True, help="Begin streams with an event without choices, as Azure does.")
@click.option("--continuous-usage", is_flag=True, help="Send usage on every chunk, requested or not.")
@click.option(
    "--tokens-per-chunk",
    type=int,
    default=1,
    show_default=True,
    metavar="K",
    help="Tokens in each chunk after the first, which has one.",
)
@click.option(
    "--reasoning-tokens", type=int, default=0, metavar="K", help="Number of reasoning tokens before the visible output."
)
@click.option("--keepalive", metavar="TIME", help="Send a comment after this much silence in a stream.")
@click.option(
    "--ping",
    type=_choice("ping", "bare"),
    default="ping",
    show_default=True,
    help="Form of the keep-alive comment: ': ping' or a bare ':'.",
)
@click.option("--chunk-extensions", is_flag=True, help="Add a chunk extension to each chunk of the body.")
@click.option("--trailers", is_flag=True, help="Send a trailer field after chunked bodies.")
@click.option("--interim", is_flag=True, help="Send 100 Continue before each response.")
@click.option(
    "--split", "split_bytes", type=int, default=0, metavar="N", help="Split each write into writes of N bytes."
)
@click.option("--close-after", type=int, default=0, metavar="N", help="Close each connection after its Nth response.")
@click.option("--idle-close", metavar="TIME", help="Close connections that are idle for this long.")
@click.option(
    "--fault",
    default="none",
    show_default=True,
    type=_choice("none", "status", "redirect", "error", "cut", "reset", "stall", "silent", "length"),
    help="Fault to inject: an error status, a redirect, an error event in the stream, the connection cut"
    " or reset, silence in the stream or from the start, a Content-Length too long.",
)
@click.option(
    "--fault-after", type=int, default=1, show_default=True, metavar="K", help="Tokens to send before the fault."
)
@click.option(
    "--fault-share",
    type=float,
    default=1.0,
    show_default=True,
    metavar="SHARE",
    help="Share of requests that get the fault.",
)
@click.option("--fault-status", type=int, default=500, show_default=True, help="Status of the fault, from 400 to 599.")
@click.option(
    "--error-shape",
    type=_choice("api", "openai", "fastapi", "text", "html"),
    default="api",
    show_default=True,
    help="Form of the error body; api is the form that the API defines.",
)
@click.option(
    "--stream-error",
    type=_choice("data", "event", "field"),
    default="data",
    show_default=True,
    help="Form of an error in a stream: data and [DONE], an event named error, or an error field.",
)
@click.option(
    "--retry-after",
    "retry_after_s",
    type=int,
    default=1,
    show_default=True,
    metavar="SECONDS",
    help="Retry-After header of responses with 429 or 503, in seconds.",
)
@click.option(
    "--prefix-cache",
    type=int,
    default=0,
    metavar="BLOCKS",
    help="Size of an LRU cache of prompt prefixes, in blocks. Usage reports the cached tokens, and TTFT is the"
    " drawn time multiplied by the share of the prompt that is not cached.  [default: no cache]",
)
@click.option(
    "--block-tokens",
    type=int,
    default=512,
    show_default=True,
    metavar="N",
    help="Tokens per block of the prefix cache.",
)
@click.option(
    "--announce-fd", type=int, hidden=True, help="Write the port and a line end to this descriptor when listening."
)
@click.option("--parent-pid", type=int, hidden=True, help="End when this process ends.")
def serve(**given: Any) -> None:
    """Serve LLM APIs with meaningless words at exact times, to test clients.

    Token k of a response is due at TTFT plus k draws of ITL after the request, and is never sent earlier. The server
    speaks OpenAI's chat, completions, responses and embeddings, Anthropic's messages, and the APIs of Ollama, TGI,
    Triton, KServe, SGLang and three rankers, each at its own path, and serves /v1/models, /api/tags, /health and
    /metrics. It can imitate the wire formats and faults of real servers. Ctrl-C or SIGTERM ends it.
    """
    from .serve_command import run_server

    run_server(given)
