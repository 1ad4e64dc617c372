"""Defines the laws of a repository, as tests that any implementation must pass.

Subclass `RepositoryLaws`, implement `make_repository`, and let pytest collect the subclass:

    class TestMyRepository(RepositoryLaws):
        def make_repository(self, clock, ttl):
            return MyRepository(ttl=ttl, clock=clock)
"""

from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from kinesis_handler.errors import InvalidCursorError
from kinesis_handler.stores import BEGINNING, Change
from kinesis_handler.testing.hard_values import NUMBERS, STRANGE, UNSTORABLE_KEYS, UNSTORABLE_NUMBERS
from kinesis_handler.testing.law_states import (
    LawRepository,
    after,
    aggregate,
    amount_of,
    assert_unstorable,
    find_all,
    insert,
    load,
)
from kinesis_handler.testing.records import FakeClock
from kinesis_handler.testing.vacant_laws import VacantLaws

TTL = 3_600


class RepositoryLaws(VacantLaws):
    """The laws of every repository. Time comes from the clock that it is made with."""

    @abstractmethod
    def make_repository(self, clock: Callable[[], float], ttl: int) -> LawRepository:
        """Return an empty repository. `ttl`: seconds from a write to its expiry, 0 for never."""

    def test_what_was_never_saved_is_not_found(self) -> None:
        repository = self._holding()
        assert load(repository, ("a", "1")) is None
        assert repository.find("a").aggregates == []
        assert list(repository.scan()) == []

    def test_what_is_saved_is_loaded_equal(self) -> None:
        saved = aggregate(("a", "1"), 3, count=7, amount=Decimal("9800.10"), note="n", tags=("x", "y"))
        repository = self._holding(saved)
        assert load(repository, ("a", "1")) == saved

    def test_numbers_of_38_digits_come_back_to_the_last_zero(self) -> None:
        repository = self._holding()
        for index, digits in enumerate(NUMBERS):
            first = aggregate(("a", str(index)), amount=Decimal(digits))
            insert(repository, first)
            assert str(amount_of(load(repository, first.key))) == digits
            repository.save([after(first, amount=Decimal("1.10"))])
            assert str(amount_of(load(repository, first.key))) == "1.10"

    def test_a_float_comes_back_as_it_was(self) -> None:
        repository = self._holding()
        for index, ratio in enumerate((0.1, -0.0, 1.0, 1e-130, 9.99e125, 2 / 3)):
            insert(repository, aggregate(("a", str(index)), ratio=ratio))
            assert load(repository, ("a", str(index))) == aggregate(("a", str(index)), ratio=ratio)

    def test_a_number_that_no_store_can_hold_is_unstorable_and_all_other_changes_are_saved(self) -> None:
        for number in UNSTORABLE_NUMBERS:
            repository = self._holding()
            bad_state: dict[str, Any] = {"amount" if isinstance(number, Decimal) else "ratio": number}
            first = aggregate(("a", "changed"))
            insert(repository, first)
            bad = [Change(None, aggregate(("a", "new"), **bad_state)), after(first, **bad_state)]
            good = Change(None, aggregate(("a", "good")))
            assert_unstorable(repository.save([bad[0], good, bad[1]]), {each.key for each in bad})
            found = repository.load([("a", "new"), ("a", "changed"), ("a", "good")]).found
            assert found == {("a", "changed"): first, ("a", "good"): good.after}, number
            repository.delete(found)

    def test_a_key_that_no_store_accepts_is_unstorable_and_all_other_changes_are_saved(self) -> None:
        repository = self._holding()
        for index, key in enumerate(UNSTORABLE_KEYS):
            good = aggregate(("a", f"good-{index}"))
            assert_unstorable(repository.save([Change(None, aggregate(key)), Change(None, good)]), {key})
            assert repository.load([key, good.key]).found == {good.key: good}
            assert key not in [each.key for each in repository.find(key[0]).aggregates]
            repository.delete([key])

    def test_many_keys_are_loaded_at_once(self) -> None:
        keys = [(f"p{number % 7}", f"s{number}") for number in range(250)]
        repository = self._holding(*(aggregate(key) for key in keys[:220]))
        assert set(repository.load(keys).found) == set(keys[:220])

    def test_keys_of_any_characters_are_distinct(self) -> None:
        keys = [(partition, sort) for partition in STRANGE for sort in STRANGE[:4]]
        repository = self._holding(*(aggregate(key, note=repr(key)) for key in keys))
        found = repository.load(keys).found
        assert {key: each.state.note for key, each in found.items()} == {key: repr(key) for key in keys}

    def test_a_change_of_the_loaded_version_is_saved(self) -> None:
        first = aggregate(("a", "1"), note="first")
        repository = self._holding(first)
        change = after(first, count=2, note=None)
        assert not repository.save([change]).conflicts
        assert load(repository, ("a", "1")) == change.after

    def test_a_second_insert_of_a_key_conflicts_and_changes_nothing(self) -> None:
        first = aggregate(("a", "1"), note="first")
        repository = self._holding(first)
        assert repository.save([Change(None, aggregate(("a", "1"), note="second"))]).conflicts == {("a", "1")}
        assert load(repository, ("a", "1")) == first

    def test_a_change_of_a_version_that_is_no_longer_stored_conflicts(self) -> None:
        first = aggregate(("a", "1"))
        repository = self._holding(first)
        winner = after(first, note="winner")
        repository.save([winner])
        assert repository.save([after(first, note="loser")]).conflicts == {("a", "1")}
        assert load(repository, ("a", "1")) == winner.after

    def test_a_change_of_a_key_that_is_gone_conflicts_and_brings_nothing_back(self) -> None:
        first = aggregate(("a", "1"))
        repository = self._holding(first)
        repository.delete([("a", "1")])
        assert repository.save([after(first)]).conflicts == {("a", "1")}
        assert load(repository, ("a", "1")) is None

    def test_after_a_conflict_of_one_key_all_other_changes_are_saved(self) -> None:
        repository = self._holding(aggregate(("a", "50")))
        saved = repository.save([Change(None, aggregate(("a", f"{number}"))) for number in range(100)])
        assert saved.conflicts == {("a", "50")}
        assert len(find_all(repository, "a", 30)) == 100

    def test_two_changes_of_one_key_are_an_error_and_neither_is_written(self) -> None:
        repository = self._holding()
        twice = [Change(None, aggregate(("a", "1"), note=note)) for note in ("one", "two")]
        try:
            repository.save(twice)
        except ValueError:
            assert load(repository, ("a", "1")) is None
        else:
            raise AssertionError("it was not refused")

    def test_of_writers_that_save_the_same_version_at_once_exactly_one_wins(self) -> None:
        first = aggregate(("a", "1"))
        repository = self._holding(first)
        changes = [after(first, count=number) for number in range(1, 9)]
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda change: repository.save([change]), changes))
        winners = [change for change, saved in zip(changes, results, strict=True) if not saved.conflicts]
        assert [each.after for each in winners] == [load(repository, ("a", "1"))]

    def test_a_partition_is_found_in_the_order_of_its_sort_keys_in_pages_of_any_size(self) -> None:
        sorts = ["b", "a", "10", "9", "å", "Z", "🎲", "aa"]
        repository = self._holding(*(aggregate(("a", sort)) for sort in sorts), aggregate(("ab", "x")))
        for limit in (1, 3, 7, 8, 9, 100):
            assert [each.key[1] for each in find_all(repository, "a", limit)] == sorted(sorts)

    def test_a_cursor_that_came_with_no_page_is_refused(self) -> None:
        repository = self._holding()
        for cursor in ("", "?", "not a cursor", "ÿ", "AAAA*"):
            try:
                repository.find("a", cursor=cursor)
            except InvalidCursorError:
                continue
            raise AssertionError(f"{cursor!r} was taken")

    def test_what_is_deleted_is_gone_and_deleting_a_missing_key_does_nothing(self) -> None:
        repository = self._holding(aggregate(("a", "1")), aggregate(("a", "2")))
        repository.delete([("a", "1"), ("a", "3"), ("b", "1")])
        assert [each.key for each in repository.scan()] == [("a", "2")]

    def test_a_scan_yields_every_aggregate_once(self) -> None:
        keys = [(f"p{number % 7}", f"s{number}") for number in range(120)]
        repository = self._holding(*(aggregate(key) for key in keys))
        assert sorted(each.key for each in repository.scan()) == sorted(keys)

    def test_a_scan_from_the_beginning_yields_every_aggregate_and_continues_after_any_of_them(self) -> None:
        all_keys = [(f"p{number % 3}", f"s{number}") for number in range(12)]
        repository = self._holding(*map(aggregate, all_keys))
        keys = [each.key for each in repository.scan(BEGINNING)]
        assert sorted(keys) == sorted(all_keys)
        for number, key in enumerate(keys):
            assert [each.key for each in repository.scan(key)] == keys[number + 1 :]

    def test_an_expired_aggregate_is_absent_for_every_read(self) -> None:
        clock = FakeClock()
        repository = self.make_repository(clock, TTL)
        insert(repository, aggregate(("a", "1")))
        clock.advance(TTL - 1)
        assert load(repository, ("a", "1")) is not None
        clock.advance(1)
        assert load(repository, ("a", "1")) is None
        assert repository.find("a").aggregates == []
        assert list(repository.scan()) == []

    def test_an_expired_aggregate_can_be_inserted_again_but_not_changed(self) -> None:
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
        again = [aggregate(key, count=1) for key in keys]
        insert(repository, *again)
        assert repository.load(keys).found == {each.key: each for each in again}

    def test_every_write_postpones_the_expiry(self) -> None:
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
