"""One shard: the mapping that delivers its records, invocations that fail, handlers that interrupt."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from random import Random
from typing import Any

from chaos.connection import FaultyConnection
from chaos.faults import Fault, FaultPlan
from chaos.handlers import Handlers
from kinesis_handler.errors import QuarantineError
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping, LocalContext
from kinesis_handler.outcome import BatchResult, Status
from kinesis_handler.testing import FakeClock

FEWEST_BATCHES, MOST_BATCHES = 8, 40
SMALLEST_BATCH, LARGEST_BATCH = 20, 400
"""Records of a batch. Within these, runs of any length have similarly many batches, and so outages."""

RETRIES = 4
RETRY_WAIT = 10
"""Seconds before the first retry: the last one comes after 130, when any outage is over."""

TIMEOUT = 60.0
LITTLE_TIME = 0.9, 1.3
"""Seconds of a short invocation. The handler has one of them in reserve."""

SECOND_RATE = 0.1
"""Probability that a second handler interrupts a delivery."""
STALE_RATE = 0.15
"""Probability that a handler is held up with a batch while the mapping delivers it again, and later ones."""
REDRIVE_RATE = 0.25
"""Probability that what is parked is redriven before a batch."""
OLD_RATE = 0.2
"""Probability that a record is an hour old when it is delivered first, as after a stop of the consumer."""
MOST_EARLIER = 50
"""Records before those of a delivery that a second handler gets as well."""
MOST_BATCHES_LATER = 4
MOST_REQUESTS_BEFORE = 3


class KilledError(BaseException):
    """Lambda ends the process. No handler can catch that."""


class Shard:
    """Delivers the records of a shard, and stores their outcomes.

    Args:
        records: in stream order.
        random: random numbers for this shard only.
        handlers: creates handlers.
        connection: the connection on which handlers can be interrupted.
        plan: decides which faults there are at the moment.
        clock: clock of the run.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one for each part of a run
        self,
        records: list[LambdaRecord],
        random: Random,
        handlers: Handlers,
        connection: FaultyConnection,
        plan: FaultPlan,
        clock: FakeClock,
    ) -> None:
        self.records = records
        self.deliveries = self.batches = 0
        self.outcomes: Counter[Status] = Counter()
        self.given_up: list[str] = []
        self.problems: list[str] = []
        """Faults that are wrong for any records."""
        self._random = random
        self._handlers = handlers
        self._connection = connection
        self._plan = plan
        self._clock = clock
        self._handler = handlers.make()
        size = len(records) // random.randint(FEWEST_BATCHES, MOST_BATCHES)
        self._batch_size = min(max(size, SMALLEST_BATCH), LARGEST_BATCH)
        self._settled = self._arrived = 0
        self._open: dict[tuple[str, int], Status] = {}
        mapping = EventSourceMapping(
            self._invoke,
            batch_size=self._batch_size,
            maximum_retry_attempts=RETRIES,
            bisect_batch_on_function_error=True,
            on_failure=self._give_up,
            timeout=TIMEOUT,
            retry_wait=RETRY_WAIT,
            clock=clock,
            sleep=clock.advance,
        )
        self._settle = mapping.run(records)

    @property
    def done(self) -> bool:
        """Whether all records are settled."""
        return self._settled == len(self.records)

    def go_on(self) -> int:
        """Settle a batch, sometimes several; return how many events they had."""
        before = self.outcomes.total()
        if self._random.random() < STALE_RATE:
            self._hold_up()
        if self._random.random() < REDRIVE_RATE:
            self._redrive()
        if not self.done:
            self._next_batch()
        return self.outcomes.total() - before

    def _next_batch(self) -> None:
        self._plan.batch_begins()
        self._arrive(self._settled + self._batch_size)
        self._settled += len(next(self._settle))
        self.batches += 1
        self.outcomes.update(self._open.values())
        self._open.clear()

    def _hold_up(self) -> None:
        """Give the next records to a handler that is held up, and continues when they are long settled."""
        # Its mapping may have cut the stream differently.
        end = self._settled + self._random.randint(1, self._batch_size)
        self._arrive(end)
        batch = self.records[self._settled : end]
        later = self._random.randint(1, MOST_BATCHES_LATER)

        def meanwhile() -> None:
            self._plan.count(Fault.STALE)
            for _ in range(later):
                if not self.done:
                    self._next_batch()

        with self._somewhere(meanwhile):
            self._handlers.make().handle({"Records": batch}, self._context(self._random.choice((1, 1e9))))

    def _arrive(self, end: int) -> None:
        """Let the records before an index have arrived by now."""
        for record in self.records[self._arrived : end]:
            age = 3_600 if self._random.random() < OLD_RATE else 0
            record["kinesis"]["approximateArrivalTimestamp"] = self._clock() - age
        self._arrived = max(self._arrived, end)

    def _redrive(self) -> None:
        """Redrive what is parked: undisturbed, held up while batches are delivered, or killed."""
        fault = self._random.choice((Fault.REDRIVE, Fault.REDRIVE_STALE, Fault.REDRIVE_KILLED))
        later = self._random.randint(1, MOST_BATCHES_LATER)

        def meanwhile() -> None:
            self._plan.count(fault)
            if fault is Fault.REDRIVE_KILLED:
                raise KilledError
            for _ in range(later):
                if not self.done:
                    self._next_batch()

        with suppress(KilledError, QuarantineError, ConnectionError):
            if fault is Fault.REDRIVE:
                self._plan.count(fault)
                self._handlers.redrive()
                return
            with self._somewhere(meanwhile):
                self._handlers.redrive()

    def _invoke(self, invocation: dict[str, Any], _context: LambdaContext) -> BatchResponse:
        self.deliveries += 1
        plan, random = self._plan, self._random
        plan.delivery_begins()
        if plan.strikes(Fault.NOT_INVOKED, random):
            raise TimeoutError("injected: the handler was not called")
        little = plan.strikes(Fault.LITTLE_TIME, random)
        context = self._context(random.uniform(*LITTLE_TIME) if little else TIMEOUT)
        records = invocation["Records"]
        if plan.rates.get(Fault.KILLED, 0) > random.random():
            result = self._killed(records, context)
        elif random.random() < SECOND_RATE:
            with self._somewhere(lambda: self._handle_too(records)):
                result = self._handle(records, context)
        else:
            result = self._handle(records, context)
        if plan.strikes(Fault.ANSWER_LOST, random):
            raise TimeoutError("injected: the answer is lost")
        return result.response()

    def _handle(self, records: list[LambdaRecord], context: LocalContext) -> BatchResult:
        result = self._handler.handle({"Records": records}, context)
        self._check(records, result)
        for handled in result:
            position = handled.record.sequence_number, handled.record.sub_sequence_number
            if self._open.get(position, Status.FAILED) is Status.FAILED:
                self._open[position] = handled.outcome.status
        return result

    def _killed(self, records: list[LambdaRecord], context: LocalContext) -> BatchResult:
        """Handle the records, and end in the middle of a request unless there are too few requests."""

        def kill() -> None:
            self._plan.count(Fault.KILLED)
            raise KilledError

        try:
            with self._somewhere(kill):
                return self._handle(records, context)
        except KilledError:
            self._handler = self._handlers.make()
            raise TimeoutError("injected: the invocation was killed") from None

    def _handle_too(self, records: list[LambdaRecord]) -> None:
        """Let another handler process the same records, and perhaps some before them."""
        self._plan.count(Fault.SECOND)
        number = records[0]["kinesis"]["sequenceNumber"]
        start = next(
            index
            for index in range(self._settled, len(self.records))
            if self.records[index]["kinesis"]["sequenceNumber"] == number
        )
        earlier = self.records[max(start - self._random.randint(0, MOST_EARLIER), 0) : start]
        self._handlers.make().handle({"Records": [*earlier, *records]}, self._context(TIMEOUT))

    def _somewhere(self, action: Callable[[], None]) -> AbstractContextManager[None]:
        """Run an action in the middle of one of the next requests."""
        return self._connection.interrupted(
            action,
            requests_before=self._random.randint(0, MOST_REQUESTS_BEFORE),
            when_done=self._random.choice((True, False)),
        )

    def _context(self, seconds: float) -> LocalContext:
        return LocalContext(self._clock, self._clock() + seconds)

    def _give_up(self, batch: DiscardedBatch) -> None:
        self.given_up += [record["kinesis"]["sequenceNumber"] for record in batch.records]

    def _check(self, records: list[LambdaRecord], result: BatchResult) -> None:
        """Check a response: the counts add up, and the identifiers are of this batch, in order."""
        if sum(result.counts().values()) != len(result):
            self.problems.append(f"the counts do not add up: {result.counts()} of {len(result)} records")
        numbers = [record["kinesis"]["sequenceNumber"] for record in records]
        identifiers = [failure["itemIdentifier"] for failure in result.response()["batchItemFailures"]]
        named = set(identifiers)
        if identifiers != [number for number in numbers if number in named]:
            self.problems.append(
                f"an answer names other records than its batch has, or in another order: {identifiers}"
            )
