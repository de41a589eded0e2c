"""The recorder: a proxy in this process, and the tapes of what passes through it."""

import errno
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np

from ...cext.parsers import Dialect
from ...cext.recorder import ENDPOINTS as RECORDED_ENDPOINTS
from ...cext.recorder import EventColumns, Proxy, RecordedRequest, Stats
from ..errors import UserError
from ..host import clock_pair, host
from ..requests.endpoints import ENDPOINTS
from ..tape import Tape, TapeWriter
from ..transport.connection_check import check_connection
from ..transport.target import Target, find_target
from .hashing import BLOCK_BYTES, HASH_BYTES, PromptHasher
from .proxy_rows import Recording, recorded_batches, recorded_events, request_id

TAKE_EVERY_S: Final = 0.1
ROWS_AT_ONCE: Final = 256
NEVER: Final = 2**63 - 1
REACH_S: Final = 1.0


@dataclass(frozen=True)
class RecordOptions:
    """Options of a recording.

    Attributes:
        url: The server's root.
        host: The address to listen at.
        port: 0 has one chosen.
        keep_bodies: Write request bodies, headers without secrets, response texts and servers' error messages.
        anonymize: Write prompts as salted hashes.
        rotate_ns: Begin another tape after so long; None: never.
        rotate_bytes: Size of the journal in bytes at which another tape begins; None: never.
        connect_timeout_ns: For a connection to the server to be made.
        half_closed_ns: How long a client that has ended its side waits for a silent server.
    """

    url: str
    host: str = "127.0.0.1"
    port: int = 8080
    keep_bodies: bool = False
    anonymize: bool = False
    rotate_ns: int | None = None
    rotate_bytes: int | None = None
    connect_timeout_ns: int = 10_000_000_000
    half_closed_ns: int = 300_000_000_000


def find_server(url: str) -> tuple[Target, str | None]:
    """The server to pass requests to, and a note where it cannot be reached yet.

    Raises:
        UserError: It is no http URL of a server's root, or the host has no address.
    """
    target = find_target(url, "/v1/chat/completions")
    if target.scheme != "http" or target.unix is not None:
        raise UserError(f"{url}: a recorder passes requests on over plain http alone; give the server's http port")
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.path.strip("/") or parts.query:
        raise UserError(
            f"{url}: give the server's root, as in http://{target.authority}: paths are passed on as they come"
        )
    try:
        return check_connection(target, REACH_S), None
    except UserError as error:
        return target, f"{error}; requests are answered with 502 until it can be reached"


@dataclass
class _Reel:
    """A tape that is being written, or waits for its last requests."""

    writer: TapeWriter
    recording: Recording
    pair: dict[str, int]
    started_ns: int
    end_id: int = NEVER
    """Requests from here on belong to the next tape."""


@dataclass
class _Sealed:
    tapes: list[Tape] = field(default_factory=list)
    pending: list["Future[Tape]"] = field(default_factory=list)


class Recorder:
    """A recording proxy with its tapes. It listens from its making on.

    Args:
        options: What it is to do.
        out: Where the first tape will lie; further ones get numbers.
        command: The command line, for the manifests.
        on_note: Called, from any thread, with what the user should know.

    Raises:
        UserError: An option will not do, the address cannot be listened at, or `out` is taken.
    """

    def __init__(
        self,
        options: RecordOptions,
        out: Path,
        command: Sequence[str] = (),
        on_note: Callable[[str], None] = lambda note: None,
    ) -> None:
        if options.keep_bodies and options.anonymize:
            raise UserError("--keep-bodies writes what --anonymize must not; leave one of them out")
        self.options, self.out = options, out
        self.failure: BaseException | None = None
        """What ended the recording, while traffic goes on; `stop` raises it."""
        self._command, self._on_note = list(command), on_note
        self._target, note = find_server(options.url)
        if note:
            on_note(note)
        self._hasher = PromptHasher() if options.anonymize else None
        self._proxy = self._listen()
        self._numbers = 0
        pair = clock_pair()
        self._reels = [self._begin(out, pair, 0, pair["mono_ns"])]
        self._sealed = _Sealed()
        self._sealer = ThreadPoolExecutor(1, "sealer")
        self._ending = threading.Event()
        # A daemon: a program that ends without stop() must not wait for it.
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    # ---- life ----

    @property
    def url(self) -> str:
        """URL or port at which it listens."""
        name = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"http://{name}:{self._proxy.port}"

    @property
    def server_url(self) -> str:
        """Return where requests go."""
        return f"http://{self._target.authority}"

    def stats(self) -> Stats:
        """The proxy's counters."""
        return self._proxy.stats()

    def start(self) -> None:
        """Begin to pass requests on."""
        self._proxy.start()
        self._thread.start()

    def drain(self) -> None:
        """Take no more connections; what is open may end."""
        self._proxy.drain()

    def stop(self) -> list[Tape]:
        """Cut what is open, and seal the last tape.

        Returns:
            All tapes, in their order.

        Raises:
            TapeFull: Or whatever else had ended the recording. The journal can be recovered.
        """
        self._proxy.stop()
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        try:
            if self.failure is None:
                self._take()
                self._gather()
                for reel in self._reels:  # not by the sealer's thread: at the end of a program no thread takes work
                    self._sealed.tapes.append(reel.writer.seal(**self._facts_at_end(reel)))
            self._sealer.shutdown(wait=True)
            self._gather()
            if self.failure is not None:
                raise self.failure
        finally:
            self._sealer.shutdown(wait=True)
            for reel in self._reels:
                reel.writer.close()
        self._reels = []
        return self._sealed.tapes

    def _listen(self) -> Proxy:
        endpoints = [ENDPOINTS[name] for name in RECORDED_ENDPOINTS]
        options = self.options
        try:
            return Proxy(
                host=options.host,
                port=options.port,
                upstream=self._target.sockaddr,
                dialects=tuple(Dialect(endpoint.fields, endpoint.types) for endpoint in endpoints),
                needs_end=tuple(endpoint.needs_end for endpoint in endpoints),
                keep_text=options.keep_bodies,
                connect_timeout_ns=options.connect_timeout_ns,
                half_closed_ns=options.half_closed_ns,
            )
        except OSError as error:
            advice = {
                errno.EADDRINUSE: "the port is in use; give another with --listen",
                errno.EACCES: "the port may not be used; ports from 1024 on are free to all",
                errno.EADDRNOTAVAIL: "the address is not one of this machine's",
                errno.EINVAL: "that is no numeric address; write 127.0.0.1:8080, or 0.0.0.0:8080 for all",
            }.get(error.errno or 0)
            if advice is None:
                raise
            raise UserError(f"cannot listen at {options.host}:{options.port}: {advice}") from None

    # ---- tapes ----

    def _begin(self, path: Path, pair: dict[str, int], first_id: int, epoch_ns: int) -> _Reel:
        options = self.options
        epoch_unix_ns = pair["unix_ns"] - (pair["mono_ns"] - epoch_ns)
        manifest: dict[str, Any] = {
            "role": "recorder",
            "command": self._command,
            "options": asdict(options),
            "target": {"url": self.server_url, "address": self._target.address},
            "part": self._numbers,
            "first_request": first_id,
            "bodies": options.keep_bodies,
            "host": host(),
            "clocks": [pair],
        }
        if self._hasher is not None:
            manifest["blocks"] = {"bytes": BLOCK_BYTES, "hash_bytes": HASH_BYTES, "hash": "HMAC-SHA256, chained"}
        writer = TapeWriter(path, manifest, epoch_mono_ns=epoch_ns, epoch_unix_ns=epoch_unix_ns)
        recording = Recording(self.server_url, epoch_ns, first_id, options.keep_bodies, self._hasher)
        return _Reel(writer, recording, pair, time.monotonic_ns())

    def _next_path(self) -> Path:
        while True:
            self._numbers += 1
            path = self.out.with_name(f"{self.out.stem}-{self._numbers:05d}{self.out.suffix}")
            if not path.exists():
                return path

    def _rotate_if_due(self, stats: Stats) -> None:
        reel, options = self._reels[-1], self.options
        first_id = reel.recording.first_id
        if stats.next_request == first_id:
            return  # nothing is on it yet
        old = options.rotate_ns is not None and time.monotonic_ns() - reel.started_ns >= options.rotate_ns
        large = options.rotate_bytes is not None and reel.writer.journal_bytes >= options.rotate_bytes
        if not (old or large):
            return
        # Numbers are given in the order of arrival: those from next_request on began after `at_ns`.
        following = self._begin(self._next_path(), clock_pair(), stats.next_request, stats.at_ns)
        reel.end_id = stats.next_request
        self._reels.append(following)

    def _seal(self, reel: _Reel) -> None:
        self._sealed.pending.append(self._sealer.submit(reel.writer.seal, **self._facts_at_end(reel)))

    def _facts_at_end(self, reel: _Reel) -> dict[str, Any]:
        """Return the facts for a tape's manifest that are known when it is sealed."""
        return {
            "stats": self.stats()._asdict(),
            "clocks": [reel.pair, clock_pair()],
            "finished_unix_ns": time.time_ns(),
        }

    def _gather(self, *, done_alone: bool = False) -> None:
        pending = self._sealed.pending
        while pending and (pending[0].done() or not done_alone):
            tape = pending.pop(0).result()
            self._sealed.tapes.append(tape)
            if done_alone:
                self._on_note(f"{tape.path} is sealed: {tape.manifest['rows']['requests']:,} requests")

    # ---- the thread ----

    def _run(self) -> None:
        try:
            while not self._ending.wait(TAKE_EVERY_S):
                stats = self._take()
                self._rotate_if_due(stats)
                self._gather(done_alone=True)
        except BaseException as failure:  # told, and raised again by stop()
            self.failure = failure
            self._proxy.mute()
            self._on_note(f"the recording has ended, requests are still passed on: {failure}")
            self._discard()

    def _discard(self) -> None:
        """Keeps taking what was on its way, so that it does not stay in memory."""
        while not self._ending.wait(TAKE_EVERY_S):
            self._proxy.take_events()
            while self._proxy.take_requests(ROWS_AT_ONCE):
                pass

    def _take(self) -> Stats:
        stats = self._proxy.stats()  # first: what is taken below is then whole for all ids under oldest_open
        for block in self._proxy.take_events():
            self._write_events(block)
        while rows := self._proxy.take_requests(ROWS_AT_ONCE):
            self._write_requests(rows)
        while len(self._reels) > 1 and self._reels[0].end_id <= stats.oldest_open:
            self._seal(self._reels.pop(0))
        return stats

    def _write_events(self, block: EventColumns) -> None:
        ids = np.frombuffer(block.request_id, np.int64)
        for reel in self._reels:
            mask = (ids >= reel.recording.first_id) & (ids < reel.end_id)
            if mask.any():
                reel.writer.events(recorded_events(block, mask, reel.recording))

    def _write_requests(self, rows: list[RecordedRequest]) -> None:
        for reel in self._reels:
            own = [row for row in rows if reel.recording.first_id <= request_id(row) < reel.end_id]
            if not own:
                continue
            batches = recorded_batches(own, reel.recording)
            reel.writer.requests(batches.requests)
            if batches.bodies is not None:
                reel.writer.bodies(batches.bodies)
            if batches.blocks is not None:
                reel.writer.blocks(batches.blocks)
