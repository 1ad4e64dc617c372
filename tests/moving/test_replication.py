"""Write if newer, and the two stores as one: what becomes of a key where a store fails."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kinesis_handler import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError, UnstorableError
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.moving.repository import MovingRepository, ReadSide
from kinesis_handler.stores import Change, Loaded, Repository, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import LawState
from kinesis_handler.testing.law_states import aggregate, insert
from kinesis_handler.testing.vacant_laws import vacant

ONE, TWO, THREE = (aggregate(("p", key)) for key in ("1", "2", "3"))
DOWN = RepositoryError("it is down")


class Failing(MemoryRepository[LawState]):
    """A repository that answers for some keys as it is made to; for the others it works."""

    def __init__(self) -> None:
        super().__init__()
        self.unread: dict[Key, RepositoryError | UnstorableError] = {}
        self.unsaved: dict[Key, RepositoryError | UnstorableError] = {}
        self.conflicts: list[set[Key]] = []
        """At each write the next ones."""

    def load(self, keys: Collection[Key]) -> Loaded[LawState]:
        loaded = super().load([key for key in keys if key not in self.unread])
        loaded.failed |= {key: self.unread[key] for key in keys if key in self.unread}
        return loaded

    def save(self, changes: Sequence[Change[LawState]]) -> Saved:
        conflicts = self.conflicts.pop(0) if self.conflicts else set()
        left = [each for each in changes if each.key not in self.unsaved and each.key not in conflicts]
        saved = super().save(left)
        saved.conflicts |= conflicts
        saved.failed |= {each.key: self.unsaved[each.key] for each in changes if each.key in self.unsaved}
        return saved


class Unanswering(MemoryRepository[LawState]):
    """A repository that raises when it is read."""

    def load(self, keys: Collection[Key]) -> Loaded[LawState]:  # noqa: ARG002
        raise DOWN


def test_a_replica_that_does_not_answer_fails_each_key_with_its_error() -> None:
    replica = Unanswering()
    result = write_if_newer(replica, [ONE, TWO])
    assert (result.written, result.failed) == ([], {ONE.key: DOWN, TWO.key: DOWN})
    assert list(replica.scan()) == []


def test_a_key_that_failed_has_failed_when_another_one_is_written_at_the_second_attempt() -> None:
    replica, full = Failing(), UnstorableError("full")
    replica.unread, replica.unsaved, replica.conflicts = {ONE.key: DOWN}, {TWO.key: full}, [{THREE.key}]
    result = write_if_newer(replica, [ONE, TWO, THREE])
    assert (result.written, result.failed) == ([THREE], {ONE.key: DOWN, TWO.key: full})


def moving(decides: Any, replica: Any) -> MovingRepository[LawState]:
    return MovingRepository({Side.SOURCE: decides, Side.TARGET: replica}, lambda: Phase.DUAL)


def test_a_key_whose_replica_cannot_be_written_is_not_handed_out_whether_it_has_a_state_or_not() -> None:
    source, target = MemoryRepository[LawState](), Failing()
    gone = vacant(TWO)
    insert(source, ONE, gone, THREE)
    target.unread = {ONE.key: DOWN, gone.key: UnreadableError("damaged")}
    loaded = moving(source, target).load([ONE.key, gone.key, THREE.key])
    assert (loaded.found, loaded.vacant) == ({THREE.key: THREE}, {})
    assert {key: (type(why), str(why)) for key, why in loaded.failed.items()} == {
        ONE.key: (RepositoryError, "the target, which is written too: it is down"),
        gone.key: (UnreadableError, "the target, which is written too: damaged"),
    }


def test_what_the_deciding_side_has_not_saved_has_failed_even_if_the_replica_saves_the_rest() -> None:
    source, target = Failing(), Failing()
    source.unsaved, target.unsaved = {ONE.key: DOWN}, {TWO.key: DOWN}
    saved = moving(source, target).save([Change(None, each) for each in (ONE, TWO, THREE)])
    assert ({*saved.failed}, saved.failed[ONE.key]) == ({ONE.key, TWO.key}, DOWN)
    assert (list(source.scan()), list(target.scan())) == ([TWO, THREE], [THREE])


@pytest.fixture
def damaged(tmp_path: Path) -> SQLiteRepository[LawState]:
    """Return a repository with two aggregates and, between them, one of another type."""
    file = tmp_path / "limits.db"
    insert(SQLiteRepository(file, LawState), ONE, THREE)
    other: Aggregate[Any] = TWO
    SQLiteRepository(file, str).save([Change(None, replace(other, state="text"))])
    return SQLiteRepository(file, LawState)


def test_who_reads_one_side_gets_what_it_asks_that_side_for(damaged: SQLiteRepository[LawState]) -> None:
    empty = MemoryRepository[LawState]()
    side = Side.TARGET
    sides: dict[Side, Repository[LawState]] = {Side.SOURCE: empty, Side.TARGET: damaged}
    shown = ReadSide(sides, lambda: side)
    unreadable: dict[Key, UnreadableError] = {}
    assert shown.load([ONE.key]).found == {ONE.key: ONE}
    first = shown.find("p", limit=1)
    assert (first.aggregates, shown.find("p", limit=2, cursor=first.cursor).aggregates) == ([ONE], [THREE])
    assert list(shown.scan(("p", "2"))) == [THREE]
    assert list(shown.scan(on_unreadable=unreadable.__setitem__)) == [ONE, THREE]
    assert [*unreadable] == [("p", "2")]
    side = Side.SOURCE
    assert (shown.load([ONE.key]).found, shown.find("p").aggregates, list(shown.scan())) == ({}, [], [])


def test_a_page_of_one_side_is_as_long_as_a_page_of_any_repository() -> None:
    repository = MemoryRepository[LawState]()
    insert(repository, *(aggregate(("p", f"{number:03}")) for number in range(101)))
    shown = ReadSide(dict.fromkeys(Side, repository), lambda: Side.SOURCE)
    assert len(shown.find("p").aggregates) == len(repository.find("p").aggregates) == 100
