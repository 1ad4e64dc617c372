"""Simulates a shard in memory: makes records as Lambda delivers them, and numbers them."""

import time
from collections.abc import Callable, Iterable, Iterator
from threading import Lock

import pybase64

from kinesis_handler.lambda_types import KinesisPayload, LambdaRecord

_EPOCH = 496 * 10**53
_MICROSECOND = 10**33
"""Sequence numbers in one microsecond."""


class SequenceNumbers:
    """Generates sequence numbers, each higher than all before it, whatever the clock and the calling thread.

    They look like those of Kinesis, 56 digits, and begin with the time: those of a later process are higher
    than those of an earlier one.
    """

    def __init__(self) -> None:
        self._last = 0
        self._lock = Lock()

    def next(self, now: float) -> str:
        """Return the next number, for a record that arrives at a time, in seconds since epoch."""
        with self._lock:
            self._last = max(self._last + 1, _EPOCH + int(now * 1_000_000) * _MICROSECOND)
            return str(self._last)


_of_this_process = SequenceNumbers()


def put_on_shard(
    data: Iterable[tuple[str | None, bytes]],
    *,
    shard_id: str = "shardId-000000000000",
    stream_arn: str = "arn:aws:kinesis:us-east-1:000000000000:stream/local",
    clock: Callable[[], float] = time.time,
    numbers: SequenceNumbers = _of_this_process,
) -> Iterator[LambdaRecord]:
    """Put each (partition key, data) on a shard, as Kinesis does; yield the records as Lambda delivers them.

    Args:
        data: partition key, None if it has none, and content of each record.
        shard_id: the shard's.
        stream_arn: the stream's.
        clock: seconds since epoch, at which each record arrives.
        numbers: generates the sequence numbers. By default all calls of a process share one generator, so
            that a later record has a higher number. With a clock and a generator of its own, a call yields
            the same numbers every time.
    """
    for partition_key, content in data:
        now = clock()
        encoded = pybase64.b64encode(content).decode()
        yield lambda_record(stream_arn, shard_id, numbers.next(now), partition_key, encoded, now)


def lambda_record(  # noqa: PLR0913, PLR0917 - a record has that many parts
    stream_arn: str,
    shard_id: str,
    sequence_number: str,
    partition_key: str | None,
    data: str,
    arrived_at: float | None,
) -> LambdaRecord:
    """Return a record of a stream as Lambda delivers it.

    Args:
        stream_arn: the stream's, which contains its region; empty if it is not known.
        shard_id: the shard's.
        sequence_number: the record's.
        partition_key: the record's; None if it has none.
        data: the producer's data, in base64.
        arrived_at: seconds since epoch; None if that is not known.
    """
    kinesis: KinesisPayload = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": partition_key,
        "sequenceNumber": sequence_number,
        "data": data,
    }
    if arrived_at is not None:
        kinesis["approximateArrivalTimestamp"] = arrived_at
    return {
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/local",
        "awsRegion": (*stream_arn.split(":"), "", "", "")[3],
        "eventSourceARN": stream_arn,
        "kinesis": kinesis,
    }
