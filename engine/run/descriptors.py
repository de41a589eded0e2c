"""The limit of connections that a worker may hold open."""

from ..errors import UserError
from ..plan import Plan


def descriptors_for(plan: Plan, peak: int, workers: int) -> tuple[int, str | None]:
    """Raise the limit of open files to what is allowed, and say how many connections a worker may hold.

    Args:
        plan: What will be sent.
        peak: The most requests due within one second.
        workers: Processes that share them; each has a limit of its own.

    Returns:
        Connections, and a warning when fewer than the plan has requests could be open together, or None.

    Raises:
        UserError: Not even one second's requests would fit.
    """
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    reserve = 64
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    room = hard - reserve
    burst = -(-peak // workers)
    if room < burst:
        raise UserError(
            f"a worker may have {burst:,} requests due within one second, but a process may open only {hard:,} files; "
            f"raise the hard limit (as root: ulimit -Hn {burst + reserve}), use more --workers or a lower --speed"
        )
    if room * workers < len(plan):
        return room, (
            f"at most {room * workers:,} streams can be open at once (hard limit of open files: {hard:,}); "
            "further requests would wait, and count as late"
        )
    return room, None
