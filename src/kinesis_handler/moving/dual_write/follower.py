"""The side that does not decide: it follows as well as it can, and what it lacks is noted."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import structlog

from kinesis_handler.aggregate import Key
from kinesis_handler.deadline import current_deadline, within
from kinesis_handler.errors import RepositoryError
from kinesis_handler.moving.agreement import Kinship, is_apart, kinship
from kinesis_handler.moving.dual_write.sides import Failed, OneSide
from kinesis_handler.moving.phase import Side
from kinesis_handler.moving.repairs import Repairs
from kinesis_handler.stores import Change, Loaded, Repository

State = TypeVar("State")

ROUNDS = 3
"""How often a key is written while others keep changing it."""

PATIENCE = 2.0
"""Seconds that one load or one save may take. It must not use up the time of the side that decides."""

REST = 10.0
"""Seconds for which it is left alone after it has answered nothing."""

APART = "the target has another history than the source"


class Follower(Generic[State]):
    """A repository that may fail: what it does not take is noted.

    Where the source has a history of its own, it gives way: it was never acknowledged, for the target leads.
    Where the target has one, it stays, and a person looks at it: somebody must have skipped a step.

    Args:
        side: which one it is.
        repository: what is kept there.
        repairs: where it is noted what it lacks.
        clock: seconds, for how long it is left alone.
    """

    def __init__(
        self,
        side: Side,
        repository: Repository[State],
        repairs: Repairs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.side = side
        self._one = OneSide(side, repository)
        self._repairs = repairs
        self._clock = clock
        self._gives_way = side is Side.SOURCE
        self._silent = f"the {side} has not answered just now"
        self._rests_until: float | None = None
        self._log = structlog.get_logger(component="dual-write")

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """Load what can be loaded in a short time."""
        if self._rests():
            return Loaded({}, dict.fromkeys(keys, RepositoryError(self._silent)))
        with _bounded():
            loaded = self._one.load(keys)
        self._notice(len(keys), loaded.failed)
        return loaded

    def bring_up(self, changes: Sequence[Change[State]]) -> dict[Key, str]:
        """Write these changes; return the keys that lack theirs after that, and why.

        Where something else is stored than expected, it becomes the whole of what is written, unless it is
        that already, or has gone further.
        """
        if self._rests():
            return {each.key: self._silent for each in changes}
        lacking: dict[Key, str] = {}
        left = list(changes)
        with _bounded():
            for _ in range(ROUNDS):
                saved = self._one.save(left)
                self._notice(len(left), saved.failed)
                met = {each.key: each.after for each in left if each.key in saved.conflicts}
                stored = self._one.load(met)
                lacking |= {key: str(why) for key, why in {**saved.failed, **stored.failed}.items()}
                left = []
                for key in met.keys() - stored.failed.keys():
                    there, after = stored.found.get(key), met[key]
                    apart = is_apart(after, there)
                    if there is None or (self._gives_way if apart else there.version < after.version):
                        left.append(Change(there, after))
                    elif apart or kinship(there, after) is Kinship.UNKNOWN:
                        lacking[key] = APART
                if not left:
                    break
        return lacking | {each.key: f"the {self.side} kept changing" for each in left}

    def note(self, lacking: Mapping[Key, str]) -> Failed:
        """Note what it lacks; return the keys for which not even that could be done."""
        if not lacking:
            return {}
        unnoted = self._repairs.note(lacking)
        reason = next(iter(lacking.values()))
        self._log.warning(f"{self.side} behind", keys=len(lacking), unnoted=len(unnoted), reason=reason)
        return {
            key: RepositoryError(f"{lacking[key]}; and that could not be noted: {why}")
            for key, why in unnoted.items()
        }

    def _rests(self) -> bool:
        return self._rests_until is not None and self._clock() < self._rests_until

    def _notice(self, asked: int, failed: Failed) -> None:
        """Let it rest if it answered nothing: each request would take all the time that it is given."""
        silent = [each for each in failed.values() if isinstance(each, RepositoryError)]
        if asked and len(silent) == asked:
            self._rests_until = self._clock() + REST


@contextmanager
def _bounded() -> Iterator[None]:
    """Let what follows take no longer than PATIENCE."""
    with within(current_deadline().or_sooner(PATIENCE, time.monotonic)):
        yield
