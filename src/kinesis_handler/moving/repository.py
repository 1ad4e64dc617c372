"""The two stores of a move as one repository. See `phase` for who decides, and who is written too."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Generic

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import RepositoryError, UnreadableError, UnstorableError
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.replication import write_behind, write_if_newer
from kinesis_handler.stores import Change, Loaded, Page, ReadableRepository, Repository, Saved, State
from kinesis_handler.stores.forwarding import ForwardingRepository
from kinesis_handler.stores.unreadable import OnUnreadable


class ReadSide(Generic[State]):
    """One of two repositories, for those that only read. Reading changes nothing, and repairs nothing.

    Args:
        sides: the two repositories.
        side: returns the one to read. It may change at any moment, back and forth.
    """

    def __init__(self, sides: Mapping[Side, ReadableRepository[State]], side: Callable[[], Side]) -> None:
        self._sides = sides
        self._side = side

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`."""
        return self._sides[self._side()].load(keys)

    def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[State]:
        """See `Repository.find`."""
        return self._sides[self._side()].find(partition, limit=limit, cursor=cursor)

    def scan(
        self, after: Key | None = None, *, on_unreadable: OnUnreadable | None = None
    ) -> Iterator[Aggregate[State]]:
        """See `Repository.scan`."""
        return self._sides[self._side()].scan(after, on_unreadable=on_unreadable)


class MovingRepository(ForwardingRepository[State]):
    """Keeps aggregates in one of two repositories, or in both, as the phase says.

    What it loads and finds is the side that decides, which also says what it refuses. A key whose replica
    cannot be written fails, with a RepositoryError even if the replica can never store it: the deciding side
    has it, so no event of it may be rejected; and none may be acknowledged while the replica, which may
    decide next, lacks it.

    Args:
        sides: the two repositories.
        phase: returns the phase. It may change at any moment, by one step.
    """

    def __init__(self, sides: Mapping[Side, Repository[State]], phase: Callable[[], Phase]) -> None:
        self._sides = sides
        self._phase = phase
        declared = (getattr(each, "state_type", Any) for each in sides.values())
        self.state_type = next((each for each in declared if each is not Any), Any)

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """See `Repository.load`. A replica that is behind is brought up before its key is handed out.

        A write to the deciding side may have been all that was done of an event: its answer was lost, or the
        handler killed. The event comes again as a duplicate, changes nothing, and is acknowledged.
        """
        phase = self._phase()
        loaded = self._sides[phase.decides].load(keys)
        if phase.replica is not None:
            written = write_if_newer(self._sides[phase.replica], loaded.stored().values())
            for key, why in _unreplicated(phase, written.failed).items():
                loaded.found.pop(key, None)
                loaded.vacant.pop(key, None)
                loaded.failed[key] = why
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """See `Repository.save`. The replica is written behind the deciding side, and only what that took."""
        phase = self._phase()
        saved = self._sides[phase.decides].save(changes)
        if phase.replica is not None:
            unsaved = saved.conflicts | saved.failed.keys()
            taken = [change for change in changes if change.key not in unsaved]
            saved.failed |= _unreplicated(phase, write_behind(self._sides[phase.replica], taken))
        return saved

    def delete(self, keys: Collection[Key]) -> None:
        """See `Repository.delete`. The replica comes last: else a load would bring the keys up again."""
        phase = self._phase()
        self._sides[phase.decides].delete(keys)
        if phase.replica is not None:
            self._sides[phase.replica].delete(keys)

    def _read(self) -> Repository[State]:
        return self._sides[self._phase().decides]


def _unreplicated(
    phase: Phase, failed: Mapping[Key, RepositoryError | UnstorableError]
) -> dict[Key, RepositoryError]:
    """Return why keys are not in the replica. What is damaged there stays so, however long one waits."""
    errors: dict[Key, RepositoryError] = {}
    for key, why in failed.items():
        text = f"the {phase.replica}, which is written too: {why}"
        if isinstance(why, UnstorableError):
            text += f". It can never store this: the key fails until the phase is `{phase.decides}`"
        errors[key] = (UnreadableError if isinstance(why, UnreadableError) else RepositoryError)(text)
    return errors
