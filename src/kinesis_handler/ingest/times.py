"""Reads the times of envelopes: numbers since epoch, RFC 3339, datetimes. Exact to the millisecond. Pure."""

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Literal

Unit = Literal["ms", "s"]
"""What a number counts since epoch: milliseconds or seconds. A text is always RFC 3339."""

EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999
"""Milliseconds since epoch, in the years 1 to 9999, which RFC 3339 can write."""

_PER_UNIT = {"ms": 1, "s": 1_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FLOOR = Context(prec=40, rounding=ROUND_FLOOR)

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
"""Date, time, offset. Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6"""

_NO_TEXT = "Expected a time in RFC 3339, with its offset from UTC"


def milliseconds(value: object, unit: Unit = "ms") -> int:
    """Return a time in milliseconds since epoch; what is finer is cut off, never rounded up.

    Args:
        value: a number of this unit; or a text in RFC 3339, or a datetime, both with their offset from UTC.
        unit: what a number counts.

    Raises ValueError, without the value, if it is none of these, or lies outside the years 1 to 9999.
    """
    match value:
        case bool():
            raise ValueError("Expected a time")
        case int():
            time = value * _PER_UNIT[unit]
        case str():
            time = _of_text(value)
        case datetime():
            time = _of_datetime(value)
        case float() | Decimal():
            time = _of_fraction(value, unit)
        case _:
            raise ValueError("Expected a time")
    if not EARLIEST <= time <= LATEST:
        raise ValueError("Expected a time in the years 1 to 9999")
    return time


def _of_text(text: str) -> int:
    is_leap = text[17:19] == "60"  # the second behind 59, which no datetime can hold
    if is_leap:
        text = f"{text[:17]}59{text[19:]}"
    if _RFC3339.fullmatch(text) is None:
        raise ValueError(_NO_TEXT)
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(_NO_TEXT) from None
    return (moment - _EPOCH) // _MILLISECOND + (1_000 if is_leap else 0)


def _of_datetime(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("Expected a time with its offset from UTC")
    return (moment - _EPOCH) // _MILLISECOND


def _of_fraction(number: float | Decimal, unit: Unit) -> int:
    exact = number if isinstance(number, Decimal) else Decimal(repr(number))
    if not (exact.is_finite() and EARLIEST <= exact <= LATEST):
        raise ValueError("Expected a time in the years 1 to 9999")
    return int(_FLOOR.multiply(exact, Decimal(_PER_UNIT[unit])).to_integral_value(ROUND_FLOOR))
