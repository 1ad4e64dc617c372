"""How large an item is, before it is sent: what is too large costs no request. Pure.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html#ItemSizeCalculations
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from kinesis_handler.errors import UnstorableError

MAX_ITEM_BYTES = 400 * 1_024


def check_size(attributes: Mapping[str, Any], statement_bytes: int) -> None:
    """See that an item is small enough. Raises UnstorableError if it is not.

    Args:
        attributes: all of its attributes, as `msgspec.to_builtins` leaves them.
        statement_bytes: size of a statement that has them all, by which most are known to be small.
    """
    if 2 * statement_bytes <= MAX_ITEM_BYTES:  # an item is never twice as large as its JSON
        return
    size = item_bytes(attributes)
    if size > MAX_ITEM_BYTES:
        raise UnstorableError(f"the item has {size:,} bytes; DynamoDB takes {MAX_ITEM_BYTES:,}")


def item_bytes(attributes: Mapping[str, Any]) -> int:
    """Return how many bytes an item takes, its attributes as `msgspec.to_builtins` leaves them.

    Of numbers AWS says about how many; DynamoDB Local, which is Amazon's own, counts as it is done here.
    """
    total = 0
    for name, value in attributes.items():
        total += _text_bytes(name) + _bytes(value)
    return total


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        return _text_bytes(value)
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | float | Decimal):
        return _number_bytes(value)
    if isinstance(value, Mapping):  # 3 for the map, 1 for each entry
        return 3 + len(value) + item_bytes(value)
    return 3 + len(value) + sum(map(_bytes, value))


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


@lru_cache(maxsize=65_536)  # a full item is measured again with each event, and has the same numbers
def _number_bytes(number: float | Decimal) -> int:
    """Count a byte for each pair of digits, from the point on both ways, one for all, and one for a minus."""
    if isinstance(number, int):
        digits, exponent = str(abs(number)), 0
    else:
        _, parts, power = Decimal(str(number)).as_tuple()
        if not isinstance(power, int):  # not finite, and refused elsewhere
            return 1
        digits, exponent = "".join(map(str, parts)), power
    if exponent % 2:
        digits += "0"
    digits = digits.lstrip("0")
    zeros = len(digits) - len(digits.rstrip("0"))
    return 1 + (len(digits) + 1) // 2 - zeros // 2 + (number < 0)
