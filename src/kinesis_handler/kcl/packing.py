"""Makes Lambda's records of those that the Kinesis Client Library delivers. Pure.

The library takes KPL records apart, and numbers the user records of each by a sub-sequence number. Lambda
delivers a KPL record whole. It is packed again, so that a user record has the same position, and the
quarantine the same content, by whichever door it came.
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import groupby

import pybase64

from kinesis_handler.ingest.kpl import MAGIC
from kinesis_handler.kcl.library import ClientRecord
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import lambda_record


def packed(
    records: Iterable[ClientRecord], stream_arn: str, shard_id: str
) -> Iterator[tuple[LambdaRecord, int]]:
    """Yield the records of a shard as Lambda delivers them, each with its last sub-sequence number.

    Args:
        records: in stream order. User records of one KPL record come one after the other.
        stream_arn: the stream's.
        shard_id: the shard's.

    A KPL record of which only the last part is delivered, because another program had set a checkpoint in
    it, is numbered from 0 again: its first part is not delivered later either.
    """
    for number, group in groupby(records, key=lambda each: each.sequence_number or ""):
        parts = list(group)
        first, last = parts[0], parts[-1]
        is_kpl = len(parts) > 1
        data = _kpl_record(parts) if is_kpl else first.binary_data
        arrived = first.timestamp_millis
        record = lambda_record(
            stream_arn,
            shard_id,
            number,
            first.partition_key,
            pybase64.b64encode(data).decode(),
            None if arrived is None else arrived / 1_000,
        )
        yield record, last.sub_sequence_number or 0


def _kpl_record(parts: Iterable[ClientRecord]) -> bytes:
    """Return the data of a KPL record, in the format that `ingest.kpl` reads."""
    indexes: dict[str, int] = {}
    records = bytearray()
    for part in parts:
        index = indexes.setdefault(part.partition_key or "", len(indexes))
        records += _field(3, b"\x08" + _varint(index) + _field(3, part.binary_data))
    keys = b"".join(_field(1, key.encode()) for key in indexes)
    message = keys + bytes(records)
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def _field(number: int, value: bytes) -> bytes:
    """Return a field of bytes of a protobuf message."""
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    """Return a base-128 number, seven bits a byte, least significant first."""
    written = bytearray()
    while number >> 7:
        written.append(number & 0b0111_1111 | 0b1000_0000)
        number >>= 7
    written.append(number)
    return bytes(written)
