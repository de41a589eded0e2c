"""What is left of a run that was killed, or whose disk was full."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.tape.errors import TapeFull
from tokentape.engine.tape.journal import journal_file
from tokentape.engine.tape.read import open_tape
from tokentape.engine.tape.recover import recover
from tokentape.engine.tape.writer import TapeWriter

Makers = tuple[Callable[..., pa.RecordBatch], Callable[..., pa.RecordBatch]]
BATCHES, ROWS = 4, 10


def _events(number: int) -> list[dict[str, Any]]:
    return [{"request_id": r, "event": number, "arrival_ns": 1000 * number + r, "tokens": 1} for r in range(ROWS)]


@pytest.fixture
def killed(tmp_path: Path, batches: Makers) -> Path:
    """A tape as a killed run leaves it: 4 batches of 10 events, 7 of its 10 requests."""
    requests, events = batches
    writer = TapeWriter(tmp_path / "killed", {"seed": 3}, epoch_mono_ns=0, epoch_unix_ns=1_000_000)
    for number in range(BATCHES):
        writer.events(events(_events(number)))
    writer.requests(requests([{"request_id": r, "output_events": BATCHES} for r in range(7)]))
    writer.close()
    return writer.path


def test_a_whole_journal_loses_nothing(killed: Path) -> None:
    tape = recover(killed)
    assert len(tape.events) == BATCHES * ROWS
    assert len(tape.requests) == 7
    assert tape.manifest["recovered"] is True
    assert tape.manifest["unfinished_requests"] == 3
    assert "dropped" not in tape.manifest
    assert tape.manifest["seed"] == 3


def test_recovering_twice_is_the_same_as_once(killed: Path) -> None:
    first = recover(killed).manifest
    assert recover(killed).manifest == first
    (killed / "journal").mkdir()  # killed after the manifest was written, before the journal went
    assert recover(killed).manifest == first
    assert not (killed / "journal").exists()


def test_a_kill_while_sealing_begins_again(killed: Path) -> None:
    (killed / "events").mkdir()
    (killed / "events" / "part-00000.parquet").write_bytes(b"half")
    (killed / "events" / "part-00007.parquet").write_bytes(b"stale")
    tape = recover(killed)
    assert len(tape.events) == BATCHES * ROWS
    assert [f.name for f in (killed / "events").iterdir()] == ["part-00000.parquet"]


def test_a_journal_cut_anywhere_keeps_every_whole_batch(killed: Path, tmp_path: Path) -> None:
    whole = journal_file(killed, "events").read_bytes()
    ends = _batch_ends(whole)
    assert len(ends) == BATCHES
    cuts = {0, 1, 7, len(whole)} | set(range(0, len(whole), 397)) | {e + d for e in ends for d in (-1, 0, 1, 9)}
    for cut in sorted(c for c in cuts if c <= len(whole)):
        copy = tmp_path / f"cut-{cut}"
        shutil.copytree(killed, copy)
        journal_file(copy, "events").write_bytes(whole[:cut])
        tape = recover(copy)
        kept = sum(end <= cut for end in ends)
        assert len(tape.events) == kept * ROWS, cut
        assert sorted(tape.events["event"].unique().to_pylist()) == list(range(kept))
        last_whole = max([end for end in ends if end <= cut], default=0)
        torn = tape.manifest.get("dropped", {}).get("events")
        if kept and cut - last_whole > 600 and cut < ends[-1]:
            assert torn == {"bytes": cut - last_whole, "rows": ROWS}
        elif torn is not None:
            assert 0 < torn["bytes"] <= cut
        shutil.rmtree(copy)


def test_a_journal_that_ends_in_garbage_keeps_what_was_before(killed: Path) -> None:
    file = journal_file(killed, "events")
    end = _batch_ends(file.read_bytes())[1]
    file.write_bytes(file.read_bytes()[:end] + b"\x07" * 5000)
    tape = recover(killed)
    assert len(tape.events) == 2 * ROWS
    assert tape.manifest["dropped"]["events"]["bytes"] == 5000


def test_a_running_tape_is_not_recovered(tmp_path: Path) -> None:
    writer = TapeWriter(tmp_path / "live", {}, epoch_mono_ns=0)
    with pytest.raises(UserError, match="in progress"):
        recover(writer.path)
    assert len(writer.seal().events) == 0


def test_there_must_be_something_to_recover(tmp_path: Path, killed: Path) -> None:
    with pytest.raises(UserError, match="no such tape"):
        recover(tmp_path / "none")
    shutil.rmtree(killed / "journal")
    with pytest.raises(UserError, match="cannot be recovered"):
        recover(killed)


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
import numpy as np
from tokentape.engine.tape.schema import events_batch
from tokentape.engine.tape.writer import TapeWriter
writer = TapeWriter(Path(sys.argv[1]), {}, epoch_mono_ns=0)
for number in range(25):
    n = 100
    ids, event = np.arange(n), np.full(n, number, np.int32)
    zeros = np.zeros(n, np.uint8)
    writer.events(events_batch(ids, event, ids + number, ids + number, zeros, event, event, zeros))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_all_that_it_had_handed_over(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED_RUN, str(tmp_path / "run")], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(UserError, match="tokentape recover"):
        open_tape(tmp_path / "run")
    assert len(recover(tmp_path / "run").events) == 2500


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(writer: TapeWriter, events: Callable[..., pa.RecordBatch], most: int) -> int:
    """Writes batches of 1,000 events; how many went in whole."""
    batch = events([{"request_id": r, "event": 0, "arrival_ns": r} for r in range(1000)])
    for written in range(most):
        try:
            writer.events(batch)
        except TapeFull:
            return written
    return most


def test_a_full_disk_keeps_the_journal_and_says_how_to_go_on(small_disk: Path, batches: Makers) -> None:
    path = small_disk / "tape"
    writer = TapeWriter(path, {}, epoch_mono_ns=0)
    written = _fill(writer, batches[1], 200)
    assert 0 < written < 200
    ballast = small_disk.parent / "moved"
    shutil.copytree(path, ballast)  # room was made: the tape now lies on a larger disk
    assert len(recover(ballast).events) == written * 1000


def test_a_disk_that_fills_up_while_sealing_keeps_the_journal(small_disk: Path, batches: Makers) -> None:
    path = small_disk / "tape"
    writer = TapeWriter(path, {}, epoch_mono_ns=0)
    written = _fill(writer, batches[1], 20)
    assert written == 20
    room = os.statvfs(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (room.f_bavail * room.f_frsize))
    with pytest.raises(TapeFull, match=r"20000 rows of events.*tokentape recover"):
        writer.seal()
    assert not (path / "events").exists()
    with pytest.raises(TapeFull, match="tokentape recover"):
        recover(path)
    ballast.unlink()
    assert len(recover(path).events) == 20_000


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path, batches: Makers) -> None:
    writer = TapeWriter(tmp_path / "tape", {}, epoch_mono_ns=0)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limit[1]))
    try:
        written = _fill(writer, batches[1], 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert 0 < written < 100
    assert len(recover(writer.path).events) == written * 1000


def _batch_ends(journal: bytes) -> list[int]:
    """Where each batch of an IPC stream ends."""
    source = pa.BufferReader(journal)
    stream = pa.ipc.open_stream(source)
    ends = []
    for _ in stream:
        ends.append(source.tell())
    return ends
