"""The machine that a run ran on, for the tape's manifest."""

import os
import platform
import time
from pathlib import Path
from typing import Any


def host() -> dict[str, Any]:
    """CPU, cores, memory, kernel, governor and load: what a figure has to be read with."""
    return {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "governor": _first_line(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "clocksource": _first_line(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")),
        "load_average": os.getloadavg(),
    }


def clock_pair() -> dict[str, int]:
    """CLOCK_MONOTONIC and CLOCK_REALTIME at one instant, and how far apart the two were read."""
    before = time.monotonic_ns()
    unix = time.time_ns()
    after = time.monotonic_ns()
    return {"mono_ns": (before + after) // 2, "unix_ns": unix, "uncertainty_ns": after - before}


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None
