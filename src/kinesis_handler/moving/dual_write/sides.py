"""One side of two: what it raises is a failure of all that it was asked for, and says which side it was."""

from collections.abc import Collection, Mapping, Sequence
from typing import Generic, TypeVar

from kinesis_handler.aggregate import Key
from kinesis_handler.errors import RepositoryError, UnstorableError
from kinesis_handler.moving.agreement import Agreement
from kinesis_handler.moving.phase import Side
from kinesis_handler.stores import Change, Loaded, Repository, Saved

State = TypeVar("State")

Failed = dict[Key, RepositoryError | UnstorableError]


class OneSide(Generic[State]):
    """A repository that raises nothing.

    Args:
        side: which one it is.
        repository: what is kept there.
    """

    def __init__(self, side: Side, repository: Repository[State]) -> None:
        self.side = side
        self._repository = repository

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """Load what can be loaded."""
        if not keys:
            return Loaded({})
        try:
            loaded = self._repository.load(keys)
        except RepositoryError as error:
            return Loaded({}, dict.fromkeys(keys, RepositoryError(f"the {self.side}: {error}")))
        return Loaded(
            loaded.found, {key: type(why)(f"the {self.side}: {why}") for key, why in loaded.failed.items()}
        )

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """Save what can be saved."""
        if not changes:
            return Saved()
        try:
            saved = self._repository.save(changes)
        except RepositoryError as error:
            return Saved(failed={each.key: RepositoryError(f"the {self.side}: {error}") for each in changes})
        return Saved(
            saved.conflicts, {key: type(why)(f"the {self.side}: {why}") for key, why in saved.failed.items()}
        )

    def save_too(self, changes: Sequence[Change[State]]) -> Saved:
        """Save what the other side has already: no event is rejected for what only this side cannot keep."""
        saved = self.save(changes)
        return Saved(saved.conflicts, {key: RepositoryError(str(why)) for key, why in saved.failed.items()})


def bring_up(
    side: Side, agreed: Mapping[Key, Agreement[State]], loaded: Loaded[State]
) -> list[Change[State]]:
    """Return what brings a side to what is right."""
    return [
        Change(loaded.found.get(key), each.right)
        for key, each in agreed.items()
        if each.behind is side and each.right is not None
    ]


def hand_out(agreed: Mapping[Key, Agreement[State]], again: Collection[Key], loaded: Loaded[State]) -> None:
    """Put what is right into `loaded`, but for what failed or has to be looked at once more."""
    for key, each in agreed.items():
        if each.right is not None and key not in loaded.failed and key not in again:
            loaded.found[key] = each.right
