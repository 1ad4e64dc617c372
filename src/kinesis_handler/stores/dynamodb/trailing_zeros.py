"""The zeros at the end of a number, which DynamoDB does not keep: 9800.10 would come back as 9800.1. Pure.

How many decimals such a number had is stored beside it, in an attribute of the same shape as the state:

    value = 9800.1, lastReset = {amount: 200, …}, decimals = {value: 2, lastReset: {amount: 2}}

Where no number ends with a zero, there is no such attribute.
"""

from decimal import Context, Decimal
from typing import Any

_WIDE = Context(prec=400)
"""Wide enough for the largest number of DynamoDB with the decimals of its smallest."""


_LEAVES = (str, int, float, type(None))
"""What has no decimals to lose, nor anything in it: most of a state, and all of it is looked through."""


def lost_decimals(value: Any) -> Any:
    """Return how many decimals the numbers have whose text DynamoDB would change; None if there are none."""
    if isinstance(value, Decimal):
        text = str(value)
        if "E" not in text:
            return len(text) - text.index(".") - 1 if text[-1] == "0" and "." in text else None
        exponent = value.as_tuple().exponent
        return -exponent if isinstance(exponent, int) else None  # a NaN has none, and cannot be stored
    is_list = isinstance(value, list | tuple)
    parts: Any = enumerate(value) if is_list else value.items() if isinstance(value, dict) else ()
    lost = {}
    for name, each in parts:
        if not isinstance(each, _LEAVES) and (decimals := lost_decimals(each)) is not None:
            lost[str(name)] = decimals
    return lost or None


def with_decimals(value: Any, lost: Any) -> Any:
    """Return a value whose numbers have their decimals again.

    Raises TypeError or ArithmeticError if they are not what `lost_decimals` returned.
    """
    if lost is None:
        return value
    if isinstance(lost, int):
        return Decimal(value).quantize(Decimal((0, (1,), -lost)), context=_WIDE)
    if not isinstance(lost, dict):
        raise TypeError("the decimals are neither a number nor a map of them")
    if isinstance(value, dict):
        return value | {
            name: with_decimals(value[name], each) for name, each in lost.items() if name in value
        }
    if isinstance(value, list | tuple):
        return [with_decimals(each, lost.get(str(index))) for index, each in enumerate(value)]
    raise TypeError("the decimals are of what has no parts")
