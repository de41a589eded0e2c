"""Options that every run has: the server, the fields of its requests, and how they are sent."""

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
        endpoint: A name of ENDPOINTS or of ALIASES, or ``template``: an API of the user's own (``endpoints/template``).
        template: The file with the template of its bodies.
        response_fields: What stands where in its answers, ROLE=PATH each, as in ``text=choices[].text``.
        framing: Of its streams.
        model: None asks the server for the first that it lists.
        workers: Processes that send.
        tokenizer: A directory or hub name; makes prompt lengths exact and counts what the server does not.
        tokenizer_revision, trust_remote_code: Of a tokenizer from a hub.
        seed: Seed of the prompts and of everything else that is random.
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
        realtime: Send at real-time priority, and keep the machine's cores awake meanwhile.
        reuse: Keep connections for further requests.
        kernel_stamps: Use the kernel's receive stamps where there are any.
        keep_bodies: Keep request bodies and response texts on the tape.
        simulator: Options for ``tokentape serve``, when there is no url.
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
        """How connections are made; those to the run's own simulator go through no proxy."""
        return TransportOptions(self.cacert, self.insecure, self.proxy and self.url is not None)

    def shown(self) -> dict[str, Any]:
        """For the manifest: all but the values of headers."""
        values = {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}
        return values | {"headers": [header.partition(":")[0] for header in self.headers]}


def _plain(value: Any) -> Any:
    """A value of an option in JSON's terms."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
