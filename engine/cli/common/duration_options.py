"""Options that are durations."""

from typing import Any

from ...errors import UserError
from ...units import duration_ns


def option_ns(given: dict[str, Any], name: str, *, above_0: bool = False) -> int:
    """Return the duration of an option in ns.

    Args:
        given: Values of the command line by parameter name, such as ``connect_timeout``.
        name: Parameter name of the option.
        above_0: Whether a duration of 0 is refused.

    Raises:
        UserError: The value is not a duration, or is 0 although it must be above 0; the message names the option.
    """
    option = f"--{name.replace('_', '-')}"
    try:
        duration = duration_ns(given[name])
    except UserError as error:
        raise UserError(f"{option}: {error}") from None
    if above_0 and not duration:
        raise UserError(f"{option} is {given[name]}; it must be above 0")
    return duration
