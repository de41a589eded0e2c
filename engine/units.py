"""Units as people write them: durations and sizes."""

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


_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?B)\s*", re.ASCII | re.IGNORECASE)


def size_bytes(text: str) -> int:
    """A size in bytes: a number with ``B``, ``KB``, ``MB``, ``GB`` or ``TB`` (powers of 1,000).

    Raises:
        UserError: It is no such text.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UserError(f"{text!r} is not a size; write 500MB or 1GB")
    return int(float(match[1]) * _SIZES[match[2].upper()])
