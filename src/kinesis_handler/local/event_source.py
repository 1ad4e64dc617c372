"""Invokes a handler as Lambda's event source mapping does: batches, checkpoint, retries, bisect, on-failure.

It runs the handler without Lambda, by the same rules. Its parameters have the names and the defaults of
Lambda's event source mapping: two of the defaults are dangerous, see below.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
and https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct

from kinesis_handler.ingest.record import arrival_time, refuse_repeated_numbers
from kinesis_handler.lambda_types import LambdaContext, LambdaRecord
from kinesis_handler.local.batching import PAYLOAD_LIMIT, batches, exceeds_payload, lanes, refuse_foreign_keys
from kinesis_handler.local.gathering import Bounds, Gathering
from kinesis_handler.local.shard import SequenceNumbers, lambda_record, put_on_shard
from kinesis_handler.quarantine.on_failure import TOO_LARGE, DiscardCondition, DiscardedBatch
from kinesis_handler.retry import Pauses

__all__ = ["DiscardedBatch", "EventSourceMapping", "SequenceNumbers", "lambda_record", "put_on_shard"]

LambdaFunction = Callable[[dict[str, Any], LambdaContext], object]

LONGEST_RETRY_WAIT = 60
"""Seconds between two retries."""


class LocalContext:
    """The context of one invocation: its id, and its remaining time.

    Args:
        clock: seconds.
        deadline: when, by that clock, the invocation ends.
        is_last_delivery: whether what fails is given up. Lambda's context does not say that.
    """

    def __init__(
        self, clock: Callable[[], float], deadline: float, *, is_last_delivery: bool = False
    ) -> None:
        self.is_last_delivery = is_last_delivery
        self.aws_request_id = str(uuid.uuid4())
        self._clock = clock
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """See `LambdaContext`."""
        return max(0, int((self._deadline - self._clock()) * 1_000))


class EventSourceMapping(Struct, frozen=True, eq=False):
    """Invokes a Lambda function with the records of one shard until each batch is settled.

    A batch is settled when each of its records has been taken by the function, or given up.

    Args:
        function: the Lambda function, called with the invocation and a context.
        batch_size: records in a batch, at most 10,000.
        batch_bytes: size of a batch's data, in base64. Lambda's is what an invocation holds.
        maximum_batching_window: seconds that the reader of the shard waits for a batch to be full: see
            `gathering`.
        parallelization_factor: how many batches are delivered at once, up to 10. Records of one
            partition key are still delivered in order; KPL records are refused, because their keys are not
            those of their events. What is read at once is settled as a whole.
        maximum_retry_attempts: deliveries after the first. -1, Lambda's default, never gives up: one bad
            record then blocks its shard until it leaves the stream.
        maximum_record_age: seconds after its arrival at which a record is given up; -1 for never.
        bisect_batch_on_function_error: split a batch that failed, at the number that the function
            returned, else in halves. A split does not count as a retry.
        report_batch_item_failures: read the function's response; without it, only an exception is a failure.
        on_failure: gets given-up records. Without it they are lost, as on Lambda.
        deliver_too_large: deliver also a record that is too large for an invocation by Lambda (its data is
            above 4.5 MiB). Otherwise it is given up, undelivered.
        announce_last_delivery: say in the context whether what fails will be given up, so that the handler
            can park it instead. Lambda does not.
        timeout: seconds that the function has for one invocation.
        retry_wait: seconds before the first retry; twice as many before each further one, at most
            `LONGEST_RETRY_WAIT`.
        clock: seconds since epoch.
        sleep: waits for some seconds.
    """

    function: LambdaFunction
    batch_size: int = 100
    batch_bytes: int = PAYLOAD_LIMIT
    maximum_batching_window: float = 0
    parallelization_factor: int = 1
    maximum_retry_attempts: int = -1
    maximum_record_age: float = -1
    bisect_batch_on_function_error: bool = False
    report_batch_item_failures: bool = True
    on_failure: Callable[[DiscardedBatch], None] | None = None
    deliver_too_large: bool = False
    announce_last_delivery: bool = False
    timeout: float = 60
    retry_wait: float = 1
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], object] = time.sleep

    def run(self, records: Iterable[LambdaRecord]) -> Iterator[list[LambdaRecord]]:
        """Deliver the records of a shard, and yield each batch when it is settled.

        Nothing is delivered before the first batch is requested, and the next begins only when the previous
        one is settled: the order holds, and memory holds one batch, or as many as the parallelization factor.

        Raises InvalidInvocationError at two records with the same sequence number, and ConfigurationError at
        a KPL record if batches are delivered at once. Nothing of such a batch has been delivered.
        """
        for batch in batches(records, self.batch_size * self.parallelization_factor, self.batch_bytes):
            refuse_repeated_numbers(batch)
            if self.parallelization_factor == 1:
                self._settle(batch)
            else:
                refuse_foreign_keys(batch, self.parallelization_factor)
                divided = lanes(batch, self.parallelization_factor)
                with ThreadPoolExecutor(len(divided)) as threads:
                    list(threads.map(self._settle_lane, divided))
            yield batch

    def gathering(self, clock: Callable[[], float] = time.monotonic) -> Gathering:
        """Return what gathers the shard's records into batches for `run`: each is delivered at once.

        Args:
            clock: seconds, from any starting point.
        """
        records = self.batch_size * self.parallelization_factor
        return Gathering(Bounds(self.maximum_batching_window, records, self.batch_bytes), clock)

    def _settle_lane(self, records: list[LambdaRecord]) -> None:
        for batch in batches(records, self.batch_size, self.batch_bytes):
            self._settle(batch)

    def _settle(self, batch: list[LambdaRecord]) -> None:
        if exceeds_payload(batch) and not self.deliver_too_large:
            self._give_up(TOO_LARGE, batch, 0)
            return
        # A stack: the second part of a split waits until the first part is settled.
        waiting: list[tuple[list[LambdaRecord], int, int]] = [(batch, 0, 0)]
        while waiting:
            records, retries, invocations = waiting.pop()
            records = self._give_up_aged(records, invocations)
            if not records:
                continue
            first_failed = self._invoke(records, is_last=retries == self.maximum_retry_attempts)
            if first_failed is None:
                continue
            invocations += 1
            left = records[first_failed:]
            if self.bisect_batch_on_function_error and first_failed > 0:
                waiting.append((left, retries, invocations))
            elif self.bisect_batch_on_function_error and len(left) > 1:
                middle = len(left) // 2
                waiting.append((left[middle:], retries, invocations))
                waiting.append((left[:middle], retries, invocations))
            elif retries == self.maximum_retry_attempts:
                self._give_up("RetryAttemptsExhausted", left, invocations)
            else:
                self.sleep(Pauses(self.retry_wait, LONGEST_RETRY_WAIT).after(retries + 1))
                waiting.append((left, retries + 1, invocations))

    def _invoke(self, records: list[LambdaRecord], *, is_last: bool) -> int | None:
        """Call the function; return the index of the first record to deliver again, None if there is none."""
        is_last_delivery = is_last and self.announce_last_delivery
        deadline = self.clock() + self.timeout
        context = LocalContext(self.clock, deadline, is_last_delivery=is_last_delivery)
        try:
            response = self.function({"Records": records}, context)
        except Exception:  # noqa: BLE001 - Lambda delivers the batch again after any exception
            return 0
        return first_failure(response, records) if self.report_batch_item_failures else None

    def _give_up_aged(self, records: list[LambdaRecord], invocations: int) -> list[LambdaRecord]:
        if self.maximum_record_age < 0:
            return records
        oldest = self.clock() - self.maximum_record_age
        aged = [each for each in records if _arrived_before(each, oldest)]
        if not aged:
            return records
        self._give_up("RecordAgeExceeded", aged, invocations)
        return [each for each in records if not _arrived_before(each, oldest)]

    def _give_up(self, condition: DiscardCondition, records: list[LambdaRecord], invocations: int) -> None:
        if self.on_failure is not None:
            self.on_failure(DiscardedBatch(condition, records, invocations))


def first_failure(response: object, records: list[LambdaRecord]) -> int | None:
    """Read a function's response as Lambda does: find the record from which the batch is delivered again.

    Returns:
        The index of the record with the lowest sequence number that was reported; 0, the whole batch, for
        a response that Lambda cannot interpret; None for complete success. A response without
        `batchItemFailures` is a success, whatever else it has.
    """
    if not response:
        return None
    if not isinstance(response, dict):
        return 0
    failures = response.get("batchItemFailures")
    if not failures:
        return None
    index_of: dict[str, int] = {}
    for index, record in enumerate(records):  # a repeated record counts by its first index
        index_of.setdefault(record["kinesis"]["sequenceNumber"], index)
    try:
        return min(index_of[failure["itemIdentifier"]] for failure in failures)
    except (KeyError, TypeError):  # not in the batch, empty, null, or under another name
        return 0


def _arrived_before(record: LambdaRecord, moment: float) -> bool:
    """Tell whether a record is known to have arrived before a moment."""
    arrived = arrival_time(record)
    return arrived is not None and arrived < moment
