"""What parking changes: where a consumer joins a stream in the middle, and where a key of a shard fails.

The event source mapping is our own, with the template's batches, window and retries, and its back-off. Time
is simulated: an invocation takes 10 ms, and 0.1 ms for each record. The handler is the real one, over limits
in memory. So the figures are the same on every machine.

*Joining*: the records are an hour old. Each of the limits, none of which is known, has some changes of
progress, with all figures or without; then each is reset. *Failing*: an hour of changes of many limits, of
which one cannot be changed until the hour is over. What waits is then redriven.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice
from math import ceil
from statistics import quantiles
from typing import Any, NamedTuple

from benchmarks.records import fact, key_of
from benchmarks.results import Figures
from benchmarks.rounds import progress
from kinesis_handler import BusinessError, Event, Key, KinesisHandler, Remarked
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
RIGHT = Decimal(VALUE), Decimal(CHANGES)
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

    reader_name = "UserLimitEventProcessor"

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
        self.numbers = SequenceNumbers()
        self.limits: MemoryRepository[Limit] = MemoryRepository()
        self.quarantine = MemoryQuarantine()
        self.processor = Failing(self.limits, self.clock, park_after)
        self.ages: list[float] = []
        self.counts = dict.fromkeys(Status, 0)
        self.invocations = self.given_up = 0
        self.waited = 0.0
        self.handler = KinesisHandler([self.processor], quarantine=self.quarantine, now=self.clock)
        self.mapping = EventSourceMapping(
            self._invoke,
            batch_size=batch_size,
            maximum_retry_attempts=RETRIES,
            bisect_batch_on_function_error=True,
            on_failure=self._give_up,
            clock=self.clock,
            sleep=self._wait,
        )

    def put(self, events: Iterable[tuple[str, bytes]]) -> Iterator[LambdaRecord]:
        """Yield records that arrive at `arrival`."""
        return put_on_shard(events, clock=lambda: self.arrival, numbers=self.numbers)

    def redrive(self) -> dict[Result, int]:
        """Redrive all that waits, and count what became of it."""
        target = ThroughHandler(self.handler, self.quarantine)
        sent = Redrive([read_contents(self.quarantine)]).run(target)
        last = {entry.position: verdict.result for each in sent for entry, verdict in each}
        return {result: [*last.values()].count(result) for result in Result}

    def _invoke(self, invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
        self.invocations += 1
        self.clock.advance(CALL_SECONDS + RECORD_SECONDS * len(invocation["Records"]))
        result = self.handler.handle(invocation, context)
        for status, number in result.counts().items():
            self.counts[status] += number
        now = self.clock()
        self.ages += (
            now - each.record.source["kinesis"]["approximateArrivalTimestamp"]
            for each in result.applied()
            if self.processor.key(each) != FAILS
        )
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
    joined, failed = {}, {}
    for name, contender in JOINING.items():
        progress(f"joining, {name}")
        joined[name] = joining(contender)
    for name, park_after in PARK_AFTER.items():
        progress(f"failing, {name}")
        failed[name] = failing(park_after, limits)
    return {
        "joining": {"limits": JOINED_LIMITS, "changes": CHANGES, "batch": JOINED_BATCH, "of": joined},
        "failing": {"rate": RATE * limits, "limits": limits, "batch": BATCH, "of": failed},
    }


def joining(contender: Contender, limits: int = JOINED_LIMITS) -> Figures:
    """Let a consumer meet changes of limits that it does not know, and then the reset of each."""
    shard = Shard(contender.park_after, JOINED_BATCH)
    shard.arrival -= HOUR
    changes, resets = _before_and_resets(contender, limits)
    batches = sum(1 for _ in shard.mapping.run(shard.put(changes)))
    right = sum((each.state.value, each.state.progress) == RIGHT for each in shard.limits.scan())
    batches += sum(1 for _ in shard.mapping.run(shard.put(resets)))
    return {
        "batches": batches,
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
    for _ in shard.mapping.run(shard.put(_created(limits))):
        pass
    shard.ages.clear()
    begun, due, taken = shard.clock(), ceil(seconds * rate), 0
    shard.processor.fails_until = begun + seconds

    def changes() -> Iterator[tuple[str, bytes]]:
        for number in range(due):
            shard.arrival = begun + number / rate
            key = key_of(number % limits)
            yield _event("PROGRESS_CHANGED", key, limits + number + 1, amount="1")

    records = shard.put(changes())
    while taken < due:
        shard.clock.advance(max(0.0, begun + taken / rate + WINDOW - shard.clock()))
        batch = min(BATCH, int((shard.clock() - begun) * rate) - taken, due - taken)
        for _ in shard.mapping.run(islice(records, batch)):
            taken += batch
    ages = quantiles(shard.ages, n=100)
    results = shard.redrive()
    [failed] = [each.state for each in shard.limits.scan() if each.key == FAILS]
    return {
        "p50": ages[49],
        "p99": ages[98],
        "longest": max(shard.ages),
        "parked": shard.counts[Status.PARKED],
        "given_up": shard.given_up,
        "applied_by_redrive": results[Result.APPLIED],
        "too_late": results[Result.TOO_LATE],
        "missing": due // limits - int(failed.progress),
    }


def _created(limits: int) -> Iterator[tuple[str, bytes]]:
    for limit in range(limits):
        yield _event("CREATED", key_of(limit), limit + 1, value=f"{VALUE}")


def _before_and_resets(
    contender: Contender, limits: int
) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    changes = []
    for number in range(CHANGES):
        figures = {"previousProgress": f"{number}", "remainingAmount": f"{VALUE - 1 - number}"}
        carried = figures if contender.has_figures else {}
        for limit in range(limits):
            at = number * limits + limit + 1
            changes.append(_event("PROGRESS_CHANGED", key_of(limit), at, amount="1", **carried))
    whole = {
        "type": "BET",
        "period": "DAY",
        "resetAmount": f"{CHANGES}",
        "unusedAmount": f"{VALUE - CHANGES}",
    }
    resets = [_event("RESET", key_of(limit), len(changes) + limit + 1, **whole) for limit in range(limits)]
    return changes, resets


def _event(kind: str, key: Key, number: int, **payload: str) -> tuple[str, bytes]:
    return key[0], fact(f"USER_LIMIT_{kind}", key, number, **payload)
