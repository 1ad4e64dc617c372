"""A repository that forwards to another one, for those that change some of its methods."""

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import UnstorableError
from kinesis_handler.stores import Change, Loaded, Page, Repository, Saved, State
from kinesis_handler.stores.unreadable import OnUnreadable


class ForwardingRepository(Repository[State]):
    """Forwards each method of `Repository`, for which see there, to the one that is chosen for that call."""

    @abstractmethod
    def _read(self) -> Repository[State]:
        """Choose the repository that is read."""

    def _written(self) -> Repository[State]:
        """Choose the repository that is written: by default the one that is read."""
        return self._read()

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`."""
        return self._read().load(keys)

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """See `Repository.save`."""
        return self._written().save(changes)

    def refusal(self, aggregate: Aggregate[State | None]) -> UnstorableError | None:
        """See `Repository.refusal`."""
        return self._written().refusal(aggregate)

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`."""
        return self._read().find(partition, limit=limit, cursor=cursor)

    def delete(self, keys: Collection[Key]) -> None:
        """See `Repository.delete`."""
        self._written().delete(keys)

    def scan_stored(
        self, after: Key | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State | None]]:
        """See `Repository.scan_stored`."""
        return self._read().scan_stored(after, on_unreadable=on_unreadable)
