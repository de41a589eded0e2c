"""Interrupts and deaths: what was measured is kept, every row is told of, and no process stays behind."""

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
from completed_runs import assert_completed
from tokentape.engine.tape import open_tape, recover

WORKER = "tokentape.engine.run.worker"
SERVER = "tokentape.engine.cli.main"


class Held:
    """A server whose first streams stay open until they are released; later ones end at once."""

    def __init__(self, raw_server: Any, streams: int = 1) -> None:
        self.open = threading.Semaphore(0)
        self.release = threading.Event()
        self._left = streams
        self._lock = threading.Lock()
        self.url = raw_server(self._serve).url

    def _serve(self, exchange: Any) -> None:
        if not exchange.request():
            return
        exchange.stream_head()
        exchange.token()
        with self._lock:
            held = self._left > 0
            self._left -= 1
        self.open.release()
        if held:
            assert self.release.wait(60)
        exchange.token()
        exchange.done()

    def wait(self, streams: int) -> None:
        """Until so many streams have begun."""
        for _ in range(streams):
            assert self.open.acquire(timeout=60)


@pytest.fixture
def held(raw_server: Any) -> Any:
    servers: list[Held] = []

    def make(streams: int = 1) -> Held:
        servers.append(Held(raw_server, streams))
        return servers[-1]

    yield make
    for server in servers:
        server.release.set()


@pytest.fixture
def trace(tmp_path: Path) -> Callable[..., Path]:
    """A trace of requests at these times, in s."""

    def write(*at_s: float) -> Path:
        path = tmp_path / "trace.jsonl"
        rows = [{"timestamp": at * 1000, "input_length": 5, "output_length": 2, "hash_ids": [0]} for at in at_s]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = open_tape(path).requests.to_pylist()
    return rows


def _gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=30)
    return not alive


def test_one_interrupt_lets_streams_end(start_cli: Any, held: Any, trace: Any, tmp_path: Path) -> None:
    server = held(1)
    command = start_cli(
        "replay", trace(0, 0, 1000), "--url", server.url, "--model", "m", "--out", "x.tape", "--format", "json"
    )
    server.wait(2)
    workers = command.children(WORKER)
    command.send(signal.SIGINT)
    server.release.set()
    code, out, err = command.end()
    rows = _rows(tmp_path / "x.tape")
    assert [row["outcome"] for row in rows] == ["ok", "ok", "cancelled"]
    assert [row["output_events"] for row in rows] == [2, 2, 0]
    assert rows[2]["error"] == "not sent: the run was stopped"
    assert rows[2]["sent_ns"] is None
    assert rows[2]["scheduled_ns"] - rows[0]["scheduled_ns"] == 1000 * 10**9
    assert json.loads(out)["requests"]["cancelled"] == 1
    assert open_tape(tmp_path / "x.tape").manifest["stopped_by_user"] is True
    assert_completed(code, tmp_path, err)
    assert "Traceback" not in err
    assert _gone(workers)


def test_streams_that_outlast_the_grace_are_cancelled(start_cli: Any, held: Any, trace: Any, tmp_path: Path) -> None:
    server = held(1)
    command = start_cli(
        *("replay", trace(0, 0.001, 1000), "--url", server.url, "--model", "m", "--out", "x.tape"),
        *("--grace", "100ms"),
    )
    server.wait(2)
    command.send(signal.SIGINT)
    command.end()
    rows = _rows(tmp_path / "x.tape")
    assert sorted(row["outcome"] for row in rows[:2]) == ["cancelled", "ok"]
    assert rows[2]["outcome"] == "cancelled"
    cut = next(row for row in rows[:2] if row["outcome"] == "cancelled")
    assert (cut["output_events"], cut["error"]) == (1, "cancelled")
    assert cut["first_token_ns"] is not None


def test_two_interrupts_stop_at_once_and_can_be_recovered(
    start_cli: Any, run_cli: Any, held: Any, trace: Any, tmp_path: Path, eventually: Any
) -> None:
    server = held(1)
    command = start_cli("replay", trace(0, 0, 1000), "--url", server.url, "--model", "m", "--out", "x.tape")
    server.wait(2)
    journal = tmp_path / "x.tape" / "journal"
    eventually((journal / "requests.arrows").exists, "a finished request in the journal")
    workers = command.children(WORKER)
    command.send(signal.SIGINT)
    command.send(signal.SIGTERM)  # two of one kind could be one by the time that they are seen
    code, out, err = command.end()
    assert code == 130
    assert out == ""
    assert "stopped at once; to keep what was measured, run: tokentape recover x.tape" in err
    assert "Traceback" not in err
    assert workers
    assert _gone(workers)
    assert run_cli("summarize", "x.tape").returncode == 2
    assert run_cli("recover", "x.tape").returncode == 0
    assert [row["outcome"] for row in _rows(tmp_path / "x.tape")] == ["ok"]


def test_an_interrupt_before_the_start_leaves_nothing(
    start_cli: Any, raw_server: Any, trace: Any, tmp_path: Path
) -> None:
    """While the server is asked for its models, and does not answer."""
    asked = threading.Event()

    def handler(exchange: Any) -> None:
        if exchange.request():
            asked.set()
            exchange.wait_for_close()

    command = start_cli("replay", trace(0), "--url", raw_server(handler).url, "--out", "x.tape")
    assert asked.wait(60)
    command.send(signal.SIGINT)
    code, out, err = command.end()
    assert (code, out, err) == (130, "", "stopped at once\n")
    assert not (tmp_path / "x.tape").exists()


@pytest.mark.parametrize("simulate", [False, True])
def test_a_killed_controller_leaves_no_orphans(
    start_cli: Any, held: Any, trace: Any, tmp_path: Path, eventually: Any, simulate: bool
) -> None:
    server = held(1)
    where = ["--simulate", "--ttft", "1ms"] if simulate else ["--url", server.url]
    command = start_cli("replay", trace(0, 0, 1000, 1000), *where, "--model", "m", "--out", "x.tape", "--workers", "2")
    journal = tmp_path / "x.tape" / "journal"
    eventually((journal / "requests.arrows").exists, "a finished request in the journal")
    children = command.children(WORKER) + command.children(SERVER)
    assert len(children) == (3 if simulate else 2)
    command.send(signal.SIGKILL)
    assert command.end()[0] == -signal.SIGKILL
    assert _gone(children)
    tape = recover(tmp_path / "x.tape")
    assert tape.manifest["recovered"] is True
    assert set(tape.requests["outcome"].to_pylist()) == {"ok"}


def test_a_killed_worker_is_told_and_makes_the_run_invalid(
    start_cli: Any, held: Any, trace: Any, tmp_path: Path
) -> None:
    server = held(2)
    command = start_cli(
        *("replay", trace(0, 0, 1, 1, 1000), "--url", server.url, "--model", "m", "--out", "x.tape"),
        *("--workers", "1", "--format", "json"),
    )
    server.wait(2)
    (worker,) = command.children(WORKER)
    worker.send_signal(signal.SIGKILL)
    code, out, err = command.end()
    rows = _rows(tmp_path / "x.tape")
    assert len(rows) == 5
    assert {row["outcome"] for row in rows} == {"cancelled"}
    assert {row["error"] for row in rows} == {"worker 0 ended early (killed by SIGKILL)"}
    assert code == 3
    assert "note: worker 0 ended early (killed by SIGKILL); its unfinished requests are lost" in err
    verdict = json.loads(out)["verdict"]
    assert verdict["state"] == "INVALID"
    assert "client_broke" in [reason["code"] for reason in verdict["reasons"]]


def test_the_other_workers_go_on(start_cli: Any, held: Any, trace: Any, tmp_path: Path) -> None:
    server = held(2)
    command = start_cli(
        *("replay", trace(0, 0, 0, 0, 2, 2), "--url", server.url, "--model", "m", "--out", "x.tape", "--workers", "2"),
    )
    server.wait(4)
    command.children(WORKER)[1].send_signal(signal.SIGKILL)
    server.release.set()
    code, _, _ = command.end()
    table = open_tape(tmp_path / "x.tape").requests
    assert code == 3
    of_worker = {n: table.filter(pa.compute.equal(table["worker"], n))["outcome"].to_pylist() for n in (0, 1)}
    assert of_worker[0] == ["ok"] * 3
    assert len(of_worker[1]) == 3
    assert of_worker[1][2] == "cancelled"


def test_the_workers_ignore_a_signal_to_all(start_cli: Any, held: Any, trace: Any, tmp_path: Path) -> None:
    """What a terminal or a service manager does on Ctrl-C: everyone gets it, the controller decides."""
    server = held(1)
    command = start_cli("replay", trace(0, 0, 1000), "--url", server.url, "--model", "m", "--out", "x.tape")
    server.wait(2)
    for worker in command.children(WORKER):
        worker.send_signal(signal.SIGINT)
        worker.send_signal(signal.SIGTERM)
    command.send(signal.SIGTERM)
    server.release.set()
    command.end()
    assert [row["outcome"] for row in _rows(tmp_path / "x.tape")] == ["ok", "ok", "cancelled"]
