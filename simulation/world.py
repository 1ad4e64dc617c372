"""The world of one run: a stream, its handlers, an operator, and what comes between them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from kinesis_handler import KinesisHandler
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.moving.phase import Phase
from kinesis_handler.quarantine.entry import Position
from kinesis_handler.stores import Repository
from kinesis_handler.stores.expiry import VACANT_TTL
from kinesis_handler.testing import FakeClock
from simulation.application import Application
from simulation.delivery import Delivery
from simulation.deployment import HANDLERS, Deployment
from simulation.faults import Fault, Place, Plan
from simulation.invocation import Invocations, KilledError
from simulation.operator import redrive, remove_objects, waiting_for_all, waiting_records
from simulation.stores import MakeRepository, Rebuild, any_phase, in_memory
from simulation.stream import Sent, Shard, shards_of
from simulation.tally import Tally
from simulation.troubles import Options, Troubles
from simulation.wire import Wire

LONGEST_OUTAGE = 60
BATCHES_LATER = 4
"""How many batches are settled while a handler is held up."""
BATCHES_OF_REBUILD = 2
"""How many batches a rebuild settles between two of the stream."""
MOST_REBUILDS = 2
"""Each begins with the oldest record: as many as a longer run has turns for would take most of its time."""
EARLIER = 80
"""Most records that come again out of turn."""
DEEPEST = 2
"""How many handlers may be interrupted at once, each within the other."""
ROUNDS = 30  # redrives until nothing changes any more
TTL = VACANT_TTL
"""Seconds for which states last, in the seeds in which they expire: longer than all else lasts."""


class World:
    """Delivers a stream to several handlers while the faults of a plan occur.

    Args:
        seed: of everything that is drawn, but for the faults in `only`.
        application: what is simulated.
        events: what the producer sends.
        only: the faults that occur; None to draw them.
        make_repository: makes the stores.
    """

    def __init__(
        self,
        seed: int,
        application: Application,
        events: Sequence[Sent],
        only: dict[Place, Fault] | None = None,
        make_repository: MakeRepository = in_memory,
    ) -> None:
        self.application = application
        self.clock = FakeClock()
        self.plan = Plan(seed, only, may_expire=application.may_expire)
        self.events = events
        self.shards = shards_of(events)
        self.tally = Tally()
        self._invocations = Invocations(self.plan, self.clock, self.tally)
        self.days: list[dict[str, int]] = []
        """For each time that all that was stored had expired, how many records of each shard were settled."""
        self._left = set[Position]()
        """What is redriven no more: it names no reader, and some of it had expired."""
        self.parked_on: dict[int, dict[str, set[tuple[str, str]]]] = {}
        """For each of these times, from 1, the keys that were parked, by reader: they did not expire."""
        random = Random(f"{seed}/world")
        self._turns = Random(f"{seed}/turns")
        self._batch_size = random.choice((20, 100, 300))
        slice_size, park_after = random.choice((10, 50, 1_000)), random.choice((0.0, 5.0, 60.0))
        failing = [(name, each) for each in events for name in each.failing]
        self.troubles = Troubles({(name, each.event_id): each.rejects for name, each in failing})
        self._deployment = Deployment(
            application=application,
            plan=self.plan,
            clock=self.clock,
            options=Options(self.troubles, self._perhaps_fail, slice_size, park_after),
            make_repository=make_repository,
            ttl=TTL if self.plan.expires else 0,
            wire=self._wire,
            interrupt=self._interrupt,
        )
        self.stores = self._deployment.stores(any_phase(random))
        self._down_until = 0.0
        self._depth = 0
        self._current: tuple[list[LambdaRecord], Shard] | None = None
        """What a mapping delivers at the moment."""
        self._held_up_in = 0
        """After how many more requests the handler at work is held up; 0 for never."""
        self._handlers = self._deployment.handlers(self.stores)
        self._delivery = Delivery(self.shards, self._invoke, self._batch_size, self.clock)
        self._rebuild: Rebuild | None = None
        self._rebuilds = 0

    def run(self) -> None:
        """Deliver everything, then mend everything, and redrive until nothing changes any more."""
        while self._delivery.go_on(self._turns):
            self._turn()
        self.plan.is_off = True
        self._down_until = 0
        if self._rebuild is not None:
            self._switch(self._rebuild)
        self.stores.move.all_see_the_phase()
        for each in list(self.troubles.failing):
            self.troubles.mend(each)
        self._redrive_all()

    def _redrive_all(self) -> None:
        """Redrive until nothing changes any more."""
        before: object = None
        for _ in range(ROUNDS):
            self._redrive()
            after = self.stores.parked(), waiting_records(self.stores.quarantine)
            if after == before:
                return
            before = after
        self.tally.problems.append(f"after {ROUNDS} redrives the next one still changes something")

    def _wire(self, repository: Repository[Any]) -> Wire[Any]:
        return Wire(repository, self.plan, self._interrupt, self._is_down, self._pass_time)

    def _is_down(self) -> bool:
        return self.clock.now < self._down_until

    def _pass_time(self, seconds: float) -> None:
        """Let a request take its time, in which the stream goes on if its handler is held up here."""
        self.clock.advance(seconds)
        if self._held_up_in:
            self._held_up_in -= 1
            if not self._held_up_in:
                with self._in_between():
                    for _ in range(BATCHES_LATER):
                        self._delivery.go_on(self._turns)

    def _perhaps_fail(self) -> None:
        if self.plan.at("apply") is not None:
            raise ConnectionError("injected: a service that the processor asks is down")

    def _invoke(self, shard: Shard, invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
        self._current = invocation["Records"], shard
        return self._invocations.invoke(self._next(), invocation["Records"], context)

    def _interrupt(self, fault: Fault) -> None:
        """Do what a fault means in the middle of a request."""
        if fault is Fault.KILLED:
            raise KilledError
        if fault is Fault.STORE_DOWN:
            self._down_until = self.clock() + self.plan.random().uniform(1, LONGEST_OUTAGE)
            return
        if self._depth < DEEPEST:
            with suppress(KilledError), self._in_between():
                self._come_in_between(fault)

    @contextmanager
    def _in_between(self) -> Iterator[None]:
        """Let others go on, and then the handler at work."""
        current = self._current
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._current = current

    @contextmanager
    def _in_no_batch(self) -> Iterator[None]:
        """Do what no mapping delivers: no second handler can take its records."""
        current, self._current = self._current, None
        try:
            yield
        finally:
            self._current = current

    def _come_in_between(self, fault: Fault) -> None:
        random = self.plan.random()
        match fault:
            case Fault.SECOND if self._current is not None:
                self._invocations.invoke_once(self._next(), self._current[0])
            case Fault.EARLIER if self._current is not None:
                self._take_earlier(self._current[1], random)
            case Fault.OTHER_SHARD:
                self._delivery.go_on(self._turns)
            case Fault.REDRIVE:
                self._redrive(random)
            case Fault.REMOVAL:
                remove_objects(self.stores.quarantine)
            case Fault.PHASE:
                self.stores.move.step(random, all_stopped=self._depth == 0)

    def _take_earlier(self, shard: Shard, random: Random) -> None:
        """Deliver records that may have been settled long ago, or are being delivered."""
        oldest = self.days[-1][shard.name] if self.days else 0  # what has expired would be applied again
        settled = self._delivery.settled[shard.name]
        start = max(settled - random.randint(0, 2 * self._batch_size), oldest)
        end = settled + (len(self._current[0]) if self._current is not None else 0)
        count = random.randint(1, min(2 * self._batch_size, EARLIER))
        end = min(start + count, end, len(shard.sent))
        records = [shard.deliver(index, self.clock.now) for index in range(start, end)]
        if records:
            self._invocations.invoke_once(self._next(), records)

    def _next(self) -> KinesisHandler:
        return self._handlers[self._invocations.handled % HANDLERS]

    def _turn(self) -> None:
        """Do what occurs between two batches."""
        if self._rebuild is not None:
            for _ in range(BATCHES_OF_REBUILD):
                self._rebuild.delivery.go_on(self._turns)
        fault = self.plan.at("turn")
        if fault is None:
            return
        random = self.plan.random()
        with suppress(KilledError):
            if fault is Fault.HELD_UP:
                self._held_up_in = random.randint(1, 4)
            if fault in {Fault.HELD_UP, Fault.REWIND}:
                self._take_earlier(random.choice(self._delivery.begun()), random)
            elif fault in {Fault.REDRIVE, Fault.REMOVAL, Fault.PHASE}:
                self._come_in_between(fault)
            else:
                self._operate(fault, random)
        self._held_up_in = 0

    def _operate(self, fault: Fault, random: Random) -> None:
        """Do what an operator does only between two batches."""
        match fault:
            case Fault.MEND:
                failing = sorted(self.troubles.failing)
                for each in random.sample(failing, -(-len(failing) // 3)):
                    self.troubles.mend(each)
            case Fault.COPY:
                self.stores.move.copy()
            case Fault.EXPIRED:
                self._expire()
            case Fault.REBUILD if self._rebuild is not None:
                self._switch(self._rebuild)
            case Fault.REBUILD if self._rebuilds < MOST_REBUILDS:
                self._rebuild = self._begin_rebuild()

    def _redrive(self, random: Random | None = None) -> None:
        """Redrive some of what waits, or all of it, whatever is under way."""
        with self._in_no_batch():
            redrive(self._handlers[-1], self.stores.quarantine, self.clock, self._left, random)

    def _expire(self) -> None:
        """Let all that is stored expire, but for parked keys. What waits may be redriven after that.

        As G10 asks for, an operator has redriven before: by then a record that is in the quarantine, and of
        which its key has no note, may have been applied, which an expired state does not say any more. And
        what names no reader is not redriven after that: who had applied a part of it would do so again.
        """
        self.plan.is_off = True
        self.stores.move.all_see_the_phase()
        self._redrive_all()
        self._left |= waiting_for_all(self.stores.quarantine)
        self.plan.is_off = False
        self.days.append(dict(self._delivery.settled))
        self.parked_on[len(self.days)] = self.stores.parked()
        self.clock.advance(TTL + 1)
        self.stores.move.remove_leftovers()

    def _begin_rebuild(self) -> Rebuild:
        """Begin to fill new stores, with a quarantine of their own, from the oldest record."""
        self._rebuilds += 1
        stores = self._deployment.stores(Phase.SOURCE)
        handler = self._deployment.handler(stores, 0)

        def invoke(_: Shard, invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
            with self._in_no_batch():
                return self._invocations.invoke(handler, invocation["Records"], context)

        return Rebuild(stores, Delivery(self.shards, invoke, self._batch_size, self.clock))

    def _switch(self, rebuild: Rebuild) -> None:
        """Let the handlers go on with new stores and their quarantine, when these have all that was settled.

        They do not run meanwhile: what they settled in between would be missing from the new stores.
        """
        while not rebuild.delivery.has_reached(self._delivery):
            rebuild.delivery.go_on(self._turns)
        self.stores = rebuild.stores
        self._handlers = self._deployment.handlers(self.stores)
        self._rebuild = None
