"""Small tapes for tests, written row by row."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tokentape.engine.tape.read import Tape
from tokentape.engine.tape.schema import KINDS, REQUESTS, events_batch
from tokentape.engine.tape.writer import TapeWriter

EPOCH_UNIX_NS = 1_700_000_000_123_456_789
DEFAULTS: dict[str, Any] = {
    "session_id": None,
    "turn": 0,
    "phase": "main",
    "worker": 0,
    "endpoint": "chat",
    "model": "m",
    "url": "http://127.0.0.1:8000/v1/chat/completions",
    "scheduled_ns": 0,
    "clock": "kernel",
    "outcome": "ok",
    "token_source": "events",
    "output_events": 0,
    "bytes_sent": 100,
    "bytes_received": 1000,
    "connection_id": 0,
    "connection_reused": True,
}


def requests_batch(rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Request rows; what a row leaves out has a default or is null."""
    names = [field.name for field in REQUESTS if field.name != "started_at"]
    columns = {n: pa.array([(DEFAULTS | row).get(n) for row in rows], REQUESTS.field(n).type) for n in names}
    return pa.RecordBatch.from_pydict(columns)


def events_of(rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    """Event rows: request_id, event, arrival_ns, and of the other columns what matters."""

    def column(name: str, kind: Any, default: Any) -> Any:
        return np.array([row.get(name, default) for row in rows], kind)

    arrival = column("arrival_ns", np.int64, 0)
    return events_batch(
        column("request_id", np.int64, 0),
        column("event", np.int32, 0),
        arrival,
        np.array([row.get("read_ns", a + 1) for row, a in zip(rows, arrival, strict=True)], np.int64),
        np.array([KINDS.index(row.get("kind", "token")) for row in rows], np.uint8),
        column("tokens", np.int32, -1),
        column("bytes", np.int32, 200),
        column("coalesced", np.uint8, 0),
    )


MakeTape = Callable[..., Tape]


@pytest.fixture
def make_tape(tmp_path: Path) -> MakeTape:
    """Writes and seals a tape: make_tape(requests, events, manifest={}, name="tape", batch=1000)."""

    def make(
        requests: Sequence[dict[str, Any]],
        events: Sequence[dict[str, Any]] = (),
        manifest: dict[str, Any] | None = None,
        name: str = "tape",
        batch: int = 1000,
    ) -> Tape:
        writer = TapeWriter(tmp_path / name, manifest or {}, epoch_mono_ns=5, epoch_unix_ns=EPOCH_UNIX_NS)
        for start in range(0, len(events), batch):
            writer.events(events_of(events[start : start + batch]))
        if requests:
            writer.requests(requests_batch(requests))
        return writer.seal()

    return make


@pytest.fixture(scope="session")
def batches() -> tuple[Callable[..., pa.RecordBatch], Callable[..., pa.RecordBatch]]:
    """The two makers of batches: of request rows, of event rows."""
    return requests_batch, events_of
