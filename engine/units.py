"""Units as people write them: durations."""

import re

from .errors import UserError

_FACTORS = {"ns": 1, "us": 10**3, "ms": 10**6, "": 10**9, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(ns|us|ms|s|m|h|)\s*", re.ASCII)
_LONGEST_NS = 2**62


def duration_ns(text: str) -> int:
    """A duration in whole nanoseconds.

    Args:
        text: A number that is not negative, with a unit of ``ns``, ``us``, ``ms``, ``s``, ``m`` or ``h``;
            without a unit, seconds.

    Raises:
        UserError: It is no such text, or longer than 146 years.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UserError(f"{text!r} is not a duration; write 50ms, 2s, 1m, or plain seconds as 0.5")
    # Decimal digits are scaled as integers: "0.1s" is 100,000,000 ns, not what a float makes of it.
    whole, _, fraction = match[1].partition(".")
    factor = _FACTORS[match[2]]
    duration = int(whole or "0") * factor + (int(fraction) * factor // 10 ** len(fraction) if fraction else 0)
    if duration > _LONGEST_NS:
        raise UserError(f"{text!r} is too long for a duration; the longest is {_LONGEST_NS // 10**9} s")
    return duration
