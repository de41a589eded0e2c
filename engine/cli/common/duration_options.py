"""Options that are durations."""

from typing import Any

from ...errors import UserError
from ...units import duration_ns


def option_ns(given: dict[str, Any], name: str, *, above_0: bool = False) -> int:
    """An option's duration in ns.

    Args:
        given: The command line's words by option, as in ``connect_timeout``.
        name: The option.
        above_0: 0 is refused.

    Raises:
        UserError: It is no duration; the message names the option.
    """
    option = f"--{name.replace('_', '-')}"
    try:
        duration = duration_ns(given[name])
    except UserError as error:
        raise UserError(f"{option}: {error}") from None
    if above_0 and not duration:
        raise UserError(f"{option} is {given[name]}; it must be above 0")
    return duration
