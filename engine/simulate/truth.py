"""The simulated server's own tape: what it handed to the kernel, and when."""

import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ...cext.server import EventColumns, RequestRow, Server
from ..requests.endpoints import ENDPOINTS
from ..tape.read import Tape
from ..tape.schema import OUTCOMES, REQUESTS, events_batch
from ..tape.writer import TapeWriter

TAKE_EVERY_S: Final = 0.1
FINISHES: Final = {"responses": "max_output_tokens", "messages": "max_tokens", "triton": None, "kserve": None}
"""Finish reason of an API for a response that reached its length, where it is not ``length``."""
TIMES: Final = ("received_ns", "headers_ns", "first_event_ns", "first_token_ns", "last_token_ns", "end_ns")


class TruthWriter:
    """Thread that takes a server's rows every 100 ms and writes them to a tape.

    Args:
        server: A server made with truth.
        path: Path of the tape.
        manifest: Manifest entries known before the start.
        pair: Clock readings at the tape's epoch (`host.clock_pair`).
        url: URL of the server, for the rows.
    """

    def __init__(self, server: Server, path: Path, manifest: dict[str, Any], pair: dict[str, int], url: str) -> None:
        self.path, self.pair = path, pair
        self._server, self._url = server, url
        self._epoch_ns = pair["mono_ns"]
        self._tape = TapeWriter(path, manifest, epoch_mono_ns=pair["mono_ns"], epoch_unix_ns=pair["unix_ns"])
        self._ending = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="truth")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, **manifest_updates: Any) -> Tape:
        """Take the last rows of the stopped server and seal the tape.

        An error in the thread is raised here.
        """
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        self._take()
        return self._tape.seal(**manifest_updates)

    def _run(self) -> None:
        try:
            while not self._ending.wait(TAKE_EVERY_S):
                self._take()
        except BaseException as failure:  # raised again by stop()
            self._failure = failure

    def _take(self) -> None:
        for block in self._server.take_events():
            self._tape.events(truth_events(block, self._epoch_ns))
        rows = self._server.take_requests()
        if rows:
            self._tape.requests(truth_requests(rows, self._epoch_ns, self._url))


def truth_events(block: EventColumns, epoch_ns: int) -> pa.RecordBatch:
    """Return a block of the server's events as rows of a tape."""
    handed_ns = np.frombuffer(block.arrival_ns, np.int64) - epoch_ns
    return events_batch(
        np.frombuffer(block.request_id, np.int64),
        np.frombuffer(block.event, np.int32),
        handed_ns,
        handed_ns,
        np.frombuffer(block.kind, np.uint8),
        np.frombuffer(block.tokens, np.int32),
        np.frombuffer(block.size, np.int32),
        np.frombuffer(block.coalesced, np.uint8),
    )


def truth_requests(rows: list[RequestRow], epoch_ns: int, url: str) -> pa.RecordBatch:
    """Return the server's finished requests as rows of a tape.

    `scheduled_ns` is `received_ns`, when the request's last byte arrived; `sent_ns` is `headers_ns`, when the
    head of the response was handed over. `bytes_sent` and `bytes_received` are the server's.
    """
    count = len(rows)
    answered = [row.status == 200 for row in rows]
    ended_well = [OUTCOMES[row.outcome] == "ok" for row in rows]
    finishes = [FINISHES.get(row.endpoint, "length") if row.output_tokens else None for row in rows]
    columns: dict[str, list[Any]] = {
        "request_id": [row.request for row in rows],
        "turn": [0] * count,
        "phase": ["main"] * count,
        "worker": [0] * count,
        "endpoint": [row.endpoint for row in rows],
        "model": [row.model for row in rows],
        "url": [url + ENDPOINTS[row.endpoint].path_for(row.model, row.stream) for row in rows],
        "clock": ["kernel" if row.kernel_clock else "user" for row in rows],
        "outcome": [OUTCOMES[row.outcome] for row in rows],
        "http_status": [row.status or None for row in rows],
        "finish_reason": [word if ok else None for word, ok in zip(finishes, ended_well, strict=True)],
        "end_marker": [_end_marker(row, ok) for row, ok in zip(rows, ended_well, strict=True)],
        "planned_output_tokens": [row.asked_tokens or None for row in rows],
        "server_input_tokens": [row.prompt_tokens if ok else None for row, ok in zip(rows, answered, strict=True)],
        "server_output_tokens": [row.output_tokens if ok else None for row, ok in zip(rows, answered, strict=True)],
        "server_cached_tokens": [
            row.cached_tokens if ok and row.cached_tokens >= 0 else None for row, ok in zip(rows, answered, strict=True)
        ],
        "token_source": ["server"] * count,
        "output_events": [row.output_events for row in rows],
        "bytes_sent": [row.bytes_sent for row in rows],
        "bytes_received": [row.bytes_received for row in rows],
        "response_id": [row.id or None for row in rows],
        "connection_id": [row.connection for row in rows],
        "connection_reused": [row.reused for row in rows],
    }
    for name in TIMES:
        columns[name] = [stamp - epoch_ns if (stamp := getattr(row, name)) else None for row in rows]
    columns["scheduled_ns"], columns["sent_ns"] = columns["received_ns"], columns["headers_ns"]
    schema = pa.schema([REQUESTS.field(name) for name in columns])
    return pa.RecordBatch.from_pydict(columns, schema=schema)


def _end_marker(row: RequestRow, ended_well: bool) -> str | None:
    if not ended_well:
        return None
    if not row.stream:
        return "length"
    endpoint = ENDPOINTS[row.endpoint]
    if not endpoint.needs_end:
        return "length"
    if "done" in endpoint.types.values() or {"end", "whole_text"} & set(endpoint.fields.values()):
        return "terminal_event"
    return "done" if row.done_marker else "finish"
