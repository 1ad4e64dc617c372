"""G10: order outlives the last retry. What is parked is overtaken by nothing, and released in its order."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import Account, Accounts, Closed, Moved, accounts_of, expected, movements, records_of
from kinesis_handler import BusinessError, Deleted, Event, Key, KinesisHandler, RejectedError
from kinesis_handler.errors import QuarantineError
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.redrive import Redrive, Sent
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, FaultyRepository
from redrive.waiting import MemoryQuarantine
from testkit.tables import Tables

MakeRepository = Callable[[], Repository[Account]]
STORES = {"memory": 150, "sqlite": 20, "dynamodb": 8}
"""Each store, and how many examples its speed allows."""
PARK_AFTER, EVENTS = 10.0, 20


@pytest.fixture(scope="module")
def stores(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> dict[str, MakeRepository]:
    folder, numbers = tmp_path_factory.mktemp("parking"), count()
    return {
        "memory": MemoryRepository,
        "sqlite": lambda: SQLiteRepository(folder / f"{next(numbers)}.db", Account),
        "dynamodb": lambda: tables.repository(Account),
    }


class Breaking(Accounts):
    """Fails at some movements until they are mended, rejects others; each event is asked for once."""

    def __init__(self, repository: Repository[Account], **options: Any) -> None:
        super().__init__(repository, **options)
        self.failing: set[str] = set()
        self.rejecting: set[str] = set()
        self.snapshots: set[str] = set()

    def apply(self, state: Account | None, event: Event[Moved | Closed]) -> Account | Deleted:
        if event.id in self.failing:
            raise BusinessError(f"{event.id} cannot be applied yet")
        if event.id in self.rejecting:
            raise RejectedError(f"{event.id} never can")
        if event.id in self.snapshots and isinstance(event.payload, Moved):
            return Account((event.payload.number,))
        return super().apply(state, event)

    def is_snapshot(self, event: Event[Moved | Closed], state: Account | None) -> bool:
        return event.id in self.snapshots and (state is None or len(state.movements) < EVENTS)


class Killed(BaseException):
    """The process is no more."""


class Interrupted(FaultyRepository[Account]):
    """A repository before whose calls, and after whose writes, something may happen."""

    def __init__(self, repository: Repository[Account], interrupt: Callable[[], None]) -> None:
        super().__init__(repository, Random(0), budget=0)
        self._perhaps_fail_to_read = self._perhaps_fail_to_write = interrupt  # type: ignore[method-assign]


class World:
    """A stream, a live handler and those before it, redrives, and all that goes wrong around them."""

    def __init__(
        self, repository: Repository[Account], seed: int, *, numbered: bool, snapshots: float = 0
    ) -> None:
        self.random = random = Random(seed)
        self.clock = FakeClock()
        self.events = list(movements(random, EVENTS, numbered=numbered))
        self.records = records_of(self.events)
        for record in self.records:
            record["kinesis"]["approximateArrivalTimestamp"] = self.clock()
        self.repository = repository
        self.quarantine = MemoryQuarantine()
        self.quarantine.before = self.quarantine.after = self._perhaps_fail
        self.acknowledged, self.interruptions, self.depth = 0, 12, 0
        inner = Interrupted(FaultyRepository(repository, random, rate=0.1, budget=6), self._interrupt)
        self.accounts = Breaking(inner, park_after=PARK_AFTER)
        ids = [each["eventId"] for each in self.events]
        self.accounts.failing = {each for each in ids if random.random() < 0.25}
        self.accounts.snapshots = {each for each in ids if random.random() < snapshots}
        self.parked = 0
        self.handler = KinesisHandler([self.accounts], quarantine=self.quarantine, now=self.clock)

    def deliver_all(self) -> None:
        """Deliver the stream until all of it is acknowledged, some of it more than once."""
        start, rounds = 0, 0
        while start < len(self.records):
            rounds += 1
            assert rounds < 1_000, "the same records fail for ever"
            size = self.random.randint(1, 6)
            start += self._deliver(self.records[start : start + size])
            self.acknowledged = max(self.acknowledged, start)
            self.clock.advance(self.random.random() * 6)
            if self.random.random() < 0.2:
                self._redrive()
            if self.random.random() < 0.2:
                self._mend()
            if self.random.random() < 0.1:
                start = self.random.randrange(start + 1)

    def release_all(self) -> None:
        """Mend everything, and redrive until nothing waits."""
        while self.accounts.failing:
            self._mend()
        self.interruptions = 0
        for _ in range(20):
            waiting = waiting_in([read_contents(self.quarantine)]).values()
            if all(each.entry.released for each in waiting) and not self.parked_keys():
                break
            self._redrive()

    def parked_keys(self) -> list[Key]:
        """Return the keys that have a note."""
        return [each.key for each in self.repository.scan_stored() if each.is_parked]

    def applicable(self) -> list[dict[str, Any]]:
        """Return the events that can be applied in the end."""
        return [each for each in self.events if each["eventId"] not in self.accounts.rejecting]

    def _deliver(self, records: list[LambdaRecord]) -> int:
        """Return how many of the records are acknowledged, from the first on."""
        try:
            result = self.handler.handle({"Records": records})
        except Killed:
            return 0
        self.parked += result.counts()["parked"]  # type: ignore[index]  # a Status is a str
        failed = result.response()["batchItemFailures"]
        numbers = [each["kinesis"]["sequenceNumber"] for each in records]
        return min((numbers.index(each["itemIdentifier"]) for each in failed), default=len(records))

    def _redrive(self) -> None:
        with suppress(Killed, QuarantineError):
            redrive(self.handler, self.quarantine)

    def _mend(self) -> None:
        if self.accounts.failing:
            mended = self.random.choice(sorted(self.accounts.failing))
            self.accounts.failing.remove(mended)
            if self.random.random() < 0.2:
                self.accounts.rejecting.add(mended)

    def _interrupt(self) -> None:
        """Let another handler or redrive come in between, or end this one."""
        if self.interruptions == 0 or self.depth > 1 or self.random.random() > 0.12:
            return
        self.interruptions -= 1
        self.depth += 1
        try:
            match self.random.randrange(3):
                case 0:
                    raise Killed
                case 1:
                    self._redrive()
                case _:
                    first = self.random.randrange(self.acknowledged + 1)  # a zombie has what came before
                    self._deliver(self.records[first : first + self.random.randint(1, 6)])
        finally:
            self.depth -= 1

    def _perhaps_fail(self, _name: str) -> None:
        if self.interruptions and self.random.random() < 0.15:
            self.interruptions -= 1
            raise QuarantineError("injected: the quarantine is down")


def redrive(handler: KinesisHandler, quarantine: MemoryQuarantine) -> list[Sent]:
    return list(Redrive([read_contents(quarantine)]).run(ThroughHandler(handler, quarantine)))


@pytest.mark.parametrize("store", STORES)
def test_whatever_fails_the_end_is_that_of_one_clean_pass(
    stores: dict[str, MakeRepository], store: str
) -> None:
    @settings(max_examples=STORES[store], deadline=None, suppress_health_check=[*HealthCheck])
    @given(seed=st.integers(0, 2**32), numbered=st.booleans())
    def law(seed: int, numbered: bool) -> None:
        world = World(stores[store](), seed, numbered=numbered)
        world.deliver_all()
        world.release_all()
        assert accounts_of(world.repository) == expected(world.applicable())
        check_nothing_is_parked(world)
        parked.append(world.parked)

    parked: list[int] = []
    law()
    assert sum(parked) > len(parked)


@pytest.mark.parametrize("store", STORES)
def test_with_snapshots_that_release_keys_the_states_are_those_of_one_clean_pass(
    stores: dict[str, MakeRepository], store: str
) -> None:
    @settings(max_examples=STORES[store] // 2, deadline=None, suppress_health_check=[*HealthCheck])
    @given(seed=st.integers(0, 2**32), numbered=st.booleans())
    def law(seed: int, numbered: bool) -> None:
        world = World(stores[store](), seed, numbered=numbered, snapshots=0.2)
        world.deliver_all()
        world.release_all()
        clean: MemoryRepository[Account] = MemoryRepository()
        pure = Breaking(clean)
        pure.snapshots, pure.rejecting = world.accounts.snapshots, world.accounts.rejecting
        KinesisHandler([pure]).handle({"Records": world.records})
        states = {key: state for key, (_, state) in accounts_of(world.repository).items()}
        assert states == {key: state for key, (_, state) in accounts_of(clean).items()}
        check_nothing_is_parked(world)

    law()


def check_nothing_is_parked(world: World) -> None:
    """See that no note is left, and that only what was rejected is in the quarantine."""
    assert world.parked_keys() == []
    waiting = [each.entry for each in waiting_in([read_contents(world.quarantine)]).values()]
    assert {each.event_id for each in waiting} <= world.accounts.rejecting
    assert all(each.released or not each.parked for each in waiting)
