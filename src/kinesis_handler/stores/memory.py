"""A repository in the memory of one process: for tests, for a laptop, and as the plainest example."""

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from threading import Lock
from typing import Any

from kinesis_handler.aggregate import Aggregate, Key, Parked
from kinesis_handler.stores import Change, Loaded, Page, Repository, Saved, State, present, storable
from kinesis_handler.stores.cursor import decode_cursor, encode_cursor
from kinesis_handler.stores.expiry import VACANT_TTL, Expiry
from kinesis_handler.stores.unreadable import OnUnreadable

__all__ = ["MemoryRepository"]


class MemoryRepository(Repository[State]):
    """Stores aggregates in a dictionary for each partition.

    Args:
        ttl: seconds after its last write at which an aggregate expires; 0 for never.
        clock: seconds since epoch.
        vacant_ttl: seconds after which a vacant one does; 0 for never.
    """

    def __init__(
        self, ttl: int = 0, clock: Callable[[], float] = time.time, *, vacant_ttl: int = VACANT_TTL
    ) -> None:
        self.expiry = Expiry(ttl, vacant_ttl)
        """When its aggregates expire."""
        self._clock = clock
        self._lock = Lock()
        self._partitions: dict[str, dict[str, tuple[Aggregate[State | None], float]]] = {}
        self._sorted: dict[str, list[str]] = {}

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`. Nothing can fail here."""
        now = self._clock()
        loaded: Loaded[State] = Loaded({})
        found: dict[Key, Any] = loaded.found  # as `Loaded.add` does, in fewer steps
        vacant: dict[Key, Any] = loaded.vacant
        with self._lock:
            for key in keys:
                aggregate = self._get(key, now)
                if aggregate is None:
                    continue
                if aggregate.state is None:
                    vacant[key] = aggregate
                else:
                    found[key] = aggregate
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """See `Repository.save`. What no store can hold is refused here too."""
        keyed, saved = storable(changes)
        now = self._clock()
        of_a_state = now + self.expiry.ttl if self.expiry.ttl else math.inf  # nearly all have one
        with self._lock:
            for key, change in keyed.items():
                stored, after = self._get(key, now), change.after
                if stored is not change.before and _revision(stored) != _revision(change.before):
                    saved.conflicts.add(key)
                    continue
                expires_at = of_a_state
                if after.state is None or after.parked is not None:
                    seconds = self.expiry.seconds(after)
                    expires_at = now + seconds if seconds else math.inf
                partition, sort = key
                self._partitions.setdefault(partition, {})[sort] = (after, expires_at)
        return saved

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`. The cursor is the sort key of the last aggregate before the page."""
        after, now = decode_cursor(cursor), self._clock()
        with self._lock:
            sorts = self._sorts(partition)
            behind = (sorts[index] for index in range(bisect_right(sorts, after), len(sorts)))
            alive = (each for sort in behind if (each := self._get((partition, sort), now)) is not None)
            found = list(islice(present(alive), limit + 1))  # one more shows that there is a next page
        page = found[:limit]
        return Page(page, encode_cursor(page[-1].key[1]) if len(found) > limit else None)

    def delete(self, keys: Collection[Key]) -> None:
        """See `Repository.delete`."""
        with self._lock:
            for partition, sort in keys:
                if self._partitions.get(partition, {}).pop(sort, None) is not None:
                    self._sorted.pop(partition, None)

    def scan_stored(
        self,
        after: Key | None = None,
        *,
        on_unreadable: OnUnreadable | None = None,  # noqa: ARG002 - nothing here can be damaged
    ) -> Iterator[Aggregate[State | None]]:
        """See `Repository.scan_stored`. Later writes do not show."""
        now = self._clock()
        with self._lock:
            stored = [each for items in self._partitions.values() for each in items.values()]
        aggregates = [aggregate for aggregate, expires_at in stored if expires_at > now]
        if after is not None:
            aggregates = sorted((each for each in aggregates if each.key > after), key=lambda each: each.key)
        return iter(aggregates)

    def _sorts(self, partition: str) -> list[str]:
        """Return the sort keys of a partition in their order, which is cached from one page to the next."""
        items, sorts = self._partitions.get(partition, {}), self._sorted.get(partition, [])
        if len(sorts) != len(items):  # there are new keys: had one gone, so would have the order
            sorts = self._sorted[partition] = sorted(items)
        return sorts

    def _get(self, key: Key, now: float) -> Aggregate[State | None] | None:
        items = self._partitions.get(key[0])
        stored = None if items is None else items.get(key[1])
        if stored is None:
            return None
        aggregate, expires_at = stored
        return aggregate if expires_at > now else None


def _revision(aggregate: Aggregate[object] | None) -> tuple[int, Parked | None] | None:
    return (aggregate.version, aggregate.parked) if aggregate is not None else None
