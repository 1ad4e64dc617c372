"""Writers that see each step at another moment, interrupt each other and are killed, lose no update."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from kinesis_handler import Event, Key, Projection
from kinesis_handler.batch import Batch
from kinesis_handler.ingest.record import Record
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.moving.repository import MovingRepository
from kinesis_handler.moving.verification import Verification
from kinesis_handler.outcome import Outcome, Status
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FaultyRepository

if TYPE_CHECKING:
    from kinesis_handler.lambda_types import LambdaRecord

USERS = NUMBERED, *_ = "anna", "ben"
"""The producer numbers the events of one user, and not those of the other."""


class Killed(BaseException):
    """What ends a handler between two calls; nothing catches it."""


Log = tuple[str, ...]


class Logs(Projection[Log, Struct]):
    """Appends the id of each event to the log of its user."""

    event_types = {"APPENDED": Struct}

    def key(self, event: Event[Any]) -> Key:
        return str(event.record.partition_key), "log"

    def apply(self, state: Log | None, event: Event[Any]) -> Log:
        return (*(state or ()), event.id)


def appended(user: str, number: int) -> Event[None]:
    record = Record(cast("LambdaRecord", {}), str(number), 0, user)
    return Event(f"{user}-{number}", "APPENDED", number, None, record, number if user == NUMBERED else None)


def handle(repository: Repository[Log], *events: Event[Any]) -> list[Outcome]:
    """Let a handler take events; return what became of each."""
    batch = Batch()
    Logs(repository).process(events, batch)
    return [batch.outcomes[event] for event in events]


class Interrupted(FaultyRepository[Any]):
    """A repository before whose calls, and after whose writes, something happens."""

    def __init__(self, repository: Repository[Any], interrupt: Callable[[], None]) -> None:
        super().__init__(repository, Random(0), budget=0)
        self._perhaps_fail_to_read = self._perhaps_fail_to_write = interrupt  # type: ignore[method-assign]


class Fleet:
    """Writers that are never further from each other than one phase, and the steps that an operator takes."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.sides = {side: Interrupted(MemoryRepository[Log](), self._interrupt) for side in Side}
        self.phase = Phase.SOURCE
        self.seen = [self.phase] * 3
        """What each writer knows of the phase."""
        self.open: list[list[Event[None]]] = []
        """Batches, each of one key, that are to be delivered, to whichever writer."""
        self.acknowledged: set[Event[None]] = set()
        self.complete, self.interruptions = False, 20
        self._faulty = {side: FaultyRepository(each, random, rate=0.15) for side, each in self.sides.items()}
        self._published = Counter[str]()
        self._checking, self._depth = False, 0

    def deliver(self) -> None:
        """Let a writer take an open batch. What is not acknowledged of it comes again."""
        batch = self.open.pop(self.random.randrange(len(self.open)))
        writer = self.random.randrange(len(self.seen))
        repository = MovingRepository[Log](self._faulty, lambda: self.seen[writer])
        try:
            statuses = [each.status for each in handle(repository, *batch)]
        except Killed:
            statuses = [Status.FAILED] * len(batch)
        became = dict(zip(batch, statuses, strict=True))
        if failed := [event for event in batch if became[event] is Status.FAILED]:
            self.open.append(failed)
        done = {Status.APPLIED, Status.DUPLICATE}
        self.acknowledged |= {event for event in batch if became[event] in done}

    def turn(self) -> None:
        """Let a writer take a new batch, or one that is still open."""
        if not self.open or self.random.random() < 0.5:
            user, count = self.random.choice(USERS), self.random.choice([1, 1, 2, 5, 18])
            self._published[user] += count
            last = self._published[user]
            self.open.append([appended(user, number) for number in range(last - count + 1, last + 1)])
        self.deliver()

    def step(self) -> None:
        """Take the next step on or back, or let one more writer see the last one."""
        if behind := [n for n, phase in enumerate(self.seen) if phase is not self.phase]:
            self.seen[self.random.choice(behind)] = self.phase
            return
        order = list(Phase)
        at = order.index(self.phase) + self.random.choice([-1, 1])
        following = order[at] if 0 <= at < len(order) else self.phase
        if following.decides is self.phase.decides:
            self.phase = following
            self.complete &= following.replica is not None
        elif not self._depth and not self.differences(copy=True):
            self.complete = True
            self.phase = following
            self.seen = [following] * len(self.seen)  # the consumer is stopped: nobody is at work

    def differences(self, *, copy: bool = False) -> list[str]:
        """Return what a verification finds, after a copy if need be, while the writers go on."""
        decides = self.phase.decides
        self._checking = True
        for each in self.sides[decides].scan() if copy else ():
            write_if_newer(self.sides[decides.other], [each])
        found = [each.what for each in Verification(self.sides, decides, sleep=lambda _: None).run()]
        self._checking = False
        return found

    def _interrupt(self) -> None:
        if not self.interruptions or self._depth == 3 or self.random.random() < 0.6:
            return
        self.interruptions -= 1
        if (self._depth or not self._checking) and self.random.random() < 0.1:
            raise Killed
        self._depth += 1
        self.step() if not self._checking and self.random.random() < 0.2 else self.turn()
        self._depth -= 1


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0), length=st.integers(10, 120))
def test_writers_that_see_the_phase_change_at_different_moments_lose_no_update(
    seed: int, length: int
) -> None:
    """Once a copy was complete, nor is the replica behind, as long as there is one."""
    fleet = Fleet(Random(seed))
    for move in fleet.random.choices("wwm", k=length):
        fleet.step() if move == "m" else fleet.turn()
    fleet.interruptions = 0
    fleet.seen = [fleet.phase] * len(fleet.seen)
    for _ in range(1_000):
        if fleet.open:
            fleet.deliver()
    assert not fleet.open, f"it does not get on in {fleet.phase}"
    if fleet.complete:
        assert not [each for each in fleet.differences() if "behind" in each or "only in" in each]
    stored = Counter(entry for each in fleet.sides[fleet.phase.decides].scan() for entry in each.state)
    assert not [event for event in fleet.acknowledged if stored[event.id] != 1]
