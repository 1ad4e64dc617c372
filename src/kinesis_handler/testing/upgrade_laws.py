"""Defines the laws of a repository whose stored states have an older shape than their type.

`stored_laws.StoredLaws` includes them.
"""

from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.aggregate import Key
from kinesis_handler.errors import UnreadableError
from kinesis_handler.stores import Change, Repository
from kinesis_handler.stores.upgrade import Upgrade
from kinesis_handler.testing.law_states import aggregate, insert

KEYS: list[Key] = [("a", "1"), ("a", "2")]


class First(Struct, frozen=True):
    """A state as it was first stored."""

    euros: Decimal
    owner: str


class Second(Struct, frozen=True):
    """The state in another unit, under another name."""

    cents: int
    owner: str


class Third(Struct, frozen=True):
    """The state with a part."""

    balance: Second


def to_second(stored: dict[str, Any]) -> dict[str, Any]:
    """Upgrade the first shape."""
    return {"cents": int(Decimal(stored["euros"]) * 100), "owner": stored["owner"]}


class UpgradeLaws(ABC):
    """The laws of an `upgrade`."""

    @abstractmethod
    def open_repository(self, state_type: type[Any], upgrade: Upgrade | None = None) -> Repository[Any]:
        """Return a repository of states of this type: the same store at each call, empty at the first."""

    def test_a_state_of_an_older_shape_is_upgraded_wherever_it_is_read(self) -> None:
        self._first()
        repository = self.open_repository(Second, to_second)
        expected = {key: Second(1210, "ada") for key in KEYS}
        loaded = repository.load(KEYS)
        assert not loaded.failed
        assert {key: each.state for key, each in loaded.found.items()} == expected
        assert {each.key: each.state for each in repository.find("a").aggregates} == expected
        assert {each.key: each.state for each in repository.scan()} == expected

    def test_an_upgraded_state_is_stored_with_its_next_change_and_nothing_of_the_older_shape_is_left(
        self,
    ) -> None:
        self._first()
        self._change(self.open_repository(Second, to_second), Second(1211, "eve"))
        seen: list[dict[str, Any]] = []

        def to_third(stored: dict[str, Any]) -> dict[str, Any]:
            seen.append(dict(stored))
            return {"balance": stored}

        third = self.open_repository(Third, to_third)
        assert third.load(KEYS[:1]).found[KEYS[0]].state == Third(Second(1211, "eve"))
        assert seen == [{"cents": 1211, "owner": "eve"}]
        assert self.open_repository(Second).load(KEYS[:1]).found[KEYS[0]].state == Second(1211, "eve")

    def test_what_can_be_read_and_what_is_vacant_is_not_upgraded(self) -> None:
        first = self._first()
        vacant = replace(first.load(KEYS).found[KEYS[1]], state=None, version=2)
        first.save([Change(first.load(KEYS).found[KEYS[1]], vacant)])
        loaded = self.open_repository(First, lambda _: {}).load(KEYS)
        assert loaded.found[KEYS[0]].state == First(Decimal("12.10"), "ada")
        assert loaded.vacant[KEYS[1]].version == 2

    def test_a_state_that_cannot_be_upgraded_fails_its_own_key_and_the_reason_has_no_value_of_it(
        self,
    ) -> None:
        self._first()
        self._change(self.open_repository(Second, to_second), Second(1211, "eve"))
        reasons: dict[Upgrade, str] = {
            lambda stored: {"cents": stored["pennies"]}: "`upgrade`: KeyError raised at upgrade_laws.py",
            lambda _: {
                "cents": 1
            }: "what `upgrade` returned does not fit: Object missing required field `owner`",
            lambda _: ["ada"]: "`upgrade` returned a value of the type list",  # type: ignore[return-value, dict-item]
        }
        for upgrade, reason in reasons.items():
            loaded = self.open_repository(Second, upgrade).load(KEYS)
            assert loaded.found.keys() == {KEYS[0]}
            error = loaded.failed[KEYS[1]]
            assert isinstance(error, UnreadableError)
            assert reason in str(error)
            assert "Correct the `upgrade` of its repository" in str(error)
            assert "('a', '2')" in str(error)
            assert "ada" not in str(error)

    def test_a_state_of_an_older_shape_without_an_upgrade_says_that_one_is_needed(self) -> None:
        self._first()
        error = self.open_repository(Second).load(KEYS).failed[KEYS[0]]
        assert "missing required field `cents`" in str(error)
        assert "Give its repository an `upgrade` if it has an older shape" in str(error)

    def _first(self) -> Repository[Any]:
        repository = self.open_repository(First)
        state: Any = First(Decimal("12.10"), "ada")
        insert(repository, *(replace(aggregate(key), state=state) for key in KEYS))
        return repository

    def _change(self, repository: Repository[Any], state: Struct) -> None:
        before = repository.load(KEYS[:1]).found[KEYS[0]]
        after = replace(before, state=state, version=before.version + 1)
        saved = repository.save([Change(before, after)])
        assert not saved.conflicts
        assert not saved.failed
