"""Valid events and KPL records, and their words: the starting point of a search for bad input."""

import gzip
import hashlib
from typing import Literal, get_args

from msgspec.json import encode

from kinesis_handler.ingest.kpl import MAGIC
from user_limits.events import EVENT_TYPES, LimitStatus, LimitType, Period

Amount = Literal["0", "-0", "1E-400", "1e999999", "0E-400", "NaN", "sNaN", "-Infinity", "1_0", "\uff19"]
CREATED, PROGRESS_CHANGED, RESET = EVENT_TYPES

_ENVELOPE: dict[str, object] = {
    "eventId": "evt-1",
    "createdAt": 1_700_000_000_000,
    "aggregateId": "anna",
    "sequenceNumber": 1,
    "source": "limits",
    "context": {"correlationId": "req-1"},
}
_LIMIT: dict[str, object] = {
    "userId": "anna",
    "userLimitId": "deposit",
    "brandId": "brand-1",
    "currencyCode": "EUR",
    "nextResetTime": 1_700_000_086_400,
}
PAYLOADS: dict[str, dict[str, object]] = {
    CREATED: {
        **_LIMIT,
        "value": "100.00",
        "maxValue": 100,
        "name": "Daily deposits",
        "type": "DEPOSIT",
        "period": "DAY",
        "status": "ACTIVE",
        "activeFrom": 1_700_000_000_000,
        "activeUntil": None,
        "previousLimitValue": "50",
        "progress": 0,
    },
    PROGRESS_CHANGED: {**_LIMIT, "amount": "-12.50", "previousProgress": "20", "remainingAmount": 92.5},
    RESET: {
        **_LIMIT,
        "type": "DEPOSIT",
        "period": "DAY",
        "resetAmount": "7.50",
        "resetPercentage": "7.5",
        "unusedAmount": "92.50",
    },
    "FOREIGN": {"anything": [None, True, {"a": 1.5}]},
}
EVENTS: dict[str, dict[str, object]] = {
    kind: {**_ENVELOPE, "type": kind, "payload": payload} for kind, payload in PAYLOADS.items()
}
"""A valid event of each type, with all of its fields; and one of a type without a processor."""


def gzipped(content: bytes) -> bytes:
    """Compress data, with the same bytes each time."""
    return gzip.compress(content, 1, mtime=0)


def field(number: int, value: int | bytes) -> bytes:
    """Write a field of a protobuf message."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def key_in_table(partition_key: bytes) -> bytes:
    """Write an entry of a KPL record's table of partition keys."""
    return field(1, partition_key)


def user_record(index: int, data: bytes) -> bytes:
    """Write a user record of a KPL record: the index of its partition key in the table, and its data."""
    return field(3, field(1, index) + field(3, data))


def sealed(message: bytes) -> bytes:
    """Make a KPL record of a message, valid or not, with a correct checksum."""
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def aggregated(*contents: bytes) -> bytes:
    """Pack user records into one record's data."""
    return sealed(key_in_table(b"key") + b"".join(user_record(0, each) for each in contents))


def seeds() -> dict[str, bytes]:
    """Return the starting inputs of a search, by name."""
    events = {kind.lower(): encode(event) for kind, event in EVENTS.items()}
    whole = aggregated(*events.values())
    message = whole[len(MAGIC) : -16]
    return {**events, "gzip": gzipped(events[RESET.lower()]), "aggregate": whole, "message": message}


def words() -> list[bytes]:
    """Return words that the decoders know, and values that are hard for them: chance would not find them."""
    names = [name for schema in EVENT_TYPES.values() for name in schema.__struct_encode_fields__]
    values = [value for them in (LimitType, Period, LimitStatus, Amount) for value in get_args(them)]
    quoted = [*EVENT_TYPES, *_ENVELOPE, "type", "payload", "correlationId", *names, *values, "\U0001f600"]
    numbers = b"1e999999 1E-400 -1e400 9223372036854775808 1.0 NaN 253402300800000".split()
    pieces = [
        b"null",
        b"true",
        b"[[[[[[[[",
        b'{"":' * 4,
        rb"\ud800",
        b"\xed\xa0\x80",
        b"\xff",
        b"\xef\xbb\xbf",
    ]
    magic = [MAGIC, b"\x1f\x8b\x08\0\0\0\0\0\0\x03", gzipped(b""), key_in_table(b"k"), user_record(0, b"{}")]
    return list(dict.fromkeys([encode(each) for each in quoted] + numbers + pieces + magic))


def _varint(number: int) -> bytes:
    """Write a number as a varint: seven bits per byte, least significant first, a high bit if more follow."""
    low, high = number & 0b111_1111, number >> 7
    return bytes([low | 0b1000_0000]) + _varint(high) if high else bytes([low])
