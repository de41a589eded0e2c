"""Options of every run: the server, the fields of requests, and how requests are sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from ..requests.endpoints import Framing
from ..transport.route import TransportOptions

MS = 1_000_000


@dataclass(frozen=True)
class SendOptions:
    """Options of every run: the server, the common fields of requests, and how requests are sent and stamped.

    Attributes:
        url: The server; None starts the simulator.
        endpoint: A name in ENDPOINTS or ALIASES, or ``template`` for an API that the user describes
            (``endpoints/template``).
        template: File with the template of request bodies.
        response_fields: Paths of fields in responses, ROLE=PATH each, such as ``text=choices[].text``.
        framing: Framing of streams with ``template``.
        model: Model name; None: the first model that the server lists.
        workers: Number of worker processes.
        tokenizer: Directory or hub name of a tokenizer, for exact prompt lengths and for counts that the server
            does not send.
        tokenizer_revision, trust_remote_code: Options of a tokenizer from a hub.
        seed: Seed of the prompts and of all other random choices.
        stream, usage, ignore_eos: See BodyOptions.
        headers: Header fields, each ``Name: value``.
        api_key_env: Name of the environment variable with the API key.
        api_key_file: File with the API key, instead of the variable.
        cacert: File of certificates (PEM) to trust instead of the system's.
        insecure: Trust any certificate.
        proxy: Use the proxy of the environment variables, as curl does.
        connect_timeout_ns, read_timeout_ns: Longest time without data before a request fails.
        grace_ns: Time that open streams have to end after the end of sending.
        preopen_ns: Time before its due time at which a request's connection is opened.
        spin_ns: Time before each due time during which the worker polls instead of sleeping.
        realtime: Send at real-time priority, and keep the machine's cores awake during the run.
        reuse: Keep connections for further requests.
        kernel_stamps: Use the kernel's receive stamps where available.
        keep_bodies: Keep request bodies and response texts on the tape.
        simulator: Options of ``tokentape serve``, used without a url.
        extra: Further fields of every request body.
    """

    url: str | None = None
    endpoint: str = "chat"
    template: Path | None = None
    response_fields: Sequence[str] = ()
    framing: Framing = "sse"
    model: str | None = None
    workers: int = 1
    tokenizer: str | None = None
    tokenizer_revision: str | None = None
    trust_remote_code: bool = False
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
    realtime: bool = False
    reuse: bool = True
    kernel_stamps: bool = True
    keep_bodies: bool = False
    simulator: Sequence[str] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    def transport(self) -> TransportOptions:
        """Return how connections are made; those to the run's own simulator use no proxy."""
        return TransportOptions(self.cacert, self.insecure, self.proxy and self.url is not None)

    def shown(self) -> dict[str, Any]:
        """Return the options for the manifest, without the values of headers."""
        values = {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}
        return values | {"headers": [header.partition(":")[0] for header in self.headers]}


def _plain(value: Any) -> Any:
    """Return an option's value in a form that JSON can hold."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
