"""A shard in memory: records in the shape in which Lambda delivers them, and the numbers they get."""

import time
from collections.abc import Callable, Iterable, Iterator
from threading import Lock

import pybase64

from kinesis_handler.lambda_types import KinesisPayload, LambdaRecord

_EPOCH = 496 * 10**53
_MICROSECOND = 10**33
"""Numbers that lie between one microsecond and the next."""


class SequenceNumbers:
    """Numbers for records, each higher than all before it, whatever the clock says and whichever thread asks.

    They look like those of Kinesis, 56 digits, and begin with the time: those of a later process are higher
    than those of an earlier one.
    """

    def __init__(self) -> None:
        self._last = 0
        self._lock = Lock()

    def next(self, now: float) -> str:
        """Return the number of a record that arrives at a time, in seconds since epoch."""
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
    """Give each (partition key, data) its position on a shard, as Kinesis does, in the shape of Lambda.

    Args:
        data: partition key, None if it has none, and content of each record.
        shard_id: the shard's.
        stream_arn: the stream's.
        clock: seconds since epoch, at which each record arrives.
        numbers: gives the sequence numbers. All calls of a process share one by default, so that what is
            put later is later. Numbers of one's own, with a clock of one's own, are the same every time.
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
    """Return a record of a stream in the shape in which Lambda delivers it.

    Args:
        stream_arn: the stream's, in which its region stands; empty if it is not known.
        shard_id: the shard's.
        sequence_number: the record's.
        partition_key: the record's; None if it has none.
        data: what the producer put, in base64.
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
