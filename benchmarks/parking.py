"""What parking changes: where a consumer joins a stream in the middle, and where a key of a shard fails.

The event source mapping is our own, with the template's batches, window and retries, and its back-off. Time
is simulated: an invocation takes 10 ms, and 0.1 ms for each record. The handler is the real one, over limits
in memory. So the figures are the same on every machine.

*Joining*: the records are an hour old. Each of the limits, none of which is known, has some changes of
progress, with all figures or without; then each is reset. *Failing*: an hour of changes of many limits, of
which one cannot be changed until the hour is over. What waits is then redriven.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, count, islice
from math import ceil
from statistics import quantiles
from typing import Any, NamedTuple

from benchmarks.records import fact, key_of
from benchmarks.results import Figures
from benchmarks.rounds import one_by_one
from kinesis_handler import BusinessError, Event, KinesisHandler, Remarked
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping, put_on_shard
from kinesis_handler.local.redrive import Redrive, Result
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.local.shard import SequenceNumbers
from kinesis_handler.outcome import Status
from kinesis_handler.quarantine.contents import read_contents
from kinesis_handler.quarantine.on_failure import failed_batch
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock
from testkit.quarantine import MemoryQuarantine
from user_limits.events import LimitPayload
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

BATCH, WINDOW, RETRIES = 1_000, 1.0, 10
CALL_SECONDS, RECORD_SECONDS = 0.01, 0.0001
JOINED_LIMITS, CHANGES, JOINED_BATCH, VALUE = 200, 4, 100, 1_000_000
HOUR = 3_600.0
RATE = 0.4
"""Changes of a limit, a second."""
PARK_AFTER: dict[str, float | None] = {"parked": 60.0, "not parked": None}
FAILS = key_of(0)


class Contender(NamedTuple):
    """Whether the events carry all figures, and what is done with those that fail."""

    has_figures: bool
    park_after: float | None


JOINING = {
    "with all figures": Contender(has_figures=True, park_after=60.0),
    "without": Contender(has_figures=False, park_after=60.0),
    "without, not parked": Contender(has_figures=False, park_after=None),
}


class Failing(UserLimitEventProcessor):
    """Cannot change one limit until some time."""

    def __init__(self, limits: MemoryRepository[Limit], clock: FakeClock, park_after: float | None) -> None:
        super().__init__(limits, park_after=park_after)
        self.fails_until, self._clock = 0.0, clock

    def apply(self, state: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
        if self._clock() < self.fails_until and self.key(event) == FAILS:
            raise BusinessError("another service refuses it")
        return super().apply(state, event)


class Shard:
    """A shard, its event source mapping, and the handler behind it."""

    def __init__(self, park_after: float | None, batch_size: int) -> None:
        self.clock = FakeClock()
        self.arrival = self.clock()
        self.limits: MemoryRepository[Limit] = MemoryRepository()
        self.quarantine = MemoryQuarantine()
        self.processor = Failing(self.limits, self.clock, park_after)
        self.handler = KinesisHandler([self.processor], quarantine=self.quarantine, now=self.clock)
        self.counts, self.ages = Counter[Status](), list[float]()
        self.batches = self.invocations = self.given_up = 0
        self.waited = 0.0
        self._numbers, self._sequence_numbers = count(1), SequenceNumbers()
        self._mapping = EventSourceMapping(
            self._invoke,
            batch_size=batch_size,
            maximum_retry_attempts=RETRIES,
            bisect_batch_on_function_error=True,
            on_failure=self._give_up,
            clock=self.clock,
            sleep=self._wait,
        )

    def put(self, kind: str, limits: Iterable[int], **payload: object) -> Iterator[LambdaRecord]:
        """Yield the record of an event of each limit, which arrives at `arrival`."""
        keys = map(key_of, limits)
        events = ((key[0], fact(f"USER_LIMIT_{kind}", key, next(self._numbers), **payload)) for key in keys)
        return put_on_shard(events, clock=lambda: self.arrival, numbers=self._sequence_numbers)

    def deliver(self, records: Iterable[LambdaRecord]) -> None:
        """Deliver records until they are settled."""
        self.batches += sum(1 for _ in self._mapping.run(records))

    def redrive(self) -> Counter[Result]:
        """Redrive all that waits, and count what became of it."""
        sent = Redrive([read_contents(self.quarantine)]).run(ThroughHandler(self.handler, self.quarantine))
        last = {entry.position: verdict.result for each in sent for entry, verdict in each}
        return Counter(last.values())

    def _invoke(self, invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
        self.invocations += 1
        self.clock.advance(CALL_SECONDS + RECORD_SECONDS * len(invocation["Records"]))
        result = self.handler.handle(invocation, context)
        self.counts.update(result.counts())
        others = (each for each in result.applied() if self.processor.key(each) != FAILS)
        arrivals = (each.record.source["kinesis"]["approximateArrivalTimestamp"] for each in others)
        self.ages += (self.clock() - arrival for arrival in arrivals)
        return result.response()

    def _give_up(self, discarded: DiscardedBatch) -> None:
        self.given_up += len(discarded.records)
        self.quarantine.keep(*failed_batch(discarded, self.clock()).object())

    def _wait(self, seconds: float) -> None:
        self.waited += seconds
        self.clock.advance(seconds)


def measure(*, full: bool) -> Figures:
    """Return the figures of both."""
    limits = 500 if full else 100
    joined = one_by_one(JOINING, joining)
    failed = one_by_one(PARK_AFTER, partial(failing, limits=limits))
    return {
        "joining": {"limits": JOINED_LIMITS, "changes": CHANGES, "batch": JOINED_BATCH, "of": joined},
        "failing": {"rate": RATE * limits, "limits": limits, "batch": BATCH, "of": failed},
    }


def joining(contender: Contender, limits: int = JOINED_LIMITS) -> Figures:
    """Let a consumer meet changes of limits that it does not know, and then the reset of each."""
    shard, every = Shard(contender.park_after, JOINED_BATCH), range(limits)
    shard.arrival -= HOUR
    before = [{"previousProgress": each, "remainingAmount": VALUE - 1 - each} for each in range(CHANGES)]
    carried = before if contender.has_figures else [{}] * CHANGES
    changes = (shard.put("PROGRESS_CHANGED", every, amount=1, **figures) for figures in carried)
    shard.deliver(chain.from_iterable(changes))
    right = sum(each.state.value == VALUE and each.state.progress == CHANGES for each in shard.limits.scan())
    whole = {"type": "BET", "period": "DAY", "resetAmount": CHANGES, "unusedAmount": VALUE - CHANGES}
    shard.deliver(shard.put("RESET", every, **whole))
    return {
        "batches": shard.batches,
        "invocations": shard.invocations,
        "waited": shard.waited,
        "right_before_resets": right,
        "parked": shard.counts[Status.PARKED],
        "given_up": shard.given_up,
        "known": sum(1 for _ in shard.limits.scan()),
        "still_parked": sum(each.is_parked for each in shard.limits.scan_stored()),
    }


def failing(park_after: float | None, limits: int, seconds: float = HOUR) -> Figures:
    """Deliver changes of limits, one of which fails for all the time; redrive what waits then."""
    shard, rate = Shard(park_after, BATCH), RATE * limits
    shard.deliver(shard.put("CREATED", range(limits), value=VALUE))
    shard.ages.clear()
    begun, due, taken = shard.clock(), ceil(seconds * rate), 0
    shard.processor.fails_until = begun + seconds

    def changed() -> Iterator[int]:
        for number in range(due):
            shard.arrival = begun + number / rate
            yield number % limits

    records = shard.put("PROGRESS_CHANGED", changed(), amount=1)
    while taken < due:
        shard.clock.advance(max(0.0, begun + taken / rate + WINDOW - shard.clock()))
        batch = min(BATCH, int((shard.clock() - begun) * rate) - taken, due - taken)
        shard.deliver(islice(records, batch))
        taken += batch
    ages, longest, results = quantiles(shard.ages, n=100), max(shard.ages), shard.redrive()
    failed = shard.limits.load([FAILS]).found[FAILS].state
    return {
        "p50": ages[49],
        "p99": ages[98],
        "longest": longest,
        "parked": shard.counts[Status.PARKED],
        "given_up": shard.given_up,
        "applied_by_redrive": results[Result.APPLIED],
        "too_late": results[Result.TOO_LATE],
        "missing": due // limits - int(failed.progress),
    }
