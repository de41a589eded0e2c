"""How requests are sent, and how a trace is replayed: what the command line and the Python API ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..endpoints import PromptForm
from ..plan import Sessions, Think

MS = 1_000_000


@dataclass(frozen=True)
class SendOptions:
    """What every run has: the server, the requests' common fields, and how they are sent and stamped.

    Attributes:
        url: The server; None starts the simulator.
        endpoint: A name of ENDPOINTS.
        model: None asks the server for the first that it lists.
        workers: Processes that send.
        tokenizer: A directory or hub name; makes prompt lengths exact and counts what the server does not.
        seed: Of the prompts, and of whatever else is drawn.
        stream, usage, ignore_eos: See BodyOptions.
        headers: Each ``Name: value``.
        api_key_env: The environment variable that holds the key.
        api_key_file: The file that holds it instead.
        cacert: A file of certificates (PEM) to trust instead of the system's.
        insecure: Trust any certificate.
        proxy: Go through the proxy that the environment names, as curl would.
        connect_timeout_ns, read_timeout_ns: A silence that is longer fails the request.
        grace_ns: How long open streams may go on after the end of sending.
        preopen_ns: Connections are opened this long before they are needed.
        spin_ns: Poll instead of sleeping this long before each due time.
        reuse: Keep connections for further requests.
        kernel_stamps: Use the kernel's receive stamps where there are any.
        keep_bodies: Keep request bodies and response texts on the tape.
        simulator: Options for ``tokentape serve``, when there is no url.
        extra: Further fields of every request body.
    """

    url: str | None = None
    endpoint: str = "chat"
    model: str | None = None
    workers: int = 1
    tokenizer: str | None = None
    seed: int = 0
    stream: bool = True
    usage: bool = True
    ignore_eos: bool = True
    headers: Sequence[str] = ()
    api_key_env: str | None = None
    api_key_file: str | None = None
    cacert: str | None = None
    insecure: bool = False
    proxy: bool = True
    connect_timeout_ns: int = 10_000 * MS
    read_timeout_ns: int = 300_000 * MS
    grace_ns: int = 30_000 * MS
    preopen_ns: int = 200 * MS
    spin_ns: int = 0
    reuse: bool = True
    kernel_stamps: bool = True
    keep_bodies: bool = False
    simulator: Sequence[str] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """For the manifest: all but the values of headers."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"headers": [header.partition(":")[0] for header in self.headers]}


@dataclass(frozen=True)
class ReplayOptions(SendOptions):
    """How a trace is replayed; the defaults are those of ``tokentape replay``.

    Attributes:
        speed: Divide all times by this.
        start_ns, end_ns: The window of the trace, in the trace's own time.
        limit: The first so many requests of the window.
        sessions, think: When later turns leave; see make_plan.
        history: "recorded": a turn's prompt has the recorded length and blocks. "live": it holds this server's replies.
        go_on_after_failure: Send the turns after one that failed all the same.
        prompt_form: ``text`` or ``token_ids``; None: the endpoint's own.
        trace_format: None finds it out.
        trace_map: The columns of a trace in no known format, as in ``timestamp=ts:ms,input_tokens=n_in,...``.
        cache_namespace: ``shared``: the same prompts in every run with the same seed. ``fresh``: prompts that share
            no prefix with another run's, so that none meets a warm cache.
        skip_bad_rows: Leave out trace rows that cannot be read.
    """

    speed: str | float = 1
    start_ns: int | None = None
    end_ns: int | None = None
    limit: int | None = None
    sessions: Sessions = "open"
    think: Think = "recorded"
    history: Literal["recorded", "live"] = "recorded"
    go_on_after_failure: bool = False
    prompt_form: PromptForm | None = None
    trace_format: str | None = None
    trace_map: str | None = None
    cache_namespace: Literal["fresh", "shared"] = "shared"
    skip_bad_rows: bool = False
