"""What is shown to others: the side that the phase names, as it is. Looking at it changes nothing."""

from collections.abc import Callable, Collection, Iterator
from typing import Generic, TypeVar

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.moving.phase import Phase
from kinesis_handler.stores import Loaded, Page, ReadableRepository
from kinesis_handler.stores.part import Part
from kinesis_handler.stores.unreadable import OnUnreadable

State = TypeVar("State")


class ReadSide(Generic[State]):
    """One of two repositories, for those that only read.

    Args:
        source: where aggregates have been kept.
        target: where they are to be kept.
        phase: tells the phase. It may change at any moment.
    """

    def __init__(
        self,
        source: ReadableRepository[State],
        target: ReadableRepository[State],
        phase: Callable[[], Phase],
    ) -> None:
        self._source = source
        self._target = target
        self._phase = phase

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`."""
        return self._side().load(keys)

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`."""
        return self._side().find(partition, limit=limit, cursor=cursor)

    def scan(
        self, part: Part | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State]]:
        """See `Repository.scan`."""
        return self._side().scan(part, on_unreadable=on_unreadable)

    def _side(self) -> ReadableRepository[State]:
        return self._target if self._phase().reads_target else self._source
