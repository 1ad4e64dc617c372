"""Lambda's records → user records: one for each fact that a producer put on the stream.

Shape of the invocation: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import gzip
import io
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import pybase64
from msgspec import Struct

from kinesis_handler.deadline import ENDLESS
from kinesis_handler.errors import InvalidInvocationError, OutOfTimeError, UndecodableRecordError
from kinesis_handler.ingest.kpl import MAGIC as AGGREGATED_MAGIC
from kinesis_handler.ingest.kpl import USER_RECORD_OVERHEAD, disaggregate
from kinesis_handler.lambda_types import LambdaRecord

DEFAULT_MAX_UNPACKED_BYTES = 16 * 1024 * 1024
"""Default limit: the largest record that Kinesis accepts, 10 MiB, fits with its overhead.

Source: https://docs.aws.amazon.com/streams/latest/dev/large-records.html
"""

LOOK_EVERY_BYTES = 1024 * 1024
"""Bytes unpacked between two looks at the clock: some milliseconds.

Data that is neither compressed nor a KPL record does not count: an invocation holds at most 6 MB of it.
"""

_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_SIZE = 64 * 1024

_MAX_DIGITS = 128
"""Longest sequence number accepted, in digits; Kinesis uses 56."""


class Record(Struct, frozen=True, eq=False, gc=False):
    """One user record, and its position in the stream.

    Args:
        source: the Lambda record that carried it, unchanged. User records of one KPL record share it.
        sequence_number: decimal digits, up to 186 bits: compare as integers, store as a string.
        sub_sequence_number: its index in a KPL record, from 0; 0 in any other record.
        partition_key: the producer's; for a user record of a KPL record, its own; None if it has none, as on
            a stream that distributes records by itself.
    """

    source: LambdaRecord
    sequence_number: str
    sub_sequence_number: int
    partition_key: str | None

    @property
    def shard_id(self) -> str:
        """The shard that the record came from; "" if it does not say."""
        return shard_of(self.source)

    @property
    def position(self) -> tuple[int, int]:
        """Position in the shard, to be compared: later records of one partition key are greater."""
        return int(self.sequence_number), self.sub_sequence_number


Content = bytes | UndecodableRecordError | OutOfTimeError
"""Content of a record: the producer's bytes, decompressed, or the error."""


def unpack(
    records: Iterable[LambdaRecord],
    limit: int = DEFAULT_MAX_UNPACKED_BYTES,
    out_of_time: Callable[[], bool] = ENDLESS.has_passed,
) -> Iterator[tuple[Record, Content]]:
    """Yield each user record in stream order, with its content.

    A record that cannot be unpacked comes once, with the error in place of its content; so does one whose
    turn comes too late. The content is not part of the record: it may be `limit` bytes, out of a record
    that came in a few thousand, and only one of them should be in memory at a time.

    Args:
        records: as Lambda passes them.
        limit: bytes that each may hold when it is unpacked.
        out_of_time: returns whether it is too late to unpack one more. Asked once for some bytes that have
            been unpacked, and so never before the first record.

    Raises InvalidInvocationError at a record that could be neither processed nor reported, because it
    is not from Kinesis or lacks its sequence number or data.
    """
    unpacked = 0
    for index, source in enumerate(records):
        try:
            kinesis = source["kinesis"]
            record = Record(source, kinesis["sequenceNumber"], 0, kinesis.get("partitionKey"))
            encoded = kinesis["data"]
            reportable = record.sequence_number.encode().isdigit()  # far faster on bytes
        except (KeyError, TypeError, AttributeError, UnicodeError) as error:
            raise InvalidInvocationError(f"Records[{index}] is not a Kinesis record: {error!r}") from error
        if not reportable or len(record.sequence_number) > _MAX_DIGITS:
            raise InvalidInvocationError(f"Records[{index}].kinesis.sequenceNumber is not a number")
        if unpacked >= LOOK_EVERY_BYTES:
            if out_of_time():
                yield record, OutOfTimeError("the deadline of the invocation came near")
                continue
            unpacked = 0
        try:
            data = pybase64.b64decode(encoded, None, True)  # noqa: FBT003 - by keyword it takes a third longer
        except (ValueError, TypeError):
            yield record, UndecodableRecordError("data is not base64")
            continue
        if data.startswith(b"{"):  # nearly always: no magic number begins like this
            yield record, data
        elif data.startswith(AGGREGATED_MAGIC):
            unpacked += yield from _user_records(record, data, limit)
        else:
            allowance = _Allowance(limit)
            yield record, allowance.inflate(data)
            unpacked += len(data) + allowance.used


def _user_records(
    record: Record, data: bytes, limit: int
) -> Generator[tuple[Record, bytes | UndecodableRecordError], None, int]:
    """Yield the user records of a KPL record; return how many bytes they had."""
    try:
        user_records = disaggregate(data, limit)
    except UndecodableRecordError as error:
        # A new error: the traceback of this one would hold the record's data in memory.
        yield record, UndecodableRecordError(str(error))
        return len(data)
    allowance = _Allowance(limit)
    for sub_sequence_number, (partition_key, user_data) in enumerate(user_records):
        user_record = Record(record.source, record.sequence_number, sub_sequence_number, partition_key)
        yield user_record, allowance.inflate(user_data)
    return len(data) + len(user_records) * USER_RECORD_OVERHEAD + allowance.used


class _Allowance:
    """Counts the bytes to which the content of one record may still be decompressed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    @property
    def used(self) -> int:
        """Bytes that have been decompressed, including those of content that was too large."""
        return self._limit - self._left

    def inflate(self, data: bytes) -> bytes | UndecodableRecordError:
        """Decompress data if it is gzipped; return other data unchanged."""
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


def shard_of(record: LambdaRecord) -> str:
    """Return the shard of a record, from Lambda's `eventID` (`shardId-000000000006:4959…`), or ""."""
    return str(record.get("eventID") or "").partition(":")[0]


_MILLISECONDS_FROM = 100_000_000_000
"""Smallest arrival time taken for milliseconds, of the year 1973: in seconds it would lie beyond 5000."""


def arrival_time(record: LambdaRecord) -> float | None:
    """Return when a record arrived on its stream, in seconds since epoch; None if it does not say.

    Lambda gives seconds. Some emulators give milliseconds, recognized by their size.
    """
    value: object = record["kinesis"].get("approximateArrivalTimestamp")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value / 1_000 if value >= _MILLISECONDS_FROM else value


def refuse_repeated_numbers(records: Sequence[LambdaRecord]) -> None:
    """Refuse different records of one shard that have the same sequence number.

    The response could not distinguish them, and the later one would be taken for a repeat of the earlier.
    Kinesis never assigns a number twice.

    Raises InvalidInvocationError that names two of them.
    """
    try:
        numbers = {record["kinesis"]["sequenceNumber"] for record in records}
    except (KeyError, TypeError):  # `unpack` says what is wrong
        return
    if len(numbers) == len(records):
        return
    seen: dict[tuple[str, str, str], tuple[int, LambdaRecord]] = {}
    for index, record in enumerate(records):
        number = record["kinesis"]["sequenceNumber"]
        place = (str(record.get("eventSourceARN")), shard_of(record), number)
        first, other = seen.setdefault(place, (index, record))
        if other["kinesis"].get("data") != record["kinesis"].get("data"):
            raise InvalidInvocationError(
                f"Records[{first}] and Records[{index}] have the same sequence number, {number}, and hold "
                "different data: Kinesis never hands out a number twice"
            )
