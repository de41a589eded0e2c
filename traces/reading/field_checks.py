"""Checks of single fields, whose errors say what would be right, and a counter of bad rows."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal

from ..errors import FieldKind, TraceError

MAX_TOKENS = 100_000_000
MAX_NS = 100 * 31_557_600 * 10**9  # a hundred years

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
_SEPARATED = re.compile(r"[+-]?\d{1,3}([,' _]\d{3})+(\.\d*)?", re.ASCII)
_ROUND = Context(prec=60, rounding=ROUND_HALF_EVEN)
_UNITS = {10**9: "seconds", 10**6: "milliseconds", 10**3: "microseconds", 1: "nanoseconds"}
_RECENT = (40 * 31_557_600 * 10**9, 130 * 31_557_600 * 10**9)  # 2010 to 2100

_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s?(Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WANTED = "a time like 2023-11-16 18:17:03.9799600 belongs there"


class BadField(Exception):
    """A field that cannot be used. BadRows adds the file and the row."""

    def __init__(self, field: str | None, problem: str) -> None:
        super().__init__(problem)
        self.field, self.problem = field, problem


NAMED_ROWS = 20
"""Number of bad rows whose error is shown; further ones are counted."""


class BadRows:
    """Raise an error for a bad row, or count it if bad rows are to be skipped.

    Attributes:
        kind: "column" for a file with columns (CSV, Parquet), else "field".
        count: Number of bad rows.
        torn: 1 when the last line was cut off and left out.
        errors: Errors of the first NAMED_ROWS bad rows.
    """

    def __init__(self, source: str, *, skip: bool, kind: FieldKind = "field") -> None:
        self.source, self.skip, self.kind, self.count = source, skip, kind, 0
        self.torn = 0
        self.errors: list[TraceError] = []

    def add(self, row: int, bad: BadField) -> None:
        """Report a bad row.

        Args:
            row: Its 1-based record number.
            bad: What is wrong with it.

        Raises:
            TraceError: Rows are not to be skipped.
        """
        error = TraceError(self.source, bad.problem, row=row, field=bad.field, kind=self.kind)
        if not self.skip:
            raise error
        self.count += 1
        if len(self.errors) < NAMED_ROWS:
            self.errors.append(error)

    def notes(self, kept: int) -> tuple[str, ...]:
        """Return a note about the skipped rows, or nothing if there are none.

        Args:
            kept: Number of good rows.

        Raises:
            TraceError: There were bad rows and no good one.
        """
        if not self.errors:
            return ()
        first = self.errors[0]
        if not kept:
            problem = f"none of its {self.count:,} rows can be read; the first: {first.problem}"
            raise TraceError(
                self.source, problem, row=first.row, field=first.field, kind=self.kind, rows=tuple(self.errors)
            )
        place = f"row {first.row}" + (f", {self.kind} {first.field}" if first.field else "")
        rows = "1 bad row was" if self.count == 1 else f"{self.count:,} bad rows were"
        return (f"{rows} skipped; the first: {place}: {first.problem}",)


def shown(value: object) -> str:
    """Return a value as text for a message, at most 60 characters long."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "an integer of more than 60 digits"
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def number(field: str, value: object, wanted: str) -> int | Decimal:
    """A finite number from a JSON value or a CSV's text, exact.

    Args:
        field: Its name.
        value: What was read: JSON's own types with Decimal for fractions, or text of a CSV.
        wanted: What the field should hold, for the message.

    Raises:
        BadField: It is absent, empty, no number, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise BadField(field, f"{'null' if value is None else shown(value)} is not a number; {wanted}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadField(field, f"{shown(value)} is not a finite number; {wanted}")
        return Decimal(value)
    if isinstance(value, Decimal) and not value.is_finite():
        raise BadField(field, f"{shown(value)} is not a finite number; {wanted}")
    return value


def csv_number(field: str, text: str, wanted: str = "a number") -> int | Decimal:
    """Return the number that a field of a CSV file spells.

    Args:
        field: The column.
        text: The field's text.
        wanted: "a number" or "a whole number", for the message.

    Raises:
        BadField: The text is empty or does not spell a finite number.
    """
    text = text.strip()
    if not text:
        raise BadField(field, f"is empty; {wanted} belongs there")
    if not _NUMBER.fullmatch(text):
        problem = f"{shown(text)} is not {wanted}"
        if _SEPARATED.fullmatch(text):
            problem += ". Remove the thousands separators, or name another column with --map"
        raise BadField(field, problem)
    return Decimal(text)


def csv_tokens(field: str, text: str) -> int:
    """Return the length in tokens that a field of a CSV file spells.

    Raises:
        BadField: The text is not a whole number from 0 to 100 million.
    """
    return token_count(field, csv_number(field, text, "a whole number"))


def token_count(field: str, value: object) -> int:
    """A length in tokens: a whole number from 0 to 100 million.

    Raises:
        BadField: It is not.
    """
    wanted = "a whole number of tokens belongs there"
    exact = number(field, value, wanted)
    if exact < 0:
        raise BadField(field, f"{shown(exact)} is negative; {wanted}")
    if exact > MAX_TOKENS:
        raise BadField(field, f"{shown(exact)} is over 100 million tokens; is the column the right one?")
    if exact != int(exact):
        raise BadField(field, f"{shown(exact)} is not whole; {wanted}")
    return int(exact)


def duration_ns(field: str, value: object, unit_ns: int) -> int:
    """A time of at least 0 and at most a hundred years, rounded to the nanosecond.

    Args:
        field: Its name.
        value: A number of units.
        unit_ns: The unit's length: 10**9 for seconds, 10**6 for milliseconds, and so on.

    Raises:
        BadField: It is not.
    """
    unit = _UNITS[unit_ns]
    exact = number(field, value, f"a number of {unit} belongs there")
    if exact < 0:
        raise BadField(field, f"{shown(exact)} is negative; {unit} from 0 up belong there")
    if exact > MAX_NS // unit_ns:
        other = _epoch_in(exact, unit_ns)
        hint = f"; in {other} it would be a date of our time" if other else ""
        raise BadField(field, f"{shown(exact)} is over 100 years in {unit}, the unit of this format{hint}")
    if isinstance(exact, int):
        return exact * unit_ns
    return int(_ROUND.to_integral_value(_ROUND.multiply(exact, Decimal(unit_ns))))


def wrong_epoch(first_ns: int, unit_ns: int) -> str | None:
    """Return a note about a trace whose first timestamp makes a date of our time, since 1970, only in another unit.

    Args:
        first_ns: The earliest timestamp, taken in the format's unit.
        unit_ns: That unit.
    """
    value = first_ns // unit_ns
    if _RECENT[0] <= first_ns < _RECENT[1]:
        return None
    other = _epoch_in(value, unit_ns)
    if other is None:
        return None
    return (
        f"{value} is a date of our time in {other} since 1970, and this format's unit is {_UNITS[unit_ns]}; "
        "read the file with --map to name the unit"
    )


def _epoch_in(value: int | Decimal, unit_ns: int) -> str | None:
    if value > _RECENT[1]:
        return None  # in no unit; and too big to multiply, perhaps
    for other_ns, name in _UNITS.items():
        if other_ns != unit_ns and _RECENT[0] <= value * other_ns < _RECENT[1]:
            return name
    return None


def stamp_ns(field: str, text: str) -> int:
    """Nanoseconds since 1970 of a date and time with up to nine fractional digits; UTC if it names no zone.

    Raises:
        BadField: The text is not a date and time, or lies outside 1970 to 2261.
    """
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        raise BadField(field, f"{shown(text)} is not a date and time; {_WANTED}")
    date, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=_zone(zone))
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError) as error:
        raise BadField(field, f"{shown(text)} is not a date and time ({error}); {_WANTED}") from None
    if not 0 <= seconds < 2**63 // 10**9:
        raise BadField(field, f"{shown(text)} lies outside the years 1970 to 2261; {_WANTED}")
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
