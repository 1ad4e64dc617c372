"""Values that a store may stumble over."""

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
"""Parts of keys that a store could confuse or stumble over."""


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
"""Numbers at the edge of what DynamoDB takes, and with zeros at their end."""


UNSTORABLE_NUMBERS: list[Decimal | float] = [
    *map(Decimal, ("NaN", "-NaN", "sNaN", "Infinity", "-Infinity")),
    *map(Decimal, ("1" * 39, "0." + "1" * 39, "1." + "0" * 38, "1E+126", "-1E-131", "0E-400")),
    *map(float, ("nan", "inf", "-inf", "1e126", "-1e-131", "5e-324")),
]
"""Numbers that no store keeps: they are not finite, or have more digits than DynamoDB's."""


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
"""Keys that no store takes: a part is empty, longer than DynamoDB's, or not to be written in UTF-8."""
