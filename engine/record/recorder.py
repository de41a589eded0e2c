"""The recorder: a proxy in this process, and the tapes of its traffic."""

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
        url: Root URL of the server.
        host: Address to listen at.
        port: Port to listen at; 0: a free port.
        keep_bodies: Store request bodies, headers without secrets, response texts and servers' error messages.
        anonymize: Store prompts as salted hashes.
        rotate_ns: Time after which a new tape begins; None: never.
        rotate_bytes: Size of the journal in bytes at which a new tape begins; None: never.
        connect_timeout_ns: Time limit for a connection to the server.
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
    """Return the server to which requests are passed, and a note if it cannot be reached yet.

    Raises:
        UserError: The URL is not the http URL of a server's root, or the host has no address.
    """
    target = find_target(url, "/v1/chat/completions")
    if target.scheme != "http" or target.unix is not None:
        raise UserError(f"{url}: a recorder passes requests on over plain http only; give the server's http port")
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.path.strip("/") or parts.query:
        raise UserError(
            f"{url}: give the server's root, such as http://{target.authority}: paths are passed on unchanged"
        )
    try:
        return check_connection(target, REACH_S), None
    except UserError as error:
        return target, f"{error}; requests are answered with 502 until it can be reached"


@dataclass
class _Reel:
    """A tape that is being written or waits for its last requests."""

    writer: TapeWriter
    recording: Recording
    pair: dict[str, int]
    started_ns: int
    end_id: int = NEVER
    """Number of the first request of the next tape."""


@dataclass
class _Sealed:
    tapes: list[Tape] = field(default_factory=list)
    pending: list["Future[Tape]"] = field(default_factory=list)


class Recorder:
    """A recording proxy with its tapes. It listens once it is constructed.

    Args:
        options: Options of the recording.
        out: Path of the first tape; further tapes get numbers.
        command: The command line, for the manifests.
        on_note: Called with each note for the user, from any thread.

    Raises:
        UserError: An option is not valid, the address cannot be used, or `out` exists.
    """

    def __init__(
        self,
        options: RecordOptions,
        out: Path,
        command: Sequence[str] = (),
        on_note: Callable[[str], None] = lambda note: None,
    ) -> None:
        if options.keep_bodies and options.anonymize:
            raise UserError("--keep-bodies stores what --anonymize hides; omit one of them")
        self.options, self.out = options, out
        self.failure: BaseException | None = None
        """Error that ended the recording while traffic continues; `stop` raises it."""
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
        # A daemon thread, so that a program can end without stop().
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    # ---- life ----

    @property
    def url(self) -> str:
        """Port at which the proxy listens."""
        name = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"http://{name}:{self._proxy.port}"

    @property
    def server_url(self) -> str:
        """Return the server's root URL."""
        return f"http://{self._target.authority}"

    def stats(self) -> Stats:
        """Return the proxy's counters."""
        return self._proxy.stats()

    def start(self) -> None:
        """Start to pass requests on."""
        self._proxy.start()
        self._thread.start()

    def drain(self) -> None:
        """Accept no more connections; open ones may end."""
        self._proxy.drain()

    def stop(self) -> list[Tape]:
        """Cut open connections and seal the last tape.

        Returns:
            All tapes, in order.

        Raises:
            TapeFull: The disk is full. Any other error that ended the recording is raised too. The journal can be
                recovered.
        """
        self._proxy.stop()
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        try:
            if self.failure is None:
                self._take()
                self._gather()
                for reel in self._reels:  # not in the sealer's thread: at the end of a program no thread accepts work
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
                errno.EADDRINUSE: "the port is in use; give another one with --listen",
                errno.EACCES: "you may not use this port; every user may use ports from 1024 on",
                errno.EADDRNOTAVAIL: "the address does not belong to this machine",
                errno.EINVAL: "the host is not a numeric address; write 127.0.0.1:8080, or 0.0.0.0:8080 for all",
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
        # Numbers follow the order of arrival, so requests from next_request on began after `at_ns`.
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
        except BaseException as failure:  # reported here, and raised again by stop()
            self.failure = failure
            self._proxy.mute()
            self._on_note(f"the recording has ended, but requests are still passed on: {failure}")
            self._discard()

    def _discard(self) -> None:
        """Keep taking captures, so that they do not fill the memory."""
        while not self._ending.wait(TAKE_EVERY_S):
            self._proxy.take_events()
            while self._proxy.take_requests(ROWS_AT_ONCE):
                pass

    def _take(self) -> Stats:
        stats = self._proxy.stats()  # read oldest_open first: the captures below are then complete for all smaller ids
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
