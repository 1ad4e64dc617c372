"""Values that are difficult for a store."""

from decimal import Decimal

STRANGE = [
    "a b",
    "a/b",
    "a#b",
    "a\\b",
    "å",
    "日本",
    "🎲",
    "\u0000",
    "'; --",
    '"',
    "{}",
    "%2F",
    "..",
    "a" * 255,
]
"""Partition and sort keys that a store could confuse or fail on."""


NUMBERS = [
    "9800.10",
    "0.00",
    "1.1",
    "100",
    "-12.50",
    "9" * 38,
    "0." + "1" * 37 + "0",
    "1E-130",
    "-9E+125",
    "1.0E+2",
]
"""Numbers at the limits of DynamoDB, and with trailing zeros."""


UNSTORABLE_NUMBERS: list[Decimal | float] = [
    *map(Decimal, ("NaN", "-NaN", "sNaN", "Infinity", "-Infinity")),
    *map(Decimal, ("1" * 39, "0." + "1" * 39, "1." + "0" * 38, "1E+126", "-1E-131", "0E-400")),
    *map(float, ("nan", "inf", "-inf", "1e126", "-1e-131", "5e-324")),
]
"""Numbers that no store can hold: not finite, or beyond the digits or the range of DynamoDB."""


UNSTORABLE_KEYS = [
    ("", "1"),
    ("a", ""),
    ("a" * 2_049, "1"),
    ("a", "a" * 1_025),
    ("å" * 1_025, "1"),
    ("a", "å" * 513),
    ("\ud800", "1"),
    ("a", "\udfff"),
]
"""Keys that no store accepts: a part is empty, longer than DynamoDB allows, or not encodable in UTF-8."""
