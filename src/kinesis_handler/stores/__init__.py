"""The protocol of a repository, where aggregates are stored, and `open_store`, which opens one.

`kinesis_handler.testing.RepositoryLaws` tests any implementation of it.
"""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeGuard, TypeVar, cast

from msgspec import Struct, field

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError, UnstorableError
from kinesis_handler.storable import key_problem, number_problem
from kinesis_handler.stores.opening import Store, open_store
from kinesis_handler.stores.unreadable import OnUnreadable

__all__ = ["Change", "Loaded", "Page", "Repository", "Saved", "Store", "Table", "open_store"]

State = TypeVar("State")

BEGINNING: Key = ("", "")
"""A key before all others: with it a scan begins, in the order in which one that is interrupted goes on."""


class Change(Struct, Generic[State], frozen=True, gc=False):
    """An aggregate to be saved, vacant or not. `before` is what was loaded; None if there was nothing."""

    before: Aggregate[State | None] | None
    after: Aggregate[State | None]

    @property
    def key(self) -> Key:
        """The key that changes."""
        return self.after.key


def by_key(changes: Sequence[Change[State]]) -> dict[Key, Change[State]]:
    """Return the changes by their keys.

    Raises ValueError if two of them are of one key: which of them would win?
    """
    keyed = {change.after.key: change for change in changes}
    if len(keyed) < len(changes):
        raise ValueError("two changes of one key in one save: which of them would win?")
    return keyed


def storable(changes: Sequence[Change[State]]) -> tuple[dict[Key, Change[State]], "Saved"]:
    """Return the changes that a store can hold, by their keys, and the others as failed.

    Every repository begins its `save` with this, so that all refuse the same.

    Raises ValueError as `by_key` does.
    """
    keyed, saved = by_key(changes), Saved()
    for key, change in keyed.items():
        problem = number_problem(change.after.state)
        if problem is None and change.before is None:  # else it was stored by its key before
            problem = key_problem(key)
        if problem is not None:
            saved.failed[key] = UnstorableError(problem)
    if saved.failed:
        keyed = {key: change for key, change in keyed.items() if key not in saved.failed}
    return keyed, saved


class Loaded(Struct, Generic[State]):
    """What was found, and which keys could not be read, and why. A key in none of these does not exist.

    Args:
        found: the aggregates that have a state.
        failed: an UnstorableError for a key that the store can never hold, and an UnreadableError for one
            under which something damaged is stored, or something of another type.
        vacant: the lineage of keys that have no state: who only reads needs none of these.
        remembered: keys that were not read, because this process has written them last: see `cached`. What is
            written behind them is conditional on it; who writes nothing loads them again, and they are read.
    """

    found: dict[Key, Aggregate[State]]
    failed: dict[Key, RepositoryError | UnstorableError] = field(default_factory=dict)
    vacant: dict[Key, Aggregate[None]] = field(default_factory=dict)
    remembered: set[Key] = field(default_factory=set)

    def add(self, aggregate: Aggregate[State | None]) -> None:
        """Add what is stored under a key: to `found`, or to `vacant`."""
        if is_present(aggregate):
            self.found[aggregate.key] = aggregate
        else:
            self.vacant[aggregate.key] = cast("Aggregate[None]", aggregate)

    def stored(self) -> dict[Key, Aggregate[State | None]]:
        """Return what is stored under the keys, vacant or not."""
        return {**self.found, **self.vacant}


def present(stored: Iterable[Aggregate[State | None]]) -> Iterator[Aggregate[State]]:
    """Yield the aggregates that have a state."""
    return (each for each in stored if is_present(each))


def is_present(aggregate: Aggregate[State | None]) -> TypeGuard[Aggregate[State]]:
    """Return whether an aggregate has a state; if not, it is vacant."""
    return aggregate.state is not None


class Saved(Struct):
    """Which changes were not saved; all others were.

    Args:
        conflicts: keys that another writer has changed since they were loaded.
        failed: why a key's change was not saved. After a RepositoryError it may have been written all the
            same; an UnstorableError says that the store can never hold it.
    """

    conflicts: set[Key] = field(default_factory=set)
    failed: dict[Key, RepositoryError | UnstorableError] = field(default_factory=dict)


class Page(Struct, Generic[State], frozen=True):
    """One page of a partition.

    Args:
        aggregates: in the order of their sort keys.
        cursor: asks for the next page; None on the last one.
        unreadable: keys of this page whose items are damaged or of another type, and how. They are not among
            the aggregates.
    """

    aggregates: list[Aggregate[State]]
    cursor: str | None
    unreadable: dict[Key, UnreadableError] = field(default_factory=dict)


class ReadableRepository(Protocol[State]):
    """The reading half of `Repository`. Of vacant aggregates only `load` says anything."""

    @abstractmethod
    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """Read the aggregates of these keys, with every write that was answered before the call."""

    @abstractmethod
    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """Read up to `limit` aggregates of a partition, in the order of their sort keys.

        What is damaged is named in the page, and counts as one of them.

        Raises InvalidCursorError if `cursor` was not handed out by this method.
        """

    @abstractmethod
    def scan(
        self, after: Key | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State]]:
        """Read all aggregates that have a state, in no particular order.

        With `after`, read those behind this key, which such a scan has yielded, or reported as unreadable:
        they come in the same order each time. Behind `("", "")`, BEGINNING, these are all.

        What is damaged, or of another type, is left out and reported to `on_unreadable`.

        Raises UnreadableError behind the last aggregate if there is such a thing, and no `on_unreadable`.
        """


class Repository(ReadableRepository[State], Protocol[State]):
    """Stores aggregates by key (partition, sort).

    An aggregate that has expired is absent for every method, even if it is still stored; see `expiry` for
    when it does. All methods may be called from several threads at once.

    A subclass need not define `refusal` and `scan`; one that lacks another method cannot be made.
    """

    @abstractmethod
    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """Write each change if its key is still as it was loaded: absent, or of the same version and note.

        Each change is written whole or not at all, and without regard to the others. Never writes two
        changes of one key: raises ValueError if there are.
        """

    def refusal(self, aggregate: Aggregate[State | None]) -> UnstorableError | None:
        """Return why the store can never hold this, if that is known without a request; None if not.

        `save` may still find out that it cannot be stored.
        """
        del aggregate  # by default nothing is known
        return None

    @abstractmethod
    def delete(self, keys: Collection[Key]) -> None:
        """Remove these aggregates, whatever their version. A missing key does nothing.

        Nothing of them is left, so that a replay would begin them anew, and a key that is deleted while it is
        copied to another store may come back. A projection that returns `DELETED` leaves their lineage.
        """

    @abstractmethod
    def scan_stored(
        self, after: Key | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State | None]]:
        """Read as `scan` does, vacant aggregates too: all that a copy of the store needs."""

    def scan(
        self, after: Key | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State]]:
        """Read all aggregates that have a state: by default those of `scan_stored`, but for vacant ones."""
        return present(self.scan_stored(after, on_unreadable=on_unreadable))


def pages_of(repository: ReadableRepository[State], partition: str, size: int) -> Iterator[Page[State]]:
    """Yield a whole partition, page by page."""
    page = repository.find(partition, limit=size)
    yield page
    while page.cursor is not None:
        page = repository.find(partition, limit=size, cursor=page.cursor)
        yield page


class Table(Protocol):
    """What has to be made before a repository can save anything."""

    @property
    def name(self) -> str:
        """Its name in the store."""

    @property
    def keys(self) -> tuple[str, str]:
        """The names of its partition key and its sort key, both strings."""

    @property
    def expires_by(self) -> str:
        """The attribute that holds when an item expires, in epoch seconds: its time to live."""

    def check(self) -> None:
        """Raise ConfigurationError, which says what to do, if it cannot be used."""

    def create(self, *, deletion_protection: bool = False) -> None:
        """Make it. Raises ConfigurationError if it exists, or may not be made."""

    def describe(self) -> Mapping[str, object]:
        """Return its properties. Raises ConfigurationError if it does not exist, or may not be described."""

    def delete(self) -> None:
        """Remove it with all that is in it. Raises ConfigurationError if that cannot be done."""

    def exists(self) -> bool:
        """Return whether it exists. Raises ConfigurationError if that may not be asked."""
