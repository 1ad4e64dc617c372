"""Defines the laws of a repository that stores encoded states, as tests that any implementation must pass.

A later release, with other types, may read a stored state, and a stored state may be damaged. Subclass
`StoredLaws` in addition to `RepositoryLaws`, and implement how to open the store as another type, and how to
damage it:

    class TestMyStoredStates(StoredLaws):
        def open_repository(self, state_type, upgrade=None):
            return MyRepository(self.path, state_type, upgrade)

        def damage(self, key):
            overwrite(self.path, key, b"not a state")
"""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import chain
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnreadableError
from kinesis_handler.stores import BEGINNING, Change, Repository
from kinesis_handler.testing.law_states import LawState, aggregate, assert_unstorable, insert
from kinesis_handler.testing.upgrade_laws import UpgradeLaws


class InnerOld(Struct, frozen=True):
    """A part of a state, before fields were added to it."""

    size: int


class Inner(Struct, frozen=True):
    """A part of a state, with an added field."""

    size: int
    unit: str = "cm"


class InnerLater(Struct, frozen=True):
    """A part of a state, with another default."""

    size: int
    unit: str = "inch"


class Old(Struct, frozen=True):
    """A state before fields were added to it."""

    inner: InnerOld
    count: int = 0


class New(Struct, frozen=True):
    """A state with added fields."""

    inner: Inner
    count: int = 0
    kind: str = "first"
    note: str | None = None
    tags: tuple[str, ...] = ()
    inners: tuple[Inner, ...] = (Inner(1),)


class Later(Struct, frozen=True):
    """A state whose defaults have changed."""

    inner: InnerLater
    count: int = 1
    kind: str | None = "later"
    note: str | None = "none"
    tags: tuple[str, ...] = ("later",)
    inners: tuple[InnerLater, ...] = ()


KEY: Key = ("a", "1")
SORTS = [f"{number}" for number in range(7)]


class StoredLaws(UpgradeLaws):
    """The laws of every repository that stores encoded states."""

    @abstractmethod
    def damage(self, key: Key) -> None:
        """Overwrite the state stored under a key with data that is no state of any type."""

    def test_a_default_that_changes_does_not_change_what_was_inserted(self) -> None:
        state = New(Inner(5))
        insert(self.open_repository(New), _of(state))
        assert self._fields_read_later() == _fields(state)

    def test_a_default_that_changes_does_not_change_what_was_updated(self) -> None:
        state = New(Inner(5), kind="other", note="n", tags=("x",))
        insert(self.open_repository(New), _of(state))
        self._update(replace(state, kind="first", note=None, tags=()))
        assert self._fields_read_later() == _fields(New(Inner(5)))

    def test_fields_that_an_item_lacked_are_written_with_its_next_update(self) -> None:
        insert(self.open_repository(Old), _of(Old(InnerOld(5))))
        before = self._load(New).state
        assert before == New(Inner(5))
        self._update(replace(before, count=1))
        assert self._fields_read_later() == _fields(New(Inner(5), count=1))

    def test_a_state_that_could_not_be_read_again_is_unstorable_and_all_other_changes_are_saved(self) -> None:
        repository = self.open_repository(LawState)
        wrong: list[dict[str, Any]] = [
            {"count": "1"},
            {"count": None},
            {"tags": ("a", 1)},
            {"note": "\ud83c"},
            {"tags": ("\udfb2",)},
        ]
        bad = [aggregate(("bad", f"{index}"), **state) for index, state in enumerate(wrong)]
        good = [aggregate(("good", f"{index}")) for index in range(len(bad) + 1)]
        mixed = [good[-1], *chain.from_iterable(zip(bad, good, strict=False))]
        assert_unstorable(repository.save([Change(None, each) for each in mixed]), {each.key for each in bad})
        assert {each.key for each in repository.scan()} == {each.key for each in good}

    def test_a_damaged_state_fails_its_own_key_and_all_others_are_loaded(self) -> None:
        repository = self._damaged("3")
        loaded = repository.load([("a", sort) for sort in SORTS])
        assert sorted(key[1] for key in loaded.found) == [sort for sort in SORTS if sort != "3"]
        assert {key: type(error) for key, error in loaded.failed.items()} == {("a", "3"): UnreadableError}
        assert "('a', '3')" in str(loaded.failed["a", "3"])

    def test_a_page_names_damaged_states_and_has_all_others(self) -> None:
        repository = self._damaged("0", "3", "6")
        for limit in (1, 2, 3, 7, 100):
            found: list[str] = []
            named: list[str] = []
            page = repository.find("a", limit=limit)
            while True:
                assert len(page.aggregates) + len(page.unreadable) <= limit
                found += [each.key[1] for each in page.aggregates]
                named += [key[1] for key in page.unreadable]
                if page.cursor is None:
                    break
                page = repository.find("a", limit=limit, cursor=page.cursor)
            assert found == ["1", "2", "4", "5"]
            assert named == ["0", "3", "6"]

    def test_a_scan_reports_damaged_states_and_yields_all_others(self) -> None:
        repository = self._damaged("0", "3", "6")
        for after in (None, BEGINNING):
            named: dict[Key, UnreadableError] = {}
            found = [each.key[1] for each in repository.scan(after, on_unreadable=named.__setitem__)]
            assert sorted(found) == ["1", "2", "4", "5"]
            assert sorted(named) == [("a", "0"), ("a", "3"), ("a", "6")]
            assert all(str(key) in str(error) for key, error in named.items())

    def test_a_scan_without_a_callback_yields_all_others_before_it_raises(self) -> None:
        repository = self._damaged("3")
        found: list[str] = []
        reason = ""
        try:
            found.extend(each.key[1] for each in repository.scan())
        except UnreadableError as error:
            reason = str(error)
        assert "('a', '3')" in reason
        assert sorted(found) == [sort for sort in SORTS if sort != "3"]

    def test_a_damaged_state_is_not_overwritten_and_all_other_changes_are_saved(self) -> None:
        repository = self._damaged("3")
        saved = repository.save([Change(None, aggregate(("a", sort), note="new")) for sort in ("3", "7")])
        assert saved.conflicts | saved.failed.keys() == {("a", "3")}
        assert repository.load([("a", "3")]).failed.keys() == {("a", "3")}
        assert repository.load([("a", "7")]).found.keys() == {("a", "7")}

    def test_a_damaged_state_can_be_deleted_and_inserted_again(self) -> None:
        repository = self._damaged("3")
        repository.delete([("a", "3")])
        insert(repository, aggregate(("a", "3"), note="again"))
        assert repository.load([("a", "3")]).found["a", "3"].state.note == "again"

    def _damaged(self, *sorts: str) -> Repository[LawState]:
        """Return a repository in which some of SORTS are damaged."""
        repository: Repository[LawState] = self.open_repository(LawState)
        insert(repository, *(aggregate(("a", sort)) for sort in SORTS))
        for sort in sorts:
            self.damage(("a", sort))
        return repository

    def _load(self, state_type: type[Any]) -> Aggregate[Any]:
        loaded = self.open_repository(state_type).load([KEY])
        assert not loaded.failed
        return loaded.found[KEY]

    def _update(self, state: New) -> None:
        self._change(self.open_repository(New), state)

    def _fields_read_later(self) -> Mapping[str, object]:
        return _fields(self._load(Later).state)


def _of(state: Struct) -> Aggregate[Any]:
    return replace(aggregate(KEY), state=state)


def _fields(state: Any) -> dict[str, Any]:
    """Return the fields of a state, without its types."""
    return {**asdict(state), "inner": asdict(state.inner), "inners": [asdict(each) for each in state.inners]}
