"""Who gets the processor first."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tokentape.engine import scheduling
from tokentape.engine.errors import UserError
from tokentape.engine.scheduling import check_realtime, cores_awake, giving_way

POLICY = "import os; print(os.sched_getscheduler(0))"


def _policy_of_a_child() -> int:
    return int(subprocess.run([sys.executable, "-c", POLICY], check=True, capture_output=True, text=True).stdout)


def test_what_gives_way_hands_it_down_and_takes_it_back() -> None:
    heard: list[int] = []
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    with giving_way():
        thread = threading.Thread(target=lambda: heard.append(os.sched_getscheduler(0)))
        thread.start()
        thread.join()
        heard += [os.sched_getscheduler(0), _policy_of_a_child()]
    assert heard == [os.SCHED_BATCH] * 3
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert _policy_of_a_child() == os.SCHED_OTHER


def test_a_policy_of_the_users_own_is_kept() -> None:
    heard: list[int] = []

    def idle() -> None:  # a thread of its own: who is idle may not always come back from it
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        with giving_way():
            heard.append(os.sched_getscheduler(0))
        heard.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=idle)
    thread.start()
    thread.join()
    assert heard == [os.SCHED_IDLE] * 2


def test_who_may_not_be_realtime_hears_what_it_takes(tmp_path: Path, run_without_rights: list[str]) -> None:
    words = ("replay", "x.jsonl", "--simulate", "--realtime", "--out", str(tmp_path / "x.tape"))
    command = [*run_without_rights, sys.executable, "-m", "tokentape.engine.cli.main", *words]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == (
        "Error: --realtime needs the right to real-time priority: run as root, give CAP_SYS_NICE, or set the limit "
        "rtprio to 1 or more (ulimit -r); or leave it out\n"
    )
    assert not (tmp_path / "x.tape").exists()


@pytest.fixture
def run_without_rights() -> list[str]:
    """What to put before a command, so that it may not have real-time priority."""
    try:
        check_realtime()
    except UserError:
        return []
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("this user may be real-time, and cannot give that away")
    return ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"]


def test_asking_for_rights_changes_nothing() -> None:
    try:
        check_realtime()
    except UserError:
        pytest.skip("this user may not be real-time")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def _holds_the_device() -> bool:
    device = Path(scheduling.LATENCY_DEVICE)
    return device in [fd.readlink() for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]


def test_cores_are_awake_meanwhile() -> None:
    """The device tells the least latency that anybody asks for, as an int32."""
    if not os.access(scheduling.LATENCY_DEVICE, os.R_OK | os.W_OK):
        pytest.skip(f"{scheduling.LATENCY_DEVICE} cannot be opened")
    with cores_awake() as lack:
        assert lack is None
        assert _holds_the_device()
        with Path(scheduling.LATENCY_DEVICE).open("rb", buffering=0) as device:
            assert device.read(4) == bytes(4)
    assert not _holds_the_device()


def test_cores_that_cannot_be_kept_awake_are_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scheduling, "LATENCY_DEVICE", str(tmp_path / "none"))
    with cores_awake() as lack:
        assert lack == f"{tmp_path / 'none'}: No such file or directory"
