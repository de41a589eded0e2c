"""Scheduling priorities: what is timed runs before other work."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .errors import UserError

REALTIME_PRIORITY = 1
"""The least there is: before all that has no real-time priority, and before nothing that has."""

LATENCY_DEVICE = "/dev/cpu_dma_latency"


@contextmanager
def giving_way() -> Iterator[None]:
    """What this thread does within, and what it starts within (threads and processes), takes no core from others.

    It is as fast as ever where a core is free, but when it wakes up it waits for whoever runs (SCHED_BATCH, sched(7)).
    A thread that the user has given a policy of its own keeps it, and so does one that may not change it.
    """
    ours = os.sched_getscheduler(0)
    if ours == os.SCHED_OTHER:
        _set_batch(os.SCHED_BATCH)
    try:
        yield
    finally:
        if ours == os.SCHED_OTHER:
            _set_batch(os.SCHED_OTHER)


def _set_batch(policy: int) -> None:
    with suppress(PermissionError):  # a sandbox may forbid it: the run is then as exact as it was without
        os.sched_setscheduler(0, policy, os.sched_param(0))


def go_realtime() -> None:
    """Give this thread real-time priority: it runs before all others as soon as it has work (SCHED_FIFO, sched(7)).

    Raises:
        PermissionError: Root may, and who has CAP_SYS_NICE or a limit RLIMIT_RTPRIO above 0.
    """
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(REALTIME_PRIORITY))


def check_realtime() -> None:
    """Find out whether this process, and so what it starts, may go_realtime.

    Raises:
        UserError: It may not.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        go_realtime()
    except PermissionError:
        raise UserError(
            "--realtime needs the right to real-time priority: run as root, give CAP_SYS_NICE, or set the limit rtprio "
            "to 1 or more (ulimit -r); or leave it out"
        ) from None
    os.sched_setscheduler(0, policy, parameters)


@contextmanager
def cores_awake() -> Iterator[str | None]:
    """Keeps every core of the machine from going to rest, where waking up takes it 10 to 100 us.

    The kernel does so for as long as the device is open in which a tolerable latency of 0 us was written
    (Documentation/power/pm_qos_interface.rst).

    Yields:
        Why it could not be done, or None.
    """
    try:
        device = os.open(LATENCY_DEVICE, os.O_WRONLY)
    except OSError as error:
        yield f"{LATENCY_DEVICE}: {error.strerror}"
        return
    try:
        os.write(device, struct.pack("=i", 0))
        yield None
    finally:
        os.close(device)
