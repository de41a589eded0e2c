"""The limit of open connections of a worker."""

from ..errors import UserError
from ..plan import Plan


def descriptors_for(plan: Plan, peak: int, workers: int) -> tuple[int, str | None]:
    """Raise the limit of open files to the hard limit, and return how many connections a worker may hold.

    Args:
        plan: The plan of the run.
        peak: Largest number of requests due within one second.
        workers: Number of workers; each has its own limit.

    Returns:
        Number of connections, and a warning if the plan may need more than that at once, else None.

    Raises:
        UserError: The limit is below the requests of one second.
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
            "further requests would wait and be late"
        )
    return room, None
