"""Faults: a repository that fails as stores do, at random but repeatably."""

from collections.abc import Collection, Iterator, Sequence
from random import Random
from typing import Generic, TypeVar

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError
from kinesis_handler.repository import Change, Loaded, Page, Repository, Saved

State = TypeVar("State")


class FaultyRepository(Generic[State]):
    """Keeps aggregates in another repository, and fails on the way there and back.

    Faults: a call that raises; keys that cannot be read; changes that are not written and fail; changes
    that are written and fail all the same, as when the answer is lost; conflicts.

    Args:
        repository: where the aggregates are kept.
        random: what decides.
        rate: how likely each fault is, from 0 to 1.
        budget: how many faults there are before the store is well for good.
    """

    def __init__(
        self, repository: Repository[State], random: Random, *, rate: float = 0.3, budget: int = 10
    ) -> None:
        self._repository = repository
        self._random = random
        self._rate = rate
        self.budget = budget

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """Load, unless it raises or some of the keys cannot be read."""
        self._perhaps_raise()
        failed = {key: RepositoryError("injected: not read") for key in keys if self._strikes()}
        loaded = self._repository.load([key for key in keys if key not in failed])
        return Loaded(loaded.found, failed)

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """Save, unless it raises, before or after the write, or some of the changes fail or conflict."""
        self._perhaps_raise()
        unwritten = {change.key for change in changes if self._strikes()}
        saved = self._repository.save([change for change in changes if change.key not in unwritten])
        for key in sorted(unwritten):
            if self._random.random() < 0.5:
                saved.conflicts.add(key)
            else:
                saved.failed[key] = RepositoryError("injected: not written")
        for change in changes:
            if change.key not in saved.failed | dict.fromkeys(saved.conflicts) and self._strikes():
                saved.failed[change.key] = RepositoryError("injected: written, but the answer was lost")
        self._perhaps_raise()
        return saved

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """Find, unless it raises."""
        self._perhaps_raise()
        return self._repository.find(partition, limit=limit, cursor=cursor)

    def delete(self, keys: Collection[Key]) -> None:
        """Delete, unless it raises."""
        self._perhaps_raise()
        self._repository.delete(keys)

    def scan(self) -> Iterator[Aggregate[State]]:
        """Scan, unless it raises."""
        self._perhaps_raise()
        return self._repository.scan()

    def _strikes(self) -> bool:
        if self.budget == 0 or self._random.random() >= self._rate:
            return False
        self.budget -= 1
        return True

    def _perhaps_raise(self) -> None:
        if self._strikes():
            raise RepositoryError("injected: the store is down")
