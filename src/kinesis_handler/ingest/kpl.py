"""Unpacks KPL records: many user records in the data of one Kinesis record.

Four magic bytes, a protobuf message, and the MD5 of that message:

    AggregatedRecord { repeated string partition_key_table = 1; repeated Record records = 3; }
    Record           { required uint64 partition_key_index = 1; required bytes data = 3; }

Explicit hash keys and tags are skipped: nothing needs them. The message is parsed by hand, because
protobuf's runtime would cost more at a cold start than the rest of the engine together.

Source: https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
and https://protobuf.dev/programming-guides/encoding/
"""

import hashlib
from collections.abc import Iterator

from kinesis_handler.errors import UndecodableRecordError

MAGIC = b"\xf3\x89\x9a\xc2"
USER_RECORD_OVERHEAD = 256
"""Bytes counted for each user record in addition to its data: a million empty ones cost memory too."""

MAX_PARTITION_KEY = 256
"""Longest partition key, in characters. A thousand records may name one key."""

_DIGEST_SIZE = 16
_VARINT, _BYTES = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}
_VARINT_BITS = 64

_PARTITION_KEY_TABLE, _RECORDS = 1, 3
_PARTITION_KEY_INDEX, _DATA = 1, 3


def disaggregate(data: bytes, limit: int) -> list[tuple[str, bytes]]:
    """Unpack a KPL record: return (partition key, data) of each user record, in order.

    Raises UndecodableRecordError if the checksum or the message is broken, or if the user records and
    partition keys, each with its overhead, come to more than `limit` bytes.
    """
    message, digest = data[len(MAGIC) : -_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        raise UndecodableRecordError("KPL record: the MD5 checksum does not match")
    try:
        return _user_records(message, limit)
    except ValueError as error:
        raise UndecodableRecordError(f"KPL record: {error}") from error


def _user_records(message: bytes, limit: int) -> list[tuple[str, bytes]]:
    partition_keys: list[str] = []
    indexed: list[tuple[int, bytes]] = []
    size = 0
    for field, value in _fields(message):
        if not isinstance(value, bytes):
            continue
        size += len(value) + USER_RECORD_OVERHEAD
        if size > limit:
            raise ValueError(f"what it holds comes to more than the limit of {limit} bytes")
        if field == _PARTITION_KEY_TABLE:
            partition_keys.append(_text(value))
        elif field == _RECORDS:
            indexed.append(_user_record(value))
    # The table may come after the records that point into it, so it is looked up last.
    if any(index >= len(partition_keys) for index, _ in indexed):
        raise ValueError("a user record names a partition key that is not in the table")
    if not indexed:
        raise ValueError("there is no user record in it")
    return [(partition_keys[index], data) for index, data in indexed]


def _user_record(message: bytes) -> tuple[int, bytes]:
    index: int | None = None
    data: bytes | None = None
    for field, value in _fields(message):
        if field == _PARTITION_KEY_INDEX and isinstance(value, int):
            index = value
        elif field == _DATA and isinstance(value, bytes):
            data = value
    if index is None or data is None:
        raise ValueError("a user record lacks its partition key or its data")
    return index, data


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise ValueError("a partition key is not UTF-8") from None
    if len(text) > MAX_PARTITION_KEY:
        raise ValueError(f"a partition key is longer than {MAX_PARTITION_KEY} characters")
    return text


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protobuf message, without values of fixed width: none is needed."""
    position, end = 0, len(message)
    while position < end:
        tag, position = _varint(message, position)
        field, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            number, position = _varint(message, position)
            yield field, number
            continue
        if wire_type == _BYTES:
            size, position = _varint(message, position)
        elif wire_type in _FIXED_SIZES:
            size = _FIXED_SIZES[wire_type]
        else:
            raise ValueError(f"the protobuf wire type {wire_type} is not known")
        if size > end - position:
            raise ValueError("the protobuf message is cut short")
        if wire_type == _BYTES:
            yield field, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Read a base-128 number, seven bits a byte, least significant first: (number, position after it)."""
    number = 0
    for shift in range(0, _VARINT_BITS, 7):
        if position >= len(message):
            raise ValueError("the protobuf message is cut short")
        byte = message[position]
        position += 1
        number |= (byte & 0b0111_1111) << shift
        if not byte & 0b1000_0000 and not number >> _VARINT_BITS:
            return number, position
    raise ValueError("a protobuf number is longer than 64 bits")
