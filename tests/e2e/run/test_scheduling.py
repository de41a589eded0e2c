"""Which priority the parts of a run have while it runs."""

import os
import signal
from typing import Any

import pytest
from tokentape.engine.errors import UserError
from tokentape.engine.scheduling import check_realtime

WORKER = "tokentape.engine.run.worker"
SERVER = "tokentape.engine.cli.main"


@pytest.mark.parametrize("realtime", [False, True])
def test_workers_run_before_all_else(start_cli: Any, small_trace: Any, eventually: Any, realtime: bool) -> None:
    if realtime:
        try:
            check_realtime()
        except UserError:
            pytest.skip("this user may not be real-time")
    words = ("replay", small_trace(2, gap_ms=1_000_000), "--simulate", "--workers", "2", "--out", "x.tape")
    command = start_cli(*words, *(["--realtime"] if realtime else []))

    def policies(script: str) -> list[int]:
        return [os.sched_getscheduler(process.pid) for process in command.children(script)]

    workers = [os.SCHED_FIFO if realtime else os.SCHED_OTHER] * 2
    eventually(
        lambda: policies(WORKER) == workers and policies(SERVER) == [os.SCHED_BATCH], "workers before the server"
    )
    eventually(lambda: os.sched_getscheduler(command.process.pid) == os.SCHED_BATCH, "workers before the controller")
    command.send(signal.SIGINT)
    command.send(signal.SIGTERM)
    command.end()
