"""What Lambda hands over → records: one for each fact that a producer put on the stream.

Shape of the invocation: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import NotRequired, TypedDict

import pybase64
from msgspec import Struct

from kinesis_handler.aggregation import MAGIC as AGGREGATED_MAGIC
from kinesis_handler.aggregation import disaggregate
from kinesis_handler.errors import InvalidInvocationError, UndecodableRecordError

DEFAULT_MAX_UNPACKED_BYTES = 10 * 1024 * 1024

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_SIZE = 64 * 1024

_MAX_DIGITS = 128
"""Of a sequence number. Kinesis's have 56."""


class KinesisPayload(TypedDict):
    """The `kinesis` part of a Lambda record. `data` is base64, the timestamp seconds since epoch.

    A record of a stream that distributes records by itself may have no partition key.
    """

    kinesisSchemaVersion: str
    partitionKey: NotRequired[str]
    sequenceNumber: str
    data: str
    approximateArrivalTimestamp: float


class LambdaRecord(TypedDict):
    """One entry of `Records` in a Lambda invocation by a Kinesis stream."""

    eventSource: str
    eventVersion: str
    eventID: str
    eventName: str
    invokeIdentityArn: str
    awsRegion: str
    eventSourceARN: str
    kinesis: KinesisPayload


class Record(Struct, frozen=True, eq=False, gc=False):
    """One user record, and its place in the stream.

    Args:
        source: the Lambda record that carried it, as it came. User records of an aggregate share it.
        sequence_number: decimal digits, up to 186 bits: compare as integers, keep as a string.
        sub_sequence_number: the place inside an aggregated record, from 0; 0 in any other record.
        partition_key: the producer's; for a user record of an aggregate, its own.
    """

    source: LambdaRecord
    sequence_number: str
    sub_sequence_number: int
    partition_key: str

    @property
    def shard_id(self) -> str:
        """The shard, out of Lambda's `eventID` (`shardId-000000000006:4959…`)."""
        return str(self.source.get("eventID") or "").partition(":")[0]

    @property
    def position(self) -> tuple[int, int]:
        """The place in the shard, to be compared: later records of one partition key are greater."""
        return int(self.sequence_number), self.sub_sequence_number


def unpack(
    records: Iterable[LambdaRecord], limit: int = DEFAULT_MAX_UNPACKED_BYTES
) -> Iterator[tuple[Record, bytes | UndecodableRecordError]]:
    """Yield each user record in stream order, with its content: the producer's bytes, decompressed.

    A record that cannot be unpacked comes once, with the error in place of its content. The content is
    not kept on the record: it may be `limit` bytes, out of a record that came in a few thousand, and
    only one of them should be in memory at a time.

    Raises InvalidInvocationError at a record that could be neither processed nor reported, because it
    is not from Kinesis or lacks its sequence number, partition key or data.
    """
    for index, source in enumerate(records):
        try:
            kinesis = source["kinesis"]
            record = Record(source, kinesis["sequenceNumber"], 0, kinesis["partitionKey"])
            encoded = kinesis["data"]
            reportable = record.sequence_number.encode().isdigit()  # of bytes it is far quicker
        except (KeyError, TypeError, AttributeError, UnicodeError) as error:
            raise InvalidInvocationError(f"Records[{index}] is not a Kinesis record: {error!r}") from error
        if not reportable or len(record.sequence_number) > _MAX_DIGITS:
            raise InvalidInvocationError(f"Records[{index}].kinesis.sequenceNumber is not a number")
        try:
            data = pybase64.b64decode(encoded, None, True)  # noqa: FBT003 - by keyword it takes a third longer
        except (ValueError, TypeError):
            yield record, UndecodableRecordError("data is not base64")
            continue
        if data.startswith(b"{"):  # nearly always: neither magic number begins so
            yield record, data
        elif data.startswith(AGGREGATED_MAGIC):
            yield from _user_records(record, data, limit)
        else:
            yield record, _Allowance(limit).inflate(data)


def _user_records(
    record: Record, data: bytes, limit: int
) -> Iterator[tuple[Record, bytes | UndecodableRecordError]]:
    try:
        user_records = disaggregate(data, limit)
    except UndecodableRecordError as error:
        # A new one: the traceback of this one would keep the record's data in memory.
        yield record, UndecodableRecordError(str(error))
        return
    allowance = _Allowance(limit)
    for sub_sequence_number, (partition_key, user_data) in enumerate(user_records):
        user_record = Record(record.source, record.sequence_number, sub_sequence_number, partition_key)
        yield user_record, allowance.inflate(user_data)


class _Allowance:
    """How many bytes all that came in one record may yet be decompressed to."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    def inflate(self, data: bytes) -> bytes | UndecodableRecordError:
        """Decompress what is gzipped; anything else comes back as it is."""
        if not data.startswith(_GZIP_MAGIC):
            return data
        content = bytearray()
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                while self._left >= 0 and (chunk := file.read(_CHUNK_SIZE)):
                    self._left -= len(chunk)
                    content += chunk
        except EOFError:
            return UndecodableRecordError("gzip: the data is cut short")
        except (OSError, zlib.error):
            return UndecodableRecordError("gzip: the data is broken")
        if self._left < 0:
            return UndecodableRecordError(f"gzip: it unpacks to more than the limit of {self._limit} bytes")
        return bytes(content)
