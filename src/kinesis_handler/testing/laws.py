"""The laws of a repository, as tests that any implementation must pass.

Subclass `RepositoryLaws`, say how a repository is made, and let pytest collect the subclass:

    class TestMyRepository(RepositoryLaws):
        def make_repository(self, clock, ttl):
            return MyRepository(ttl=ttl, clock=clock)
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import InvalidCursorError
from kinesis_handler.repository import Change, Repository
from kinesis_handler.repository.part import Part
from kinesis_handler.testing.hard_values import NUMBERS, STRANGE
from kinesis_handler.testing.records import FakeClock

TTL = 3_600


class LawState(Struct, frozen=True):
    """What the laws keep in a repository: a state with what a store may find hard."""

    count: int = 0
    amount: Decimal = Decimal(0)
    note: str | None = None
    tags: tuple[str, ...] = ()


LawRepository = Repository[LawState]


def aggregate(key: Key, version: int = 1, **state: Any) -> Aggregate[LawState]:
    """Return an aggregate with some state, as a fold of `version` events would leave it."""
    return Aggregate(
        key=key,
        state=LawState(**state),
        version=version,
        updated_at=1_700_000_000_000 + version,
        sequence_number=version,
        record_sequence_number=f"496{version:053d}",
        record_sub_sequence_number=0,
        recent_event_ids=tuple(f"event-{number}" for number in range(version)),
    )


def after(before: Aggregate[LawState], **state: Any) -> Change[LawState]:
    """Return a change of an aggregate by one event."""
    changed = replace(before, version=before.version + 1, state=replace(before.state, **state))
    return Change(before, changed)


def insert(repository: LawRepository, *aggregates: Aggregate[LawState]) -> None:
    """Save new aggregates, and see that they were."""
    saved = repository.save([Change(None, each) for each in aggregates])
    assert not saved.conflicts
    assert not saved.failed


def load(repository: LawRepository, key: Key) -> Aggregate[LawState] | None:
    """Load one aggregate, and see that nothing failed."""
    loaded = repository.load([key])
    assert not loaded.failed
    return loaded.found.get(key)


def amount_of(found: Aggregate[LawState] | None) -> Decimal:
    """Return the amount of what was found, and see that it was."""
    assert found is not None
    return found.state.amount


def find_all(repository: LawRepository, partition: str, limit: int) -> list[Aggregate[LawState]]:
    """Read a partition page by page."""
    page = repository.find(partition, limit=limit)
    found = list(page.aggregates)
    while page.cursor is not None:
        assert len(page.aggregates) <= limit
        page = repository.find(partition, limit=limit, cursor=page.cursor)
        found += page.aggregates
    return found


class RepositoryLaws(ABC):
    """What every repository promises. Time comes from the clock that it is made with."""

    @abstractmethod
    def make_repository(self, clock: Callable[[], float], ttl: int) -> LawRepository:
        """Return an empty repository. `ttl`: seconds from a write to its expiry, 0 for never."""

    def test_what_was_never_saved_is_not_found(self) -> None:
        repository = self._repository()
        assert load(repository, ("a", "1")) is None
        assert repository.find("a").aggregates == []
        assert list(repository.scan()) == []

    def test_what_is_saved_is_loaded_equal(self) -> None:
        repository = self._repository()
        saved = aggregate(("a", "1"), 3, count=7, amount=Decimal("9800.10"), note="n", tags=("x", "y"))
        insert(repository, saved)
        assert load(repository, ("a", "1")) == saved

    def test_numbers_of_38_digits_come_back_to_the_last_zero(self) -> None:
        repository = self._repository()
        for place, digits in enumerate(NUMBERS):
            first = aggregate(("a", str(place)), amount=Decimal(digits))
            insert(repository, first)
            assert str(amount_of(load(repository, first.key))) == digits
            repository.save([after(first, amount=Decimal("1.10"))])
            assert str(amount_of(load(repository, first.key))) == "1.10"

    def test_many_keys_are_loaded_at_once(self) -> None:
        repository = self._repository()
        keys = [(f"p{number % 7}", f"s{number}") for number in range(250)]
        insert(repository, *(aggregate(key) for key in keys[:220]))
        assert set(repository.load(keys).found) == set(keys[:220])

    def test_keys_of_any_characters_are_kept_apart(self) -> None:
        repository = self._repository()
        keys = [(partition, sort) for partition in STRANGE for sort in STRANGE[:4]]
        insert(repository, *(aggregate(key, note=repr(key)) for key in keys))
        found = repository.load(keys).found
        assert {key: each.state.note for key, each in found.items()} == {key: repr(key) for key in keys}

    def test_a_change_of_the_loaded_version_is_saved(self) -> None:
        repository = self._repository()
        first = aggregate(("a", "1"), note="first")
        insert(repository, first)
        change = after(first, count=2, note=None)
        assert not repository.save([change]).conflicts
        assert load(repository, ("a", "1")) == change.after

    def test_a_second_insert_of_a_key_conflicts_and_changes_nothing(self) -> None:
        repository = self._repository()
        first = aggregate(("a", "1"), note="first")
        insert(repository, first)
        assert repository.save([Change(None, aggregate(("a", "1"), note="second"))]).conflicts == {("a", "1")}
        assert load(repository, ("a", "1")) == first

    def test_a_change_of_a_version_that_is_no_longer_stored_conflicts(self) -> None:
        repository = self._repository()
        first = aggregate(("a", "1"))
        insert(repository, first)
        winner = after(first, note="winner")
        repository.save([winner])
        assert repository.save([after(first, note="loser")]).conflicts == {("a", "1")}
        assert load(repository, ("a", "1")) == winner.after

    def test_a_change_of_a_key_that_is_gone_conflicts_and_brings_nothing_back(self) -> None:
        repository = self._repository()
        first = aggregate(("a", "1"))
        insert(repository, first)
        repository.delete([("a", "1")])
        assert repository.save([after(first)]).conflicts == {("a", "1")}
        assert load(repository, ("a", "1")) is None

    def test_a_conflict_of_one_key_keeps_no_other_from_being_saved(self) -> None:
        repository = self._repository()
        insert(repository, aggregate(("a", "50")))
        saved = repository.save([Change(None, aggregate(("a", f"{number}"))) for number in range(100)])
        assert saved.conflicts == {("a", "50")}
        assert len(find_all(repository, "a", 30)) == 100

    def test_two_changes_of_one_key_are_an_error_and_neither_is_written(self) -> None:
        repository = self._repository()
        twice = [Change(None, aggregate(("a", "1"), note=note)) for note in ("one", "two")]
        try:
            repository.save(twice)
        except ValueError:
            assert load(repository, ("a", "1")) is None
        else:
            raise AssertionError("it was not refused")

    def test_of_writers_that_save_the_same_version_at_once_exactly_one_wins(self) -> None:
        repository = self._repository()
        first = aggregate(("a", "1"))
        insert(repository, first)
        changes = [after(first, count=number) for number in range(1, 9)]
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda change: repository.save([change]), changes))
        winners = [change for change, saved in zip(changes, results, strict=True) if not saved.conflicts]
        assert [each.after for each in winners] == [load(repository, ("a", "1"))]

    def test_a_partition_is_found_in_the_order_of_its_sort_keys_in_pages_of_any_size(self) -> None:
        repository = self._repository()
        sorts = ["b", "a", "10", "9", "å", "Z", "🎲", "aa"]
        insert(repository, *(aggregate(("a", sort)) for sort in sorts), aggregate(("ab", "x")))
        for limit in (1, 3, 7, 8, 9, 100):
            assert [each.key[1] for each in find_all(repository, "a", limit)] == sorted(sorts)

    def test_a_cursor_that_was_not_handed_out_is_refused(self) -> None:
        repository = self._repository()
        for cursor in ("", "?", "not a cursor", "ÿ", "AAAA*"):
            try:
                repository.find("a", cursor=cursor)
            except InvalidCursorError:
                continue
            raise AssertionError(f"{cursor!r} was taken")

    def test_what_is_deleted_is_gone_and_deleting_a_missing_key_does_nothing(self) -> None:
        repository = self._repository()
        insert(repository, aggregate(("a", "1")), aggregate(("a", "2")))
        repository.delete([("a", "1"), ("a", "3"), ("b", "1")])
        assert [each.key for each in repository.scan()] == [("a", "2")]

    def test_a_scan_yields_every_aggregate_once(self) -> None:
        repository = self._repository()
        keys = [(f"p{number % 7}", f"s{number}") for number in range(120)]
        insert(repository, *(aggregate(key) for key in keys))
        assert sorted(each.key for each in repository.scan()) == sorted(keys)

    def test_the_parts_of_a_scan_together_yield_every_aggregate_once(self) -> None:
        repository = self._repository()
        keys = [(f"p{number % 7}", f"s{number}") for number in range(60)]
        insert(repository, *(aggregate(key) for key in keys))
        for segments in (1, 3):
            parts = [list(repository.scan(Part(index, segments))) for index in range(segments)]
            assert sorted(each.key for part in parts for each in part) == sorted(keys)

    def test_a_part_goes_on_behind_any_key_that_it_has_yielded(self) -> None:
        repository = self._repository()
        insert(repository, *(aggregate((f"p{number % 3}", f"s{number}")) for number in range(12)))
        for index in range(2):
            keys = [each.key for each in repository.scan(Part(index, 2))]
            for place, key in enumerate(keys):
                rest = [each.key for each in repository.scan(Part(index, 2, after=key))]
                assert rest == keys[place + 1 :]

    def test_what_has_expired_is_absent_for_every_read(self) -> None:
        clock = FakeClock()
        repository = self.make_repository(clock, TTL)
        insert(repository, aggregate(("a", "1")))
        clock.advance(TTL - 1)
        assert load(repository, ("a", "1")) is not None
        clock.advance(1)
        assert load(repository, ("a", "1")) is None
        assert repository.find("a").aggregates == []
        assert list(repository.scan()) == []

    def test_what_has_expired_can_be_inserted_anew_but_not_changed(self) -> None:
        clock = FakeClock()
        repository = self.make_repository(clock, TTL)
        ages = (30 * 86_400, 90, 1, 0)  # seconds since the expiry: a store may remove an item long after it
        firsts = [aggregate(("a", str(age)), 5, note="first") for age in ages]
        for first, age, next_age in zip(firsts, ages, (*ages[1:], 0), strict=True):
            insert(repository, first)
            clock.advance(age - next_age)
        clock.advance(TTL)
        keys = {first.key for first in firsts}
        assert repository.save([after(first) for first in firsts]).conflicts == keys
        assert not repository.load(keys).found
        anew = [aggregate(key, count=1) for key in keys]
        insert(repository, *anew)
        assert repository.load(keys).found == {each.key: each for each in anew}

    def test_every_write_puts_the_expiry_off(self) -> None:
        clock = FakeClock()
        repository = self.make_repository(clock, TTL)
        first = aggregate(("a", "1"))
        insert(repository, first)
        clock.advance(TTL - 1)
        change = after(first)
        assert not repository.save([change]).conflicts
        clock.advance(TTL - 1)
        assert load(repository, ("a", "1")) == change.after

    def test_without_a_time_to_live_nothing_expires(self) -> None:
        clock = FakeClock()
        repository = self.make_repository(clock, 0)
        insert(repository, aggregate(("a", "1")))
        clock.advance(10 * 365 * 86_400)
        assert load(repository, ("a", "1")) is not None

    def _repository(self) -> LawRepository:
        return self.make_repository(FakeClock(), 0)
