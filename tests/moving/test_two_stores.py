"""The two stores of a move as one repository: its laws, its promises, what each rule is for, and all at once.

The last test lets writers, which see each step at another moment, interrupt each other and be killed.
"""

from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from interrupted import Interrupted, Killed
from kinesis_handler import DELETED, Aggregate, Deleted, Event, Key, Projection
from kinesis_handler.aggregate import Parked
from kinesis_handler.batch import Batch
from kinesis_handler.errors import ConfigurationError, RepositoryError, UnstorableError
from kinesis_handler.ingest.record import Record
from kinesis_handler.moving import replication
from kinesis_handler.moving.lineage import is_newer
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.moving.repository import MovingRepository
from kinesis_handler.moving.verification import Verification
from kinesis_handler.outcome import Outcome, Status
from kinesis_handler.stores import Repository, Saved
from kinesis_handler.stores.forwarding import ForwardingRepository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, FaultyRepository, LawState, RepositoryLaws
from kinesis_handler.testing.law_states import aggregate
from testkit.tables import Tables

SOURCE, TARGET = Side
KEY = ("ben", "log")

USERS = NUMBERED, _, DELETING = "anna", "ben", "carl"
"""The producer numbers the events of the first one only. Each seventh event of the last one deletes."""

Log = tuple[str, ...]


class Logs(Projection[Log, object]):
    """Appends the id of each event to the log of its user, or deletes that."""

    event_types = {"APPENDED": object}

    def key(self, event: Event[Any]) -> Key:
        return str(event.record.partition_key), "log"

    def apply(self, state: Log | None, event: Event[Any]) -> Log | Deleted:
        deletes = event.record.partition_key == DELETING and event.created_at % 7 == 0
        return DELETED if deletes else (*(state or ()), event.id)


def appended(user: str, number: int) -> Event[None]:
    record = Record(cast("Any", {}), str(number), 0, user)
    return Event(f"{user}-{number}", "APPENDED", number, None, record, number if user == NUMBERED else None)


def handle(repository: Repository[Log], *events: Event[Any]) -> list[Outcome]:
    """Let a handler take events; return what became of each."""
    batch = Batch()
    Logs(repository).process(events, batch)
    return [batch.outcomes[event] for event in events]


def at_call(number: int, repository: Any, action: Callable[[], object]) -> Any:
    """Return a repository before one of whose calls, or behind whose write, something happens."""
    calls = count(1)
    return Interrupted(repository, lambda: action() if next(calls) == number else None)


def fail() -> None:
    raise RepositoryError("it is down")


def kill() -> None:
    raise Killed


class Move:
    """Two stores, and handlers that write them as the phase says that each has seen."""

    def __init__(self, phase: Phase = Phase.DUAL, source_ttl: int = 0) -> None:
        self.clock = FakeClock()
        self.stores = {SOURCE: MemoryRepository[Log](source_ttl, self.clock), TARGET: MemoryRepository[Log]()}
        self.sides: dict[Side, Repository[Log]] = {**self.stores}
        self.repository = MovingRepository(self.sides, lambda: phase)

    def at_call(self, number: int, action: Callable[[], object]) -> None:
        """Let something happen at a call of the source. A handler loads, saves, and has saved: 1, 2, 3."""
        self.sides[SOURCE] = at_call(number, self.sides[SOURCE], action)

    def handle(self, number: int, phase: Phase | None = None) -> Outcome:
        """Let a handler, which has seen this phase, take an event; return what became of it."""
        repository = MovingRepository(self.sides, lambda: phase) if phase else self.repository
        return handle(repository, appended("ben", number))[0]

    def logs(self) -> list[str]:
        """Return the numbers of the events that the source has applied, and the target."""
        found = [each.load([KEY]).found for each in self.stores.values()]
        return ["".join(each[KEY].state).replace("ben-", "") if each else "" for each in found]


NOTE = Parked(2, 1, "not yet", None, "12", 0)
FULL = Saved(failed={KEY: UnstorableError("full")})


def log(version: int, position: int, number: int | None = None, note: Parked | None = None) -> Aggregate[Any]:
    known = replace(aggregate(KEY, version), parked=note)
    return replace(known, record_sequence_number=str(position), sequence_number=number)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (log(2, 10), log(1, 9)),
        (log(1, 10), log(3, 9)),  # begun again after an expiry: its version is lower
        (log(2, 5, number=2), log(1, 9, number=1)),  # a redriven record has a lower position
        (log(2, 10, number=1), log(1, 9, number=1)),  # the last event has no number
        (log(1, 10), log(3, 9, number=3)),
        (log(1, 9, note=NOTE), log(1, 9)),
        (log(1, 9, note=replace(NOTE, count=0)), log(1, 9, note=NOTE)),  # none waits any more
    ],
)
def test_the_lineage_decides_which_of_two_is_newer(newer: Aggregate[Log], older: Aggregate[Log]) -> None:
    assert (is_newer(newer, older), is_newer(older, newer), is_newer(newer, newer)) == (True, False, False)


@pytest.mark.parametrize(
    ("phase", "logs", "alone"),
    [
        (Phase.SOURCE, ["12", ""], None),
        (Phase.DUAL, ["12", "12"], Phase.SOURCE),
        (Phase.TARGET_DUAL, ["12", "12"], Phase.TARGET),
        (Phase.TARGET, ["", "12"], None),
    ],
)
def test_an_event_is_acknowledged_when_each_side_has_it_and_a_replica_that_is_down_is_let_go_by_the_flag(
    phase: Phase, logs: list[str], alone: Phase | None
) -> None:
    move = Move(phase)
    assert [move.handle(number).status for number in (1, 2)] == [Status.APPLIED] * 2
    assert move.logs() == logs
    assert len(move.repository.find("ben").aggregates) == len(list(move.repository.scan())) == 1
    if alone:
        move.sides[phase.decides.other] = Interrupted(move.stores[phase.decides.other], fail)
        assert [move.handle(3).status, move.handle(3, alone).status] == [Status.FAILED, Status.APPLIED]
        move.sides.update(move.stores)
        assert (move.handle(4).status, move.logs()) == (Status.APPLIED, ["1234", "1234"])
    move.at_call(1, lambda: move.repository.load([KEY]))  # it brings up the replica
    move.repository.delete([KEY])
    assert (move.repository.load([KEY]).found, move.logs()) == ({}, ["", ""])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (FULL, "full. It can never store this: the key fails until the phase is `source`"),
        (Saved({KEY}), "changed by other writers 5 times"),
    ],
)
def test_what_only_the_replica_does_not_store_fails_and_is_not_rejected(
    monkeypatch: pytest.MonkeyPatch, answer: Saved, why: str
) -> None:
    move = Move()
    monkeypatch.setattr(move.stores[TARGET], "save", lambda _: answer)
    for outcome in (move.handle(1), move.handle(1)):  # it is applied in the source, and then a duplicate
        assert outcome.status is Status.FAILED
        assert f"the target, which is written too: {why}" in str(outcome)
    assert move.handle(1, Phase.SOURCE).status is Status.DUPLICATE, "it is let go by the flag"


def test_what_the_side_that_decides_has_not_taken_does_not_come_to_the_replica() -> None:
    move = Move()
    move.at_call(7, kill)
    move.at_call(2, lambda: move.handle(1))  # 2 conflicts with 1, and is to be loaded again
    with pytest.raises(Killed):
        move.handle(2)
    assert move.logs() == ["1", "1"]


def test_a_key_that_is_deleted_while_it_is_copied_does_not_come_back() -> None:
    move = Move()
    handle(move.sides[SOURCE], appended(DELETING, 6))
    [copied] = move.stores[SOURCE].scan_stored()
    handle(move.repository, appended(DELETING, 7))
    assert write_if_newer(move.stores[TARGET], [copied]).written == []
    for each in move.stores.values():
        assert (list(each.scan()), [left.version for left in each.scan_stored()]) == ([], [2])


def test_a_projection_of_another_type_than_that_of_the_stores_is_refused(tmp_path: Path) -> None:
    target = SQLiteRepository[Any](tmp_path / "new.db", LawState)
    sides: dict[Side, Repository[Any]] = {SOURCE: MemoryRepository(), TARGET: target}
    with pytest.raises(ConfigurationError, match=r"its repository keeps .*LawState"):
        Logs(MovingRepository(sides, lambda: Phase.DUAL))


@pytest.mark.parametrize(
    ("load", "logs"), [(MovingRepository.load, ["1", "1"]), (ForwardingRepository.load, ["1", ""])]
)
def test_an_event_that_was_written_to_one_store_only_is_replicated_when_it_comes_again(
    monkeypatch: pytest.MonkeyPatch, load: Any, logs: list[str]
) -> None:
    """Without this rule what is saved is replicated, and nothing that is only loaded."""
    monkeypatch.setattr(MovingRepository, "load", load)
    move = Move()
    move.at_call(3, kill)
    with pytest.raises(Killed):
        move.handle(1)
    assert (move.handle(1).status, move.logs()) == (Status.DUPLICATE, logs), "it is acknowledged"


@pytest.mark.parametrize(
    ("rule", "late", "expired"),
    [
        (is_newer, ["12", "12"], ["4", "4"]),
        (lambda *_: True, ["12", "1"], ["4", "4"]),
        (lambda one, other: one.version > other.version, ["12", "12"], ["4", "123"]),
    ],
    ids=["by lineage", "unconditionally", "by version"],
)
def test_a_late_write_undoes_nothing_newer_and_what_begins_again_after_an_expiry_is_newer(
    monkeypatch: pytest.MonkeyPatch, rule: Any, late: list[str], expired: list[str]
) -> None:
    monkeypatch.setattr(replication, "is_newer", rule)
    move = Move()
    move.at_call(3, lambda: move.handle(2))
    assert (move.handle(1).status, move.logs()) == (Status.APPLIED, late)
    move = Move(source_ttl=60)
    for number in (1, 2, 3):
        move.handle(number)
    move.clock.advance(61)
    assert (move.handle(4).status, move.logs()) == (Status.APPLIED, expired)


@pytest.mark.parametrize(("other", "logs"), [(Phase.DUAL, ["12", "12"]), (Phase.TARGET_DUAL, ["2", "2"])])
def test_the_consumer_is_stopped_before_the_target_decides(other: Phase, logs: list[str]) -> None:
    """Else event 1 is acknowledged, in the source only, and 2, of the next phase, in the target only."""
    move = Move()
    move.at_call(3, lambda: move.handle(2, other))
    assert (move.handle(1).status, move.logs()) == (Status.APPLIED, logs)


@pytest.mark.parametrize("phase", [Phase.DUAL, Phase.TARGET_DUAL])
class TestFromAFileToATable(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _stores(self, phase: Phase, tables: Tables, tmp_path: Path) -> None:
        self.phase, self.tables, self.folder = phase, tables, tmp_path

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        source = SQLiteRepository(self.folder / "source.db", LawState, ttl=ttl, clock=clock)
        target = self.tables.repository(LawState, clock=clock, ttl=ttl)
        return MovingRepository({Side.SOURCE: source, Side.TARGET: target}, lambda: self.phase)


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
        for each in self.sides[decides].scan_stored() if copy else ():
            write_if_newer(self.sides[decides.other], [each])
        found = [each.what for each in Verification(decides, sleep=id).run(self.sides)]
        self._checking = False
        return found

    def lost(self) -> list[str]:
        """Return the acknowledged events that are not in a log, and the user whose version lacks some."""
        stored = list(self.sides[self.phase.decides].scan_stored())
        logged = Counter(entry for each in stored for entry in each.state or ())
        versions = Counter({each.key[0]: each.version for each in stored})
        users = Counter(str(event.record.partition_key) for event in self.acknowledged)
        lost = [each.id for each in self.acknowledged if logged[each.id] != 1 and DELETING not in each.id]
        return lost + [user for user, number in users.items() if versions[user] < number]

    def _interrupt(self) -> None:
        if not self.interruptions or self._depth == 3 or self.random.random() < 0.6:
            return
        self.interruptions -= 1
        if (self._depth or not self._checking) and self.random.random() < 0.1:
            raise Killed
        self._depth += 1
        self.step() if not self._checking and self.random.random() < 0.2 else self.turn()
        self._depth -= 1


@settings(
    max_examples=6 * settings().max_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
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
    assert not fleet.lost()
