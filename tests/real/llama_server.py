"""llama.cpp's own HTTP server in this process, through the xllamacpp wheel; ends at SIGTERM.

    python llama_server.py MODEL.gguf [--slots 4] [--ping 30] [--embedding] [--api-key KEY]

It takes a free port of 127.0.0.1, loads the model, and then says its address in one line on standard output.
"""

import argparse
import os
import signal
import socket

import xllamacpp


def free_port() -> int:
    """A port that nobody listens on. Another process may still take it before the server does."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def parameters(given: argparse.Namespace) -> xllamacpp.CommonParams:
    """The server's settings: the CPU alone, and one thread, as threads of ggml spin while they wait for each other."""
    params = xllamacpp.CommonParams()
    params.model.path = given.model
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = free_port()
    params.n_parallel = given.slots
    params.n_ctx = 2048 * given.slots  # shared out evenly: 2,048 tokens for each slot
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    params.offline = True
    params.ui = False
    params.sse_ping_interval = given.ping
    if given.api_key:
        params.api_keys = [given.api_key]
    if given.embedding:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return params


def main() -> None:
    """Serve until SIGTERM."""
    cli = argparse.ArgumentParser()
    cli.add_argument("model")
    cli.add_argument("--slots", type=int, default=4, help="requests that are decoded at once")
    cli.add_argument("--ping", type=int, default=30, help="seconds of silence before a keepalive comment")
    cli.add_argument("--embedding", action="store_true", help="serve embeddings, and nothing else")
    cli.add_argument("--api-key")
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # before the server's threads are there to take them
    server = xllamacpp.Server(parameters(cli.parse_args()))
    print(server.listening_address, flush=True)
    signal.sigwait(ending)
    os._exit(0)  # the server's own destructor waits for requests that are still being decoded


if __name__ == "__main__":
    main()
