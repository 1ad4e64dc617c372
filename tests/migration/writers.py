"""Writers that append to what is stored, any number of them at once, each in a phase of its own."""

from collections.abc import Callable, Collection, Iterator, Sequence
from random import Random
from typing import Generic, TypeVar

from msgspec import Struct

from kinesis_handler import Aggregate, Key
from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.moving.dual_write import DualWriteRepository
from kinesis_handler.moving.ledger import Ledger
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.records import Record, Records, Standing
from kinesis_handler.moving.repairs import Repair, Repairs
from kinesis_handler.moving.verification import Verification
from kinesis_handler.stores import Change, Loaded, Page, Repository, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.part import Part
from kinesis_handler.stores.unreadable import OnUnreadable
from kinesis_handler.testing import FakeClock, FaultyRepository

State = TypeVar("State")

KEYS: list[Key] = [("anna", "deposit"), ("ben", "bet")]
DUAL = {Phase.DUAL_READ_SOURCE, Phase.DUAL_READ_TARGET}
DEPTH = 2
"""How many writers may interrupt each other."""


def neighbours(phase: Phase) -> list[Phase]:
    """Return the phases that a handler may be in while another is in this one."""
    order = list(Phase)
    place = order.index(phase)
    return order[max(0, place - 1) : place] + order[place + 1 : place + 2]


class Log(Struct, frozen=True):
    """All that has ever been appended to a key."""

    entries: tuple[str, ...] = ()


class Interrupted(Generic[State]):
    """A repository between whose calls others get their turn."""

    def __init__(self, repository: Repository[State], interrupt: Callable[[], None]) -> None:
        self._repository = repository
        self._interrupt = interrupt

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        self._interrupt()
        return self._repository.load(keys)

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        self._interrupt()
        saved = self._repository.save(changes)
        self._interrupt()
        return saved

    def refusal(self, aggregate: Aggregate[State]) -> UnstorableError | None:
        return self._repository.refusal(aggregate)

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        return self._repository.find(partition, limit=limit, cursor=cursor)

    def delete(self, keys: Collection[Key]) -> None:
        self._interrupt()
        self._repository.delete(keys)

    def scan(
        self, part: Part | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State]]:
        return self._repository.scan(part, on_unreadable=on_unreadable)


class Writer:
    """Appends batches of entries; what is not known to be kept it appends again, as Lambda would."""

    def __init__(self, name: str, fleet: "Fleet") -> None:
        self.phase = fleet.phase
        self._name = name
        self._fleet = fleet
        self._begun = 0
        self._open: list[tuple[Key, list[str]]] = []
        of_target, of_source = (
            Repairs(FaultyRepository(each, fleet.random, rate=0.2, budget=3)) for each in fleet.repairs
        )
        self._repository = DualWriteRepository(
            fleet.faulty(fleet.source),
            fleet.faulty(fleet.target),
            lambda: self.phase,
            Ledger(of_target, of_source, fleet.records),
            fleet.clock,
        )

    def turn(self) -> None:
        """Append a batch: a new one, or one that is still open."""
        random = self._fleet.random
        if not self._open or random.random() < 0.5:
            size = random.choice([1, 1, 2, 5, 18])
            entries = [f"{self._name}-{self._begun + each}" for each in range(size)]
            self._begun += size
            self._open.append((random.choice(KEYS), entries))
        self.deliver(random.randrange(len(self._open)))

    def deliver(self, place: int) -> None:
        """Append an open batch; it stays open if that is not known to be done."""
        batch = self._open.pop(place)
        try:
            done = self._append(*batch)
        except RepositoryError:
            done = False
        if done:
            self._fleet.acknowledged.update((batch[0], entry) for entry in batch[1])
        else:
            self._open.append(batch)

    def finish(self) -> None:
        """Append all that is open."""
        for _ in range(100):
            if not self._open:
                return
            if self.phase is Phase.DUAL_READ_TARGET and self._fleet.records.standing() is Standing.RETURNS:
                self._fleet.check()  # until then, a key may fail of which nobody knows what is right
            self.deliver(0)
        raise AssertionError(f"{self._name} does not get on in {self.phase}")

    def _append(self, key: Key, entries: list[str]) -> bool:
        for _ in range(3):
            loaded = self._repository.load([key])
            if loaded.failed:
                return False
            before = loaded.found.get(key)
            known = before.state.entries if before is not None else ()
            if entries[0] in known:
                return True
            saved = self._repository.save([Change(before, _aggregate(key, (*known, *entries)))])
            if not saved.conflicts:
                return not saved.failed
        return False


class Fleet:
    """Some writers, never further from each other than one phase, and the steps that an operator takes."""

    def __init__(self, random: Random, *, faults: int, interruptions: int) -> None:
        self.random = random
        self.clock = FakeClock()
        self.phase = Phase.SOURCE
        self.source = Interrupted(MemoryRepository[Log](), self._interrupt)
        self.target = Interrupted(MemoryRepository[Log](), self._interrupt)
        self.repairs = MemoryRepository[Repair](), MemoryRepository[Repair]()
        self.records = Records(Interrupted(MemoryRepository[Record](), self._interrupt), self.clock)
        self.acknowledged: set[tuple[Key, str]] = set()
        self._faults = faults
        self._interruptions = interruptions
        self._depth = 0
        self._checking = False
        self._seen_by_all = True
        self.writers = [Writer(name, self) for name in "abc"]

    def faulty(self, repository: Repository[Log]) -> Repository[Log]:
        """Let a repository fail now and then."""
        return FaultyRepository(repository, self.random, rate=0.15, budget=self._faults)

    def move(self) -> None:
        """Begin the next step, or let one more writer see it; a step that needs a check gets one before."""
        self._seen_by_all = True  # nobody is at work
        behind = [each for each in self.writers if each.phase is not self.phase]
        if behind:
            self.random.choice(behind).phase = self.phase
            return
        if self.phase is Phase.DUAL_READ_TARGET and self.random.random() < 0.3:
            self.clock.advance(60)
            self.check(Standing.LEADS)
            return
        following = self.random.choice(neighbours(self.phase))
        if self.phase is Phase.DUAL_READ_TARGET and following is Phase.TARGET:
            self.check()
        if self.phase is Phase.DUAL_READ_TARGET and following is Phase.DUAL_READ_SOURCE:
            while self.records.standing() is not Standing.FOLLOWS:
                self.check(Standing.FOLLOWS)
                self.clock.advance(60)
                self.random.choice(self.writers).turn()
        self.clock.advance(60)  # there is at least a minute between two steps
        self.phase = following

    def arrive(self) -> None:
        """Let all writers see the step that has begun."""
        for writer in self.writers:
            writer.phase = self.phase

    def check(self, then: Standing | None = None) -> None:
        """Verify and repair until nothing differs, while the writers go on."""
        self._checking = True
        for _ in range(20):
            verification = Verification(
                self.source,
                self.target,
                self.phase,
                Ledger(Repairs(self.repairs[0]), Repairs(self.repairs[1]), self.records),
                repair=True,
                then=then,
                clock=self.clock,
                sleep=self.clock.advance,
            )
            if not list(verification.run()):
                self._checking = False
                return
        raise AssertionError("it never comes to an end")

    def settle(self) -> None:
        """End the faults, deliver what is open, and repair."""
        self._interruptions = 0
        self.arrive()
        for writer in self.writers:
            self.clock.advance(60)
            writer.finish()

    def stored(self, repository: Repository[Log]) -> dict[Key, Aggregate[Log]]:
        return {each.key: each for each in repository.scan()}

    def _interrupt(self) -> None:
        if not self._interruptions or self._depth == DEPTH or self.random.random() < 0.7:
            return
        self._interruptions -= 1
        self._depth += 1
        try:
            if self.random.random() < 0.2:
                self.clock.advance(11)
            behind = [each for each in self.writers if each.phase is not self.phase]
            if behind and self.random.random() < 0.3:  # it sees the step between two calls of its own
                self.random.choice(behind).phase = self.phase
                self._seen_by_all = False  # whoever is at work has not done with what it read before
            in_both = self._seen_by_all and not behind and self.phase is Phase.DUAL_READ_TARGET
            if in_both and not self._checking and self.random.random() < 0.15:
                self.check(self.random.choice([Standing.LEADS, Standing.FOLLOWS]))
            else:
                self.random.choice(self.writers).turn()
        finally:
            self._depth -= 1


def _aggregate(key: Key, entries: tuple[str, ...]) -> Aggregate[Log]:
    return Aggregate(
        key=key,
        state=Log(entries),
        version=len(entries),
        updated_at=0,
        record_sequence_number="0",
        record_sub_sequence_number=0,
        recent_event_ids=entries[-RECENT_EVENT_IDS:],
    )
