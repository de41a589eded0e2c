"""Reading a series of request rates from a CSV file."""

import csv
import math
from itertools import pairwise
from pathlib import Path

from ..errors import UserError
from .arrival_process import Segment

HEADER = ("time_s", "requests_per_s")


def read_rate_series(path: Path) -> list[Segment]:
    """Read a CSV file with the columns ``time_s`` and ``requests_per_s``.

    Each rate is valid from its time until the next time; the last one has no end. The first time is 0.

    Raises:
        UserError: The file is not valid; the message names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not lines or tuple(word.strip() for word in lines[0]) != HEADER:
        raise UserError(f"{path}: the first line must be {','.join(HEADER)}")
    points = [_point(path, number, line) for number, line in enumerate(lines[1:], 2) if line]
    if not points:
        raise UserError(f"{path}: has no rates; write lines such as 0,20 (20 requests/s from second 0)")
    if points[0][0] != 0:
        raise UserError(f"{path}, line 2: the series starts at {points[0][0]:g} s; it must start at 0")
    for number, (one, other) in enumerate(pairwise(points), 3):
        if other[0] <= one[0]:
            raise UserError(f"{path}, line {number}: time {other[0]:g} is not after the time before it, {one[0]:g}")
    if all(rate == 0 for _, rate in points):
        raise UserError(f"{path}: all rates are 0; no request would be sent")
    ends = [time for time, _ in points[1:]] + [math.inf]
    return [Segment(end - start, rate, rate) for (start, rate), end in zip(points, ends, strict=True)]


def _point(path: Path, number: int, line: list[str]) -> tuple[float, float]:
    try:
        time, rate = map(float, line)
    except ValueError:
        raise UserError(
            f"{path}, line {number}: {','.join(line)!r} is not TIME,RATE; write for example 30,12.5"
        ) from None
    if not (math.isfinite(time) and math.isfinite(rate)) or time < 0 or rate < 0:
        raise UserError(f"{path}, line {number}: times and rates must be finite and not below 0")
    return time, rate
