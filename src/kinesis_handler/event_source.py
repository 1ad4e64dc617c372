"""What Lambda does around a handler of a Kinesis stream: batches, checkpoint, retries, bisect, on-failure.

It runs the handler where there is no Lambda, by the same rules. Its parameters are those of Lambda's event
source mapping, under Lambda's names, and with Lambda's defaults: two of them are dangerous, see below.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
and https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from typing import Any, Literal

import pybase64
from msgspec import Struct

from kinesis_handler.handler import LambdaContext
from kinesis_handler.record import LambdaRecord

__all__ = ["DiscardedBatch", "EventSourceMapping", "put_on_shard"]

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes that Lambda hands a function in one invocation, of which the records' data is most."""

LambdaFunction = Callable[[dict[str, Any], LambdaContext], object]

DiscardCondition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


class DiscardedBatch(Struct, frozen=True):
    """Records that the mapping gave up, as its on-failure destination gets them.

    Args:
        condition: why, in Lambda's words.
        records: as they were delivered, in stream order.
        invocations: how often they had been delivered.
    """

    condition: DiscardCondition
    records: list[LambdaRecord]
    invocations: int


class LocalContext:
    """The context of one invocation: its id, and how much time it has left.

    Args:
        clock: seconds.
        deadline: when, by that clock, the invocation is over.
    """

    def __init__(self, clock: Callable[[], float], deadline: float) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._clock = clock
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """See `LambdaContext`."""
        return max(0, int((self._deadline - self._clock()) * 1_000))


class EventSourceMapping:
    """Invokes a Lambda function with the records of one shard until each batch is settled.

    A batch is settled when each of its records has been taken by the function, or given up.

    Args:
        function: the Lambda function, called with the invocation and a context.
        batch_size: records in a batch, at most 10,000.
        maximum_batching_window: seconds for which whoever reads the shard waits for a batch to be full.
        parallelization_factor: how many batches are delivered at once, up to 10. Those of one partition key
            still come one after the other. What is read at once is settled as a whole.
        maximum_retry_attempts: deliveries after the first. -1, Lambda's default, never gives up: one bad
            record then blocks its shard until it leaves the stream.
        maximum_record_age: seconds after its arrival at which a record is given up; -1 for never.
        bisect_batch_on_function_error: split a batch that failed, at the number that the function
            returned, else in halves. A split does not count as a retry.
        report_batch_item_failures: read the function's response; without it, only an exception is a failure.
        on_failure: gets what is given up. Without one it is gone, as on Lambda.
        timeout: seconds that the function has for one invocation.
        retry_wait: seconds before the first retry; twice as many before each further one, at most 60.
        clock: seconds since epoch.
        sleep: waits for some seconds.
    """

    def __init__(  # noqa: PLR0913 - Lambda has that many, and each has a default
        self,
        function: LambdaFunction,
        *,
        batch_size: int = 100,
        maximum_batching_window: float = 0,
        parallelization_factor: int = 1,
        maximum_retry_attempts: int = -1,
        maximum_record_age: float = -1,
        bisect_batch_on_function_error: bool = False,
        report_batch_item_failures: bool = True,
        on_failure: Callable[[DiscardedBatch], None] | None = None,
        timeout: float = 60,
        retry_wait: float = 1,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.maximum_batching_window = maximum_batching_window
        self._function = function
        self._batch_size = batch_size
        self._parallel = parallelization_factor
        self._retry_attempts = maximum_retry_attempts
        self._record_age = maximum_record_age
        self._bisect = bisect_batch_on_function_error
        self._report = report_batch_item_failures
        self._on_failure = on_failure
        self._timeout = timeout
        self._retry_wait = retry_wait
        self._clock = clock
        self._sleep = sleep

    def run(self, records: Iterable[LambdaRecord]) -> Iterator[list[LambdaRecord]]:
        """Deliver the records of a shard, and yield each batch when it is settled.

        Nothing is delivered before the first batch is asked for, and the next is only begun when the one
        before is settled: order is kept, and memory holds one batch; with a parallelization factor, so many.
        """
        for batch in _batches(records, self._batch_size * self._parallel):
            if self._parallel == 1:
                self._settle(batch)
            else:
                lanes = _lanes(batch, self._parallel)
                with ThreadPoolExecutor(len(lanes)) as threads:
                    list(threads.map(self._settle_lane, lanes))
            yield batch

    def is_full(self, records: list[LambdaRecord]) -> bool:
        """Tell whether records need not wait for more: they fill a batch."""
        size = sum(len(each["kinesis"]["data"]) for each in records)
        return len(records) >= self._batch_size * self._parallel or size >= PAYLOAD_LIMIT

    def _settle_lane(self, records: list[LambdaRecord]) -> None:
        for batch in _batches(records, self._batch_size):
            self._settle(batch)

    def _settle(self, batch: list[LambdaRecord]) -> None:
        # A stack: what a split puts behind must wait until what it puts in front is settled.
        waiting: list[tuple[list[LambdaRecord], int, int]] = [(batch, 0, 0)]
        while waiting:
            records, retries, invocations = waiting.pop()
            records = self._give_up_aged(records, invocations)
            if not records:
                continue
            first_failed = self._invoke(records)
            if first_failed is None:
                continue
            invocations += 1
            left = records[first_failed:]
            if self._bisect and first_failed > 0:
                waiting.append((left, retries, invocations))
            elif self._bisect and len(left) > 1:
                middle = len(left) // 2
                waiting.append((left[middle:], retries, invocations))
                waiting.append((left[:middle], retries, invocations))
            elif retries == self._retry_attempts:
                self._give_up("RetryAttemptsExhausted", left, invocations)
            else:
                self._sleep(min(self._retry_wait * 2**retries, 60))
                waiting.append((left, retries + 1, invocations))

    def _invoke(self, records: list[LambdaRecord]) -> int | None:
        """Call the function: the place of the first record to be delivered again, None if there is none."""
        context = LocalContext(self._clock, self._clock() + self._timeout)
        try:
            response = self._function({"Records": records}, context)
        except Exception:  # noqa: BLE001 - whatever a function raises, Lambda delivers the batch again
            return 0
        return first_failure(response, records) if self._report else None

    def _give_up_aged(self, records: list[LambdaRecord], invocations: int) -> list[LambdaRecord]:
        if self._record_age < 0:
            return records
        oldest = self._clock() - self._record_age
        aged = [each for each in records if each["kinesis"]["approximateArrivalTimestamp"] < oldest]
        if not aged:
            return records
        self._give_up("RecordAgeExceeded", aged, invocations)
        return [each for each in records if each["kinesis"]["approximateArrivalTimestamp"] >= oldest]

    def _give_up(self, condition: DiscardCondition, records: list[LambdaRecord], invocations: int) -> None:
        if self._on_failure is not None:
            self._on_failure(DiscardedBatch(condition, records, invocations))


def first_failure(response: object, records: list[LambdaRecord]) -> int | None:
    """Read a function's response as Lambda does: from which record on is the batch delivered again?

    Returns:
        The place of the record with the lowest sequence number that was reported; 0, the whole batch, for
        a response that Lambda cannot make sense of; None for complete success. A response without
        `batchItemFailures` is a success, whatever else it says.
    """
    if not response:
        return None
    if not isinstance(response, dict):
        return 0
    failures = response.get("batchItemFailures")
    if not failures:
        return None
    place_of = {record["kinesis"]["sequenceNumber"]: place for place, record in enumerate(records)}
    try:
        return min(place_of[failure["itemIdentifier"]] for failure in failures)
    except (KeyError, TypeError):  # not in the batch, empty, null, or under another name
        return 0


def put_on_shard(
    data: Iterable[tuple[str, bytes]],
    *,
    shard_id: str = "shardId-000000000000",
    stream_arn: str = "arn:aws:kinesis:us-east-1:000000000000:stream/local",
    clock: Callable[[], float] = time.time,
) -> Iterator[LambdaRecord]:
    """Give each (partition key, data) its place on a shard, as Kinesis does, in the shape of Lambda."""
    # As on Kinesis, later records have higher numbers: those of a later run too.
    begun = int(clock() * 1_000)
    for place, (partition_key, content) in enumerate(data):
        number = f"496{begun:020d}{place:033d}"
        encoded = pybase64.b64encode(content).decode()
        yield lambda_record(stream_arn, shard_id, number, partition_key, encoded, clock())


def lambda_record(  # noqa: PLR0913, PLR0917 - a record has that many parts
    stream_arn: str,
    shard_id: str,
    sequence_number: str,
    partition_key: str | None,
    data: str,
    arrived_at: float,
) -> LambdaRecord:
    """Return a record of a stream in the shape in which Lambda delivers it.

    Args:
        stream_arn: the stream's, in which its region stands; empty if it is not known.
        shard_id: the shard's.
        sequence_number: the record's.
        partition_key: the record's; None if its producer gave none.
        data: what the producer put, in base64.
        arrived_at: seconds since epoch.
    """
    record: LambdaRecord = {
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/local",
        "awsRegion": (*stream_arn.split(":"), "", "", "")[3],
        "eventSourceARN": stream_arn,
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "sequenceNumber": sequence_number,
            "data": data,
            "approximateArrivalTimestamp": arrived_at,
        },
    }
    if partition_key is not None:
        record["kinesis"]["partitionKey"] = partition_key
    return record


def _lanes(records: list[LambdaRecord], count: int) -> list[list[LambdaRecord]]:
    """Divide records by their partition keys, in their order, as the keys are divided among shards."""
    lanes: list[list[LambdaRecord]] = [[] for _ in range(count)]
    for record in records:
        digest = md5(record["kinesis"]["partitionKey"].encode(), usedforsecurity=False).digest()
        # By the end of the hash: by its beginning the keys of one shard are much the same.
        lanes[int.from_bytes(digest[8:]) % count].append(record)
    return [lane for lane in lanes if lane]


def _batches(records: Iterable[LambdaRecord], batch_size: int) -> Iterator[list[LambdaRecord]]:
    batch: list[LambdaRecord] = []
    size = 0
    for record in records:
        data_size = len(record["kinesis"]["data"])
        if batch and (len(batch) == batch_size or size + data_size > PAYLOAD_LIMIT):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += data_size
    if batch:
        yield batch
