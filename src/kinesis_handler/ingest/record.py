"""Lambda's records → user records: one for each fact that a producer put on the stream.

Shape of the invocation: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

import pybase64
from msgspec import Struct

from kinesis_handler.deadline import ENDLESS
from kinesis_handler.errors import InvalidInvocationError, OutOfTimeError, UndecodableRecordError
from kinesis_handler.ingest.documents import Documents, find_documents, overhead
from kinesis_handler.ingest.inflate import Allowance
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

_MAX_DIGITS = 128
"""Longest sequence number accepted, in digits; Kinesis uses 56."""


class Packing(Struct, frozen=True):
    """How producers pack events into records.

    Args:
        documents: how the content of a user record holds its documents.
        zlib: whether to undo zlib, beside gzip: only where a content cannot begin like it.
    """

    documents: Documents = "one"
    zlib: bool = True


PLAIN = Packing()


class Record(Struct, frozen=True, eq=False, gc=False):
    """One user record, or one document of it, and its position in the stream.

    Args:
        source: the Lambda record that carried it, unchanged. User records of one KPL record share it.
        sequence_number: decimal digits, up to 186 bits: compare as integers, store as a string.
        sub_sequence_number: its index in a KPL record, from 0; 0 in any other record. Where user records hold
            several documents, the index of the document among all of the Lambda record.
        partition_key: the producer's; for a user record of a KPL record, its own; None if it has none, as on
            a stream that distributes records by itself.
        documents: how the sub-sequence number counts.
    """

    source: LambdaRecord
    sequence_number: str
    sub_sequence_number: int
    partition_key: str | None
    documents: Documents = "one"

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
    packing: Packing = PLAIN,
) -> Iterator[tuple[Record, Content]]:
    """Yield each user record in stream order, or each document of it, with its content.

    A record that cannot be unpacked comes once, with the error in place of its content; so does one whose
    turn comes too late. The content is not part of the record: it may be `limit` bytes, out of a record
    that came in a few thousand, and only one of them should be in memory at a time.

    Args:
        records: as Lambda passes them.
        limit: bytes that each may hold when it is unpacked.
        out_of_time: returns whether it is too late to unpack one more. Asked once for some bytes that have
            been unpacked, and so never before the first record.
        packing: how the producers packed their events.

    Raises InvalidInvocationError at a record that could be neither processed nor reported, because it
    is not from Kinesis or lacks its sequence number or data.
    """
    unpacked = 0
    documents = packing.documents
    is_one = documents == "one"
    for index, source in enumerate(records):
        try:
            kinesis = source["kinesis"]
            record = Record(source, kinesis["sequenceNumber"], 0, kinesis.get("partitionKey"), documents)
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
        if data.startswith(b"{") and is_one:  # nearly always: no magic number begins like this
            yield record, data
        else:
            unpacked += yield from _parts(record, data, Allowance(limit, zlib=packing.zlib))


def _parts(
    record: Record, data: bytes, allowance: Allowance
) -> Generator[tuple[Record, bytes | UndecodableRecordError], None, int]:
    """Yield the user records in the data of a Lambda record, or their documents; return its size."""
    size = len(data)
    user_records: Sequence[tuple[str | None, bytes]] = [(record.partition_key, data)]
    if data.startswith(AGGREGATED_MAGIC):
        try:
            user_records = disaggregate(data, allowance.left)
        except UndecodableRecordError as error:
            # A new error: the traceback of this one would hold the record's data in memory.
            yield record, UndecodableRecordError(str(error))
            return size
        size += len(user_records) * USER_RECORD_OVERHEAD
    number = 0
    for partition_key, user_data in user_records:
        for content in _contents(user_data, record.documents, allowance):
            yield (
                Record(record.source, record.sequence_number, number, partition_key, record.documents),
                content,
            )
            number += 1
    return size + allowance.used


def _contents(
    data: bytes, documents: Documents, allowance: Allowance
) -> Iterator[bytes | UndecodableRecordError]:
    """Yield the documents of a user record; an error if it cannot be unpacked.

    Where one is too large, no later user record of its Lambda record is divided: a larger limit would find
    more documents before it, and they would have other numbers than now.
    """
    if documents == "one":
        yield allowance.inflate(data)
        return
    if allowance.is_used_up:
        yield UndecodableRecordError("an earlier part of its record unpacks to more than the limit")
        return
    content = allowance.inflate(data)
    if isinstance(content, UndecodableRecordError):
        yield content
        return
    spans = find_documents(content, documents, allowance.left)
    if spans is None:
        allowance.take(allowance.left + 1)
        yield UndecodableRecordError(
            f"it holds more documents than the limit of {allowance.limit} bytes allows"
        )
        return
    allowance.take(overhead(spans))
    for begin, end in spans:
        yield content[begin:end]


def shard_of(record: LambdaRecord) -> str:
    """Return the shard of a record, from Lambda's `eventID` (`shardId-000000000006:4959…`), or ""."""
    return str(record.get("eventID") or "").partition(":")[0]


_MILLISECONDS_FROM = 100_000_000_000
"""Smallest arrival time taken for milliseconds, of the year 1973: in seconds it would lie beyond 5000."""


def arrival_time(record: LambdaRecord) -> float | None:
    """Return when a record arrived on its stream, in seconds since epoch; None if it does not say.

    Lambda gives seconds. Some emulators give milliseconds, recognised by their size.
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
