"""Both sides decide: what is acknowledged, both have accepted.

So it is while a handler may still be in `dual-read-source`, where the source alone decides. A source that
cannot be asked cannot rule out that such a handler is just acknowledging something there.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

from kinesis_handler.aggregate import Key
from kinesis_handler.errors import RepositoryError
from kinesis_handler.moving.agreement import agree, settle
from kinesis_handler.moving.dual_write.sides import OneSide, bring_up, hand_out
from kinesis_handler.moving.records import Standing
from kinesis_handler.stores import Change, Loaded, Saved

State = TypeVar("State")

_RETURNS = RepositoryError(
    "source and target differ, and which is right is known after `kinesis-handler migrate verify --back`"
)


class Joined(Generic[State]):
    """Two sides that decide together.

    Args:
        source: it is written first.
        target: it is written what the source took.
        standing: tells what the target is to the source.
    """

    def __init__(
        self, source: OneSide[State], target: OneSide[State], standing: Callable[[], Standing]
    ) -> None:
        self._source = source
        self._target = target
        self._standing = standing

    def load(self, keys: Collection[Key], loaded: Loaded[State]) -> Collection[Key]:
        """Load what can be loaded; return the keys that have to be looked at once more."""
        source, target = self._source.load(keys), self._target.load(keys)
        loaded.failed |= {key: RepositoryError(str(why)) for key, why in target.failed.items()}
        loaded.failed |= source.failed
        agreed = {
            key: agree(source.found.get(key), target.found.get(key), source_decides=False)
            for key in keys
            if key not in loaded.failed
        }
        if still_open := [key for key, each in agreed.items() if each.open]:
            standing = self._standing()
            for key in still_open:
                agreed[key] = settle(source.found.get(key), target.found.get(key), standing)
                if agreed[key].open:
                    loaded.failed[key] = _RETURNS
        again: set[Key] = set()
        for one, stored in ((self._source, source), (self._target, target)):
            saved = one.save_too(bring_up(one.side, agreed, stored))
            loaded.failed |= saved.failed
            again |= saved.conflicts
        hand_out(agreed, again, loaded)
        return again

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """Save on both: the source first, and the target only what the source took."""
        saved = self._source.save(changes)
        taken = [each for each in changes if each.key not in saved.conflicts and each.key not in saved.failed]
        too = self._target.save_too(taken)
        return Saved(saved.conflicts | too.conflicts, saved.failed | too.failed)
