"""Who gets the processor first: what is timed, before what merely has to be done."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def giving_way() -> Iterator[None]:
    """What this thread does within, and what it starts within (threads and processes), takes no core from others.

    It is as fast as ever where a core is free, but when it wakes up it waits for whoever runs (SCHED_BATCH, sched(7)).
    A thread that the user has given a policy of its own keeps it, and so does one that may not change it.
    """
    ours = os.sched_getscheduler(0)
    if ours == os.SCHED_OTHER:
        _set(os.SCHED_BATCH)
    try:
        yield
    finally:
        if ours == os.SCHED_OTHER:
            _set(os.SCHED_OTHER)


def _set(policy: int) -> None:
    with suppress(PermissionError):  # a sandbox may forbid it: the run is then as exact as it was without
        os.sched_setscheduler(0, policy, os.sched_param(0))
