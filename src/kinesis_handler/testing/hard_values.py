"""Values that a store may stumble over."""

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
