"""Attributes of items: the values of Python with DynamoDB's types, and back. Pure.

Source of the types and their limits:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw

AttributeValue = Mapping[str, Any]
"""A value with its type, as it is on the wire: `{"S": "text"}`, `{"N": "12.50"}`, `{"L": […]}`."""

Item = Mapping[str, AttributeValue]

VERSION = "version"
EXPIRES_AT = "expiresAt"
DECIMALS = "decimals"
PARKED = "parked"
VACANT = "vacant"

_decode_item = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def decode_item(encoded: Raw) -> Item:
    """Return an item from its JSON."""
    return _decode_item(encoded)


def to_attribute(value: Any) -> AttributeValue:
    """Return a value, as `msgspec.to_builtins` leaves it, with its DynamoDB type."""
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is int or kind is Decimal or kind is float:
        return {"N": str(value)}
    if value is None:
        return {"NULL": True}
    if kind is bool:
        return {"BOOL": value}
    if kind is list or kind is tuple:
        return {"L": [to_attribute(each) for each in value]}
    if kind is dict:
        return {"M": {name: to_attribute(each) for name, each in value.items()}}
    raise TypeError(f"{kind.__name__} has no DynamoDB type")


def to_python(attribute: AttributeValue) -> Any:
    """Return the value of an attribute: whole numbers as int, all others as Decimal, exact."""
    [(kind, value)] = attribute.items()
    if kind == "S" or kind == "BOOL":  # noqa: PLR1714 - a set takes twice as long
        return value
    if kind == "N":
        return int(value) if value.isdigit() or value.lstrip("-").isdigit() else Decimal(value)
    if kind == "NULL":
        return None
    if kind == "L":
        return [to_python(each) for each in value]
    if kind == "M":
        return {name: to_python(each) for name, each in value.items()}
    return value  # binary and sets: nothing here writes them, another program may
