"""The two stores of a move as one repository: its laws, its promises, and what each rule is for."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kinesis_handler import Aggregate
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.moving import replication
from kinesis_handler.moving.lineage import is_newer
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.repository import MovingRepository, ReadSide
from kinesis_handler.outcome import Outcome, Status
from kinesis_handler.stores import Repository, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import FakeClock, LawState, RepositoryLaws
from kinesis_handler.testing.laws import aggregate
from moving.test_writers import Interrupted, Killed, Log, appended, handle
from testkit.tables import Tables

SOURCE, TARGET = Side
KEY = ("ben", "log")


class Move:
    """Two stores that can be down, and actions by the calls of the source: 1 load, 2 save, 3 after it."""

    def __init__(self, phase: Phase = Phase.DUAL, source_ttl: int = 0) -> None:
        self.phase = phase
        self.clock = FakeClock()
        self.stores = {SOURCE: MemoryRepository[Log](source_ttl, self.clock), TARGET: MemoryRepository[Log]()}
        self.down: set[Side] = set()
        self.calls = 0
        self.actions: dict[int, Callable[[], object]] = {}
        self.sides = {s: Interrupted(each, partial(self._interrupt, s)) for s, each in self.stores.items()}
        self.repository = MovingRepository(self.sides, lambda: self.phase)

    def handle(self, number: int, phase: Phase | None = None) -> Outcome:
        """Let a handler, which has seen this phase, take an event; return what became of it."""
        return handle(MovingRepository(self.sides, lambda: phase or self.phase), appended("ben", number))[0]

    def logs(self) -> list[str]:
        """Return the numbers of the events that the source has applied, and the target."""
        found = [each.load([KEY]).found for each in self.stores.values()]
        return ["".join(each[KEY].state).replace("ben-", "") if each else "" for each in found]

    def _interrupt(self, side: Side) -> None:
        if side in self.down:
            raise RepositoryError("down")
        self.calls += side is SOURCE
        if side is SOURCE and (action := self.actions.get(self.calls)):
            action()


def kill() -> None:
    raise Killed


def log(version: int, position: int, number: int | None = None) -> Aggregate[Any]:
    return replace(aggregate(KEY, version), record_sequence_number=str(position), sequence_number=number)


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (log(2, 10), log(1, 9)),
        (log(1, 10), log(3, 9)),  # begun again after an expiry: its version is lower
        (log(2, 5, number=2), log(1, 9, number=1)),  # a redriven record has a lower position
        (log(2, 10, number=1), log(1, 9, number=1)),  # the last event has no number
        (log(1, 10), log(3, 9, number=3)),
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
        move.down = {phase.decides.other}
        assert [move.handle(3).status, move.handle(3, alone).status] == [Status.FAILED, Status.APPLIED]
        move.down = set()
        assert (move.handle(4).status, move.logs()) == (Status.APPLIED, ["1234", "1234"])
    move.actions = {move.calls + 1: lambda: move.repository.load([KEY])}  # it brings up the replica
    move.repository.delete([KEY])
    assert (move.repository.load([KEY]).found, move.logs()) == ({}, ["", ""])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Saved(failed={KEY: UnstorableError("full")}), "full"),
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


def test_what_the_side_that_decides_has_not_taken_does_not_come_to_the_replica() -> None:
    move = Move()
    move.actions = {2: lambda: move.handle(1), 7: kill}  # 2 conflicts with 1, and is to be loaded again
    with pytest.raises(Killed):
        move.handle(2)
    assert move.logs() == ["1", "1"]


class WithoutDuplicates(MovingRepository[Log]):
    """Replicates what is saved, and nothing that is only loaded."""

    load = ReadSide.load


@pytest.mark.parametrize(("rule", "logs"), [(MovingRepository, ["1", "1"]), (WithoutDuplicates, ["1", ""])])
def test_an_event_that_was_written_to_one_store_only_is_replicated_when_it_comes_again(
    rule: type[MovingRepository[Log]], logs: list[str]
) -> None:
    move = Move()
    move.actions = {3: kill}
    with pytest.raises(Killed):
        move.handle(1)
    [again] = handle(rule(move.sides, lambda: Phase.DUAL), appended("ben", 1))
    assert (again.status, move.logs()) == (Status.DUPLICATE, logs), "it is acknowledged"


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
    move.actions = {3: lambda: move.handle(2)}
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
    move.actions = {3: lambda: move.handle(2, other)}
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
