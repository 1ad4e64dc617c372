"""Reading a record: its user records, and the event of each, if it is one."""

import gzip
import json
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from aws_kinesis_agg.deaggregator import iter_deaggregate_records

from chaos.oracle.rules import CREATED, DIGITS, PROGRESS_CHANGED, RESET, Fields, is_exact

GZIP_MAGIC = b"\x1f\x8b"


class InvalidError(Exception):
    """The content of a user record is no event, or not one of its type."""


def contents_of(record: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the content of each user record of a Kinesis record: several in a KPL record, otherwise one."""
    for each in iter_deaggregate_records([record]):
        yield b64decode(each["kinesis"]["data"])


def read_event(content: bytes) -> Fields:
    """Return an event with checked fields, without nulls, and with amounts as Decimals.

    Raises InvalidError.
    """
    try:
        if content.startswith(GZIP_MAGIC):
            content = gzip.decompress(content)
        event = json.loads(content.decode(), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, EOFError, OSError, zlib.error, InvalidOperation) as error:
        raise InvalidError from error
    checked = _checked(event, _ENVELOPE)
    if checked["type"] in _PAYLOADS:
        checked["payload"] = _checked(checked["payload"], _PAYLOADS[checked["type"]])
        _check_value(checked["payload"])
    return checked


def _no_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _checked(found: object, fields: Mapping[str, Callable[[Any], Any]]) -> Fields:
    """Return the fields that an object has; the name of a required one ends in `!`."""
    if not isinstance(found, dict):
        raise InvalidError
    checked: Fields = {}
    for field, check in fields.items():
        name = field.removesuffix("!")
        if found.get(name) is not None:
            checked[name] = check(found[name])
        elif name != field:
            raise InvalidError
    return checked


def _check_value(payload: Fields) -> None:
    """Check that a limit's value, or its alias, is present: only CREATED has such fields."""
    if "amount" in payload or not {"value", "maxValue"} & payload.keys():
        return
    values = {payload[name] for name in ("value", "maxValue") if name in payload}
    if len(values) > 1 or min(values) < 0:
        raise InvalidError


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise InvalidError
    return found


def _id(found: object) -> str:
    if not _text(found):
        raise InvalidError
    return _text(found)


def _integer(found: object) -> int:
    if not isinstance(found, int) or isinstance(found, bool):
        raise InvalidError
    return found


def _number(found: object) -> int:
    if _integer(found) < 0:
        raise InvalidError
    return _integer(found)


def _object(found: object) -> Fields:
    if not isinstance(found, dict):
        raise InvalidError
    return found


def _amount(found: object) -> Decimal:
    if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
        raise InvalidError
    try:
        amount = Decimal(found)
    except InvalidOperation as error:
        raise InvalidError from error
    # As written: trailing zeros count as digits.
    if not amount.is_finite() or len(amount.as_tuple().digits) > DIGITS or not is_exact(amount):
        raise InvalidError
    return amount


def _one_of(*allowed: str) -> Callable[[object], str]:
    def check(found: object) -> str:
        if found not in allowed:
            raise InvalidError
        return _text(found)

    return check


_type = _one_of("BALANCE", "BET", "DEPOSIT", "LOSS", "SESSION")
_period = _one_of(
    "CALENDAR_DAY", "CALENDAR_WEEK", "CALENDAR_MONTH", "DAY", "WEEK", "MONTH", "INDEFINITE", "INSTANCE"
)
_status = _one_of("ACTIVE", "CANCELED", "FUTURE", "IN_COOLDOWN")

_ENVELOPE: dict[str, Callable[[Any], Any]] = {
    "eventId!": _id,
    "type!": _id,
    "createdAt!": _integer,
    "payload!": _object,
    "aggregateId": _text,
    "sequenceNumber": _number,
    "source": _text,
    "context": _object,
}
_LIMIT: dict[str, Callable[[Any], Any]] = {
    "userId!": _id,
    "userLimitId!": _id,
    "brandId": _text,
    "currencyCode": _text,
    "nextResetTime": _integer,
}
_PAYLOADS: dict[str, dict[str, Callable[[Any], Any]]] = {
    CREATED: {
        **_LIMIT,
        "value": _amount,
        "maxValue": _amount,
        "name": _text,
        "type": _type,
        "period": _period,
        "status": _status,
        "activeFrom": _integer,
        "activeUntil": _integer,
        "previousLimitValue": _amount,
        "progress": _amount,
    },
    PROGRESS_CHANGED: {
        **_LIMIT,
        "amount!": _amount,
        "previousProgress": _amount,
        "remainingAmount": _amount,
    },
    RESET: {
        **_LIMIT,
        "type": _type,
        "period": _period,
        "resetAmount": _amount,
        "resetPercentage": _amount,
        "unusedAmount": _amount,
    },
}
