"""``tokentape serve``: the simulated server."""

from pathlib import Path
from typing import Any

import click


def _choice(*names: str) -> click.Choice[str]:
    return click.Choice(names)


@click.command(short_help="Start a simulated server to measure clients against.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=int, default=8000, show_default=True, help="0 has one chosen.")
@click.option("--listen", metavar="HOST:PORT", help="Both in one, as in [::1]:8000.")
@click.option("--uds", metavar="PATH", help="Listen at a Unix socket instead.")
@click.option("--tls-cert", metavar="FILE", help="Speak TLS, with this certificate and its chain (PEM).")
@click.option("--tls-key", metavar="FILE", help="The certificate's key (PEM).")
@click.option("--model", default="simulated", show_default=True, help="Served at /v1/models; other names are echoed.")
@click.option("--ttft", default="50ms", show_default=True, metavar="LAW",
              help="To the first token: 50ms, uniform:40ms:60ms, normal:50ms:5ms, lognormal:50ms:10ms.")  # fmt: skip
@click.option("--itl", default="10ms", show_default=True, metavar="LAW", help="Between two tokens, likewise.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides all draws, with a request's number.")
@click.option("--default-tokens", type=int, default=128, show_default=True, help="For requests that name no maximum.")
@click.option("--dimensions", type=int, default=64, show_default=True, help="Of embeddings.")
@click.option("--truth", type=click.Path(path_type=Path), metavar="NAME", help="Write the server's own tape.")
@click.option("--headers", default="0", show_default=True, metavar="TIME",
              help="When the head leaves: a time after the request, or 'first': with the first event.")  # fmt: skip
@click.option("--role", type=_choice("before", "with", "early", "none"), default="before", show_default=True,
              help="The role chunk: just before the first token, in its write, with the head, or none.")  # fmt: skip
@click.option("--finish", type=_choice("alone", "last", "usage"), default="alone", show_default=True,
              help="The finish reason: in its own chunk, on the last content chunk, or with the usage.")  # fmt: skip
@click.option("--line-end", type=_choice("lf", "crlf", "cr"), default="lf", show_default=True, help="Of the events.")
@click.option("--framing", type=_choice("chunked", "length", "close"), default="chunked", show_default=True,
              help="Of the stream: chunked, Content-Length, or ended by the close.")  # fmt: skip
@click.option("--done/--no-done", default=True, help="Whether [DONE] ends a stream.  [default: done]")
@click.option("--space/--no-space", default=True, help="Whether a space follows 'data:'.  [default: space]")
@click.option("--empty-choice", is_flag=True, help="Begin with an event of no choices, as Azure does.")
@click.option("--continuous-usage", is_flag=True, help="Usage on every chunk, asked for or not.")
@click.option("--tokens-per-chunk", type=int, default=1, show_default=True, metavar="K",
              help="In each chunk after the first, which has one.")  # fmt: skip
@click.option("--reasoning-tokens", type=int, default=0, metavar="K", help="The first K tokens are reasoning.")
@click.option("--keepalive", metavar="TIME", help="A comment after so long a silence in a stream.")
@click.option("--ping", type=_choice("ping", "bare"), default="ping", show_default=True, help="That comment's form.")
@click.option("--chunk-extensions", is_flag=True, help="On each chunk of the body.")
@click.option("--trailers", is_flag=True, help="A trailer field after chunked bodies.")
@click.option("--interim", is_flag=True, help="100 Continue before each head.")
@click.option("--split", "split_bytes", type=int, default=0, metavar="N", help="Cut each write into writes of N bytes.")
@click.option("--close-after", type=int, default=0, metavar="N", help="Close connections with their Nth answer.")
@click.option("--idle-close", metavar="TIME", help="Close connections that are idle for so long.")
@click.option("--fault", default="none", show_default=True,
              type=_choice("none", "status", "redirect", "error", "cut", "reset", "stall", "silent", "length"),
              help="What goes wrong: an error status, a redirect, an error event in the stream, the connection cut"
                   " or reset, silence in the stream or from the start, a Content-Length too long.")  # fmt: skip
@click.option("--fault-after", type=int, default=1, show_default=True, metavar="K", help="Tokens before it.")
@click.option("--fault-share", type=float, default=1.0, show_default=True, metavar="SHARE", help="Of the requests.")
@click.option("--fault-status", type=int, default=500, show_default=True, help="From 400 to 599.")
@click.option("--error-shape", type=_choice("api", "openai", "fastapi", "text", "html"), default="api",
              show_default=True, help="Of the body that goes with the status; api: as the API has it.")  # fmt: skip
@click.option("--stream-error", type=_choice("data", "event", "field"), default="data", show_default=True,
              help="An error in the stream: data and [DONE], an event named error, or an error field.")  # fmt: skip
@click.option("--retry-after", "retry_after_s", type=int, default=1, show_default=True, metavar="SECONDS",
              help="With 429 and 503.")  # fmt: skip
@click.option("--prefix-cache", type=int, default=0, metavar="BLOCKS",
              help="Keep prompts' prefixes in an LRU cache of so many blocks; usage tells the cached tokens, and TTFT"
                   " is the draw times the share that is not cached.  [default: no cache]")  # fmt: skip
@click.option("--block-tokens", type=int, default=512, show_default=True, metavar="N", help="In one such block.")
@click.option("--announce-fd", type=int, hidden=True, help="Write the port and a line end there when listening.")
@click.option("--parent-pid", type=int, hidden=True, help="End when this process does.")
def serve(**given: Any) -> None:
    """Serve LLM APIs with meaningless words at exact times: a server to measure clients against.

    Token k of an answer is due at TTFT and k draws of ITL after the request, and never leaves before. It speaks
    OpenAI's chat, completions, responses and embeddings, Anthropic's messages, and the APIs of Ollama, TGI, Triton,
    KServe, SGLang and three rankers, each at its own path; further /v1/models, /api/tags, /health and /metrics; and, if
    told to, every dialect and fault of the wire that real servers have. Ends on Ctrl-C or SIGTERM.
    """
    from .serve_command import run_server

    run_server(given)
