"""Defines the laws of vacant and parked aggregates, which `RepositoryLaws` includes.

A vacant aggregate is what a deleted key leaves behind: version and lineage without a state. A parked one has
a note that events of its key wait in the quarantine.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise

from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate, Parked
from kinesis_handler.stores import BEGINNING, Change
from kinesis_handler.stores.expiry import VACANT_TTL
from kinesis_handler.testing.law_states import LawRepository, LawState, aggregate, find_all, insert
from kinesis_handler.testing.records import FakeClock

SHORT = 60
"""Seconds after which a state of these laws expires: much less than what is vacant."""


def vacant(before: Aggregate[LawState | None]) -> Aggregate[LawState | None]:
    """Return what an event leaves that deletes the state."""
    return replace(before, state=None, version=before.version + 1)


def parked(before: Aggregate[LawState | None], count: int = 1) -> Aggregate[LawState | None]:
    """Return an aggregate with the note that some events of its key wait."""
    note = Parked(count, 1_700_000_000_000, "BusinessError: not yet — «later»", count, f"497{count:053d}", 0)
    return replace(before, parked=note)


class VacantLaws(ABC):
    """The laws of aggregates without a state, and of the note that a key is parked."""

    @abstractmethod
    def make_repository(self, clock: Callable[[], float], ttl: int) -> LawRepository:
        """Return an empty repository."""

    def _holding(self, *aggregates: Aggregate[LawState | None]) -> LawRepository:
        """Return a repository that holds these aggregates, and in which nothing expires."""
        repository = self.make_repository(FakeClock(), 0)
        if aggregates:
            insert(repository, *aggregates)
        return repository

    def test_a_vacant_aggregate_is_loaded_with_its_lineage_and_hidden_from_readers(self) -> None:
        gone, left = aggregate(("a", "gone"), 3, note="n"), aggregate(("a", "left"))
        repository = self._holding(gone, left)
        assert not repository.save([Change(gone, vacant(gone))]).conflicts
        loaded = repository.load([gone.key, left.key])
        assert loaded.found == {left.key: left}
        assert loaded.vacant == {gone.key: vacant(gone)}
        assert find_all(repository, "a", 1) == [left]
        assert list(repository.scan()) == [left]
        stored = {each.key: each for each in repository.scan_stored()}
        assert stored == loaded.stored() == {gone.key: vacant(gone), left.key: left}

    def test_a_page_is_full_however_many_vacant_aggregates_lie_between(self) -> None:
        all_of_them = [aggregate(("a", f"{number:02}")) for number in range(30)]
        repository = self._holding(*all_of_them)
        repository.save([Change(each, vacant(each)) for each in all_of_them if int(each.key[1]) % 5])
        assert [each.key[1] for each in repository.find("a", limit=4).aggregates] == ["00", "05", "10", "15"]
        assert [each.key[1] for each in find_all(repository, "a", 2)] == ["00", "05", "10", "15", "20", "25"]

    def test_a_vacant_key_takes_a_state_again_under_the_next_version(self) -> None:
        first = vacant(aggregate(("a", "1")))
        repository = self._holding(first)
        again = replace(first, state=LawState(note="again"), version=first.version + 1)
        assert not repository.save([Change(first, again)]).conflicts
        assert repository.load([first.key]).found == {first.key: again}
        assert repository.save([Change(first, again)]).conflicts == {first.key}

    def test_a_scan_of_all_that_is_stored_from_the_beginning_has_each_once(self) -> None:
        all_of_them = [aggregate((f"p{number % 3}", f"{number}")) for number in range(20)]
        repository = self._holding(*(vacant(each) if int(each.key[1]) % 2 else each for each in all_of_them))
        found = [each.key for each in repository.scan_stored(BEGINNING)]
        assert sorted(found) == sorted(each.key for each in all_of_them)

    def test_a_vacant_aggregate_outlives_a_short_time_to_live_and_then_expires(self) -> None:
        clock = FakeClock()
        repository = self.make_repository(clock, SHORT)
        first = vacant(aggregate(("a", "1")))
        insert(repository, first)
        clock.advance(VACANT_TTL - 1)
        assert repository.load([first.key]).vacant == {first.key: first}
        clock.advance(1)
        assert not repository.load([first.key]).stored()
        insert(repository, aggregate(first.key))

    def test_a_note_is_saved_and_loaded_on_a_state_and_without_one(self) -> None:
        known = aggregate(("a", "known"))
        unknown = parked(replace(vacant(aggregate(("a", "new"))), version=0, record_sequence_number=None))
        repository = self._holding(known, unknown)
        repository.save([Change(known, parked(known, 2))])
        assert repository.load([known.key, unknown.key]).stored() == {
            known.key: parked(known, 2),
            unknown.key: unknown,
        }

    def test_a_change_conflicts_if_only_the_note_has_changed_meanwhile(self) -> None:
        first = aggregate(("a", "1"))
        repository = self._holding(first)
        notes = [first, parked(first, 1), parked(first, 2), parked(first, 3)]
        for before, after in pairwise(notes):
            assert not repository.save([Change(before, after)]).conflicts
            for stale in notes:
                if stale != after:
                    late = Change(stale, replace(stale, state=LawState(note="late")))
                    assert repository.save([late]).conflicts == {first.key}
        applied = replace(first, version=2)
        assert not repository.save([Change(notes[-1], applied)]).conflicts
        assert repository.load([first.key]).found == {first.key: applied}

    def test_a_parked_aggregate_does_not_expire_until_nothing_waits(self) -> None:
        clock = FakeClock()
        repository = self.make_repository(clock, SHORT)
        first = parked(aggregate(("a", "1")))
        insert(repository, first)
        clock.advance(365 * 86_400)
        assert repository.load([first.key]).found == {first.key: first}
        assert not repository.save([Change(first, replace(first, parked=None))]).conflicts
        clock.advance(SHORT)
        assert not repository.load([first.key]).stored()
