"""The world of one run: shards, their mappings, handlers, an operator, and what comes between them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

from kinesis_handler import KinesisHandler
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import EventSourceMapping, LocalContext
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.repository import MovingRepository
from kinesis_handler.outcome import BatchResult
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock
from simulation.bank import Account, Accounts, Journal, Troubles
from simulation.faults import Fault, Place, Plan
from simulation.move import Move
from simulation.operator import redrive, remove_objects, waits_for_release
from simulation.stream import Sent, Shard, shards_of
from simulation.wire import Quarantine, Wire, remembering

if TYPE_CHECKING:
    from kinesis_handler.processor import EventProcessor

TIMEOUT = 60.0
LITTLE_TIME = 1.0, 1.2
"""Seconds of a short invocation; the handler has one of them in reserve."""
RETRY_WAIT = 5
"""Seconds before the first retry; twice as many before each further one."""
LONGEST_OUTAGE = 60
BATCHES_LATER = 4
"""How many batches are settled while a handler is held up."""
HANDLERS = 3
DEEPEST = 2
"""How many handlers may be interrupted at once, each within the other."""
ROUNDS = 30  # redrives until nothing waits


class KilledError(BaseException):
    """Lambda ends the process. No handler can catch that."""


class World:
    """Delivers a stream to several handlers while the faults of a plan occur.

    Args:
        seed: of everything that is drawn, but for the faults in `only`.
        events: what the producer sends.
        only: the faults that occur; None to draw them.
        make_repository: makes the stores.
    """

    def __init__(
        self,
        seed: int,
        events: Sequence[Sent],
        only: dict[Place, Fault] | None = None,
        make_repository: Callable[[], Repository[Account]] = MemoryRepository,
    ) -> None:
        self.clock = FakeClock()
        self.plan = Plan(seed, only)
        self.events = events
        self.shards = shards_of(events)
        self.outcomes: Counter[str] = Counter()
        self.deliveries = 0
        self.problems: list[str] = []
        """What is wrong for any records."""
        random = Random(f"{seed}/world")
        self._turns = Random(f"{seed}/turns")
        self._batch_size = random.choice((20, 100, 300))
        self._slice_size = random.choice((10, 50, 1_000))
        self._park_after = random.choice((0.0, 5.0, 60.0))
        failing = [(name, each) for each in events for name in each.failing]
        self.troubles = Troubles({(name, each.event_id): each.rejects for name, each in failing})
        self.quarantine = Quarantine(self.plan, self._interrupt)
        self.journal = make_repository()
        sides = {side: make_repository() for side in Side}
        self.move = Move(sides, random.choice(list(Phase)), HANDLERS + 1)
        """The last handler is that of the redrives."""
        self._down_until = 0.0
        self._depth = 0
        self._current: tuple[list[LambdaRecord], Shard] | None = None
        """What a mapping delivers at the moment."""
        self._held_up_in = 0
        """After how many more requests the handler at work is held up; 0 for never."""
        self._handlers = [self._make(number) for number in range(HANDLERS + 1)]
        self._mappings: dict[str, Iterator[list[LambdaRecord]]] = {
            shard.name: self._mapping(shard) for shard in self.shards
        }

    def run(self) -> None:
        """Deliver everything, then mend everything, and redrive until nothing waits."""
        while self._go_on():
            self._turn()
        self.plan.is_off = True
        self._down_until = 0
        self.move.all_see_the_phase()
        for each in list(self.troubles.failing):
            self.troubles.mend(each)
        for _ in range(ROUNDS):
            self._redrive()
            if not (self.parked_keys() or waits_for_release(self.quarantine)):
                break
        else:
            self.problems.append(f"after {ROUNDS} redrives something still waits, or is parked")

    def parked_keys(self) -> list[str]:
        """Return the keys that have a note, each with the name of its store."""
        stores = {"journal": self.journal, "accounts": self.move.deciding}
        return [
            f"{name} {'/'.join(each.key)}"
            for name, store in stores.items()
            for each in store.scan_stored()
            if each.is_parked
        ]

    def _make(self, number: int) -> KinesisHandler:
        sides = {side: self._wire(each) for side, each in self.move.sides.items()}
        moving: MovingRepository[Account] = MovingRepository(sides, lambda: self.move.seen[number])
        options = (self.troubles, self._perhaps_fail, self._slice_size, self._park_after)
        readers: list[EventProcessor] = [
            Accounts(moving, *options),
            Journal(remembering(self._wire(self.journal), self.plan.seed), *options),
        ]
        return KinesisHandler(readers, quarantine=self.quarantine, clock=self.clock, now=self.clock)

    def _wire(self, repository: Repository[Account]) -> Wire[Account]:
        return Wire(repository, self.plan, self._interrupt, self._is_down, self._pass_time)

    def _is_down(self) -> bool:
        return self.clock.now < self._down_until

    def _pass_time(self, seconds: float) -> None:
        """Let a request take its time, in which the stream goes on if its handler is held up here."""
        self.clock.advance(seconds)
        if self._held_up_in:
            self._held_up_in -= 1
            if not self._held_up_in:
                current = self._current
                self._depth += 1
                for _ in range(BATCHES_LATER):
                    self._go_on()
                self._depth -= 1
                self._current = current

    def _perhaps_fail(self) -> None:
        if self.plan.at("apply") is not None:
            raise ConnectionError("injected: a service that the processor asks is down")

    def _mapping(self, shard: Shard) -> Iterator[list[LambdaRecord]]:
        mapping = EventSourceMapping(
            lambda invocation, context: self._invoke(shard, invocation, context),
            batch_size=self._batch_size,
            bisect_batch_on_function_error=True,
            timeout=TIMEOUT,
            retry_wait=RETRY_WAIT,
            clock=self.clock,
            sleep=self.clock.advance,
        )
        return mapping.run(self._arriving(shard))

    def _arriving(self, shard: Shard) -> Iterator[LambdaRecord]:
        for record in shard.records:
            self._arrive(record)
            yield record

    def _arrive(self, record: LambdaRecord) -> None:
        kinesis = record["kinesis"]
        if not kinesis["approximateArrivalTimestamp"]:
            kinesis["approximateArrivalTimestamp"] = self.clock.now

    def _go_on(self) -> bool:
        """Settle a batch of a shard; return whether there was one."""
        shards = [each for each in self.shards if each.is_open]
        if not shards:
            return False
        shard = self._turns.choice(shards)
        shard.busy = True
        try:
            batch = next(self._mappings[shard.name])
        finally:
            shard.busy = False
        shard.settled += len(batch)
        return True

    def _invoke(self, shard: Shard, invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
        fault = self.plan.at("invoke")
        if fault is Fault.NOT_INVOKED:
            raise TimeoutError("injected: the handler was not called")
        if fault is Fault.LITTLE_TIME:
            context = self._context(self.plan.random().uniform(*LITTLE_TIME))
        self._current = invocation["Records"], shard
        try:
            result = self._handle(invocation["Records"], context)
        except KilledError:
            raise TimeoutError("injected: the invocation was killed") from None
        if fault is Fault.ANSWER_LOST:
            raise TimeoutError("injected: the answer is lost")
        return result.response()

    def _handle(self, records: list[LambdaRecord], context: LambdaContext) -> BatchResult:
        self.deliveries += 1
        handler = self._handlers[self.deliveries % HANDLERS]
        result = handler.handle({"Records": records}, context)
        self.outcomes.update({status.value: count for status, count in result.counts().items() if count})
        if sum(result.counts().values()) != len(result):
            self.problems.append(f"the counts do not add up: {result.counts()} of {len(result)} records")
        failed = [each["itemIdentifier"] for each in result.response()["batchItemFailures"]]
        if failed:
            named = set(failed)
            numbers = [each["kinesis"]["sequenceNumber"] for each in records]
            if failed != [each for each in numbers if each in named]:
                self.problems.append(f"an answer names other records than its batch has: {failed}")
        return result

    def _context(self, seconds: float) -> LocalContext:
        return LocalContext(self.clock, self.clock() + seconds)

    def _interrupt(self, fault: Fault) -> None:
        """Do what a fault means in the middle of a request."""
        if fault is Fault.KILLED:
            raise KilledError
        if fault is Fault.STORE_DOWN:
            self._down_until = self.clock() + self.plan.random().uniform(1, LONGEST_OUTAGE)
            return
        if self._depth >= DEEPEST:
            return
        self._depth += 1
        current = self._current
        with suppress(KilledError):
            self._come_in_between(fault)
        self._depth -= 1
        self._current = current

    def _come_in_between(self, fault: Fault) -> None:
        random = self.plan.random()
        match fault:
            case Fault.SECOND if self._current is not None:
                self._handle(self._current[0], self._context(TIMEOUT))
            case Fault.EARLIER if self._current is not None:
                self._take_earlier(self._current[1], random)
            case Fault.OTHER_SHARD:
                self._go_on()
            case Fault.REDRIVE:
                self._redrive()
            case Fault.REMOVAL:
                remove_objects(self.quarantine)
            case Fault.PHASE:
                self.move.step(random, all_stopped=self._depth == 0)

    def _take_earlier(self, shard: Shard, random: Random) -> None:
        """Deliver records that may have been settled long ago, and some that are being delivered."""
        start = max(shard.settled - random.randint(0, 2 * self._batch_size), 0)
        records = shard.records[start : start + random.randint(1, 2 * self._batch_size)]
        for record in records:
            self._arrive(record)
        if records:
            self._handle(records, self._context(TIMEOUT))

    def _turn(self) -> None:
        """Do what occurs between two batches."""
        fault = self.plan.at("turn")
        if fault is None:
            return
        random = self.plan.random()
        with suppress(KilledError):
            match fault:
                case Fault.REDRIVE:
                    self._redrive()
                case Fault.REMOVAL:
                    remove_objects(self.quarantine)
                case Fault.MEND:
                    failing = sorted(self.troubles.failing)
                    for each in random.sample(failing, -(-len(failing) // 3)):
                        self.troubles.mend(each)
                case Fault.PHASE:
                    self.move.step(random, all_stopped=self._depth == 0)
                case Fault.COPY:
                    self.move.copy()
                case Fault.HELD_UP:
                    self._held_up_in = random.randint(1, 4)
                    self._take_earlier(random.choice([each for each in self.shards if each.is_begun]), random)
                case Fault.REWIND:
                    self._take_earlier(random.choice([each for each in self.shards if each.is_begun]), random)

        self._held_up_in = 0

    def _redrive(self) -> None:
        current, self._current = self._current, None
        try:
            redrive(self._handlers[-1], self.quarantine, self.clock)
        finally:
            self._current = current
