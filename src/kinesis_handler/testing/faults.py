"""Injects faults: a repository that fails as stores do, at random but reproducibly."""

from collections.abc import Collection, Sequence
from random import Random

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.stores import Change, Loaded, Repository, Saved, State
from kinesis_handler.stores.forwarding import ForwardingRepository


class FaultyRepository(ForwardingRepository[State]):
    """Wraps another repository, and fails before and after its calls.

    Faults: a call that raises; keys that cannot be read; changes that are not written and fail; changes
    that are written but reported as failed, as when the answer is lost; conflicts.

    Args:
        repository: stores the aggregates.
        random: decides which calls fail.
        rate: probability of each fault, from 0 to 1.
        budget: number of faults when reading, and when writing, after which no more are injected.
    """

    def __init__(
        self, repository: Repository[State], random: Random, *, rate: float = 0.3, budget: int = 10
    ) -> None:
        self._repository = repository
        self._random = random
        self._rate = rate
        self._reading = self._writing = budget

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """Load, unless it raises or some of the keys cannot be read."""
        self._perhaps_fail_to_read()
        unread = [key for key in keys if self._reading_fails()]
        loaded = self._repository.load([key for key in keys if key not in unread])
        loaded.failed |= dict.fromkeys(unread, RepositoryError("injected: not read"))
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """Save, unless it raises, before or after the write, or some of the changes fail or conflict."""
        self._perhaps_fail_to_write()
        unwritten = {change.key for change in changes if self._writing_fails()}
        saved = self._repository.save([change for change in changes if change.key not in unwritten])
        for key in sorted(unwritten):
            if self._random.random() < 0.5:
                saved.conflicts.add(key)
            else:
                saved.failed[key] = RepositoryError("injected: not written")
        for change in changes:
            if change.key not in unwritten | saved.conflicts and self._writing_fails():
                saved.failed[change.key] = RepositoryError("injected: written, but the answer was lost")
        self._perhaps_fail_to_write()
        return saved

    def refusal(self, aggregate: Aggregate[State | None]) -> UnstorableError | None:
        """Return the refusal of the other repository: nobody is asked."""
        return self._repository.refusal(aggregate)

    def _read(self) -> Repository[State]:
        self._perhaps_fail_to_read()
        return self._repository

    def _written(self) -> Repository[State]:
        self._perhaps_fail_to_write()
        return self._repository

    def _reading_fails(self) -> bool:
        fails = self._reading > 0 and self._random.random() < self._rate
        self._reading -= fails
        return fails

    def _writing_fails(self) -> bool:
        fails = self._writing > 0 and self._random.random() < self._rate
        self._writing -= fails
        return fails

    def _perhaps_fail_to_read(self) -> None:
        if self._reading_fails():
            raise RepositoryError("injected: the store cannot be read")

    def _perhaps_fail_to_write(self) -> None:
        if self._writing_fails():
            raise RepositoryError("injected: the store cannot be written")
