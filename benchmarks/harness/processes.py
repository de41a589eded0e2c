"""Running a command on one core, and what it and its descendants used."""

import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


def allow_many_files() -> None:
    """Raises the limit of open files to what is allowed; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass
class Memory:
    """The highest figures seen of a process tree."""

    pss_bytes: int = 0
    """Of all processes together: each page counted once, however many of them share it."""
    resident_bytes: dict[str, int] = field(default_factory=dict)
    """Peak resident size (VmHWM) of each process, by a part of its command line."""


@dataclass(frozen=True)
class Used:
    """What a command used, its descendants included."""

    user_s: float
    system_s: float
    wall_s: float
    output: str
    memory: Memory

    @property
    def cpu_s(self) -> float:
        """User and system together."""
        return self.user_s + self.system_s


class Failed(Exception):
    """A command ended with an error; the text is the end of what it said."""


def run_on(core: int, command: Sequence[str | Path], *, timeout_s: float, watch_memory: bool = False) -> Used:
    """Runs a command on one core and waits for it.

    Args:
        core: Its number.
        command: The program and its arguments.
        timeout_s: It is killed after so long.
        watch_memory: Sample the memory of the process tree, twice a second.

    Raises:
        Failed: It ended with an exit code other than 0, or was killed.
    """
    memory = Memory()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.monotonic()
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        ended = threading.Event()
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        sampler = threading.Thread(target=_sample, args=(process.pid, memory, ended))
        if watch_memory:
            sampler.start()
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        timer.cancel()
        if watch_memory:
            sampler.join()
        out.seek(0)
        err.seek(0)
        output = out.read()
        if process.returncode:
            said = (output + err.read())[-2000:]
            raise Failed(f"{' '.join(map(str, command))[:200]}: exit code {process.returncode}\n{said}")
    return Used(used.ru_utime, used.ru_stime, wall_s, output, memory)


@contextmanager
def beside(core: int, command: Sequence[str | Path]) -> Iterator[list[str]]:
    """Runs a command on a core while the block lasts, then asks it to end; gives the lines that it printed by then."""
    said: list[str] = []
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *map(str, command)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    try:
        yield said
    finally:
        process.terminate()
        said += process.communicate(timeout=30)[0].splitlines()


def _sample(pid: int, memory: Memory, ended: threading.Event) -> None:
    while not ended.wait(0.5):
        total = 0
        for member in _tree(pid):
            try:
                total += _kilobytes(member, "smaps_rollup", "Pss:")
                name = "worker" if "run.worker" in _command_line(member) else "controller"
                peak = _kilobytes(member, "status", "VmHWM:") * 1024
            except (OSError, StopIteration):
                continue  # it has just ended
            memory.resident_bytes[name] = max(peak, memory.resident_bytes.get(name, 0))
        memory.pss_bytes = max(memory.pss_bytes, total * 1024)


def _tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for member in found:
        try:
            for task in Path(f"/proc/{member}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _kilobytes(pid: int, file: str, key: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
