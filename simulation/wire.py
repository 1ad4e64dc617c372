"""The wire between the handlers, their stores and their quarantine, on which requests fail."""

from collections.abc import Callable, Collection, Iterator, Sequence
from random import Random
from typing import TypeVar

from kinesis_handler.aggregate import Aggregate, Key
from kinesis_handler.errors import QuarantineError, RepositoryError, UnstorableError
from kinesis_handler.stores import Change, Loaded, Repository, Saved
from kinesis_handler.stores.cached import CachedRepository
from kinesis_handler.stores.expiry import Expiry
from kinesis_handler.stores.forwarding import ForwardingRepository
from kinesis_handler.stores.recent import RecentDocuments
from simulation.faults import Fault, Plan
from testkit.quarantine import MemoryQuarantine

State = TypeVar("State")

LATENCY = 0.02
"""Seconds that a request takes."""

Interrupt = Callable[[Fault], None]
"""Does what a fault other than a failure means: it lets others go on, or ends the handler."""


class InOrder(set[Key]):
    """A set with an order of its own, independent of Python's hash seed."""

    def __iter__(self) -> Iterator[Key]:
        return iter(sorted(super().__iter__()))


def remembering(
    repository: Repository[State],
    seed: int,
    state_type: type[State],
    expiry: Expiry,
    clock: Callable[[], float],
) -> Repository[State]:
    """Let a handler remember what it has written, some of it or all; in every other seed nothing."""
    max_bytes = (None, 2_000, None, 1_000_000)[seed % 4]
    if max_bytes is None:
        return repository
    recent = RecentDocuments(max_bytes)
    return CachedRepository(repository, recent, state_type=state_type, expiry=expiry, clock=clock)


class Wire(ForwardingRepository[State]):
    """A repository behind a wire: each request may fail, before or after it.

    Args:
        repository: has the aggregates.
        plan: says what occurs.
        interrupt: does what comes in between.
        is_down: returns whether the store is down at the moment.
        pass_time: lets some seconds pass.
    """

    def __init__(
        self,
        repository: Repository[State],
        plan: Plan,
        interrupt: Interrupt,
        is_down: Callable[[], bool],
        pass_time: Callable[[float], object],
    ) -> None:
        self._repository = repository
        self._plan = plan
        self._interrupt = interrupt
        self._is_down = is_down
        self._pass_time = pass_time

    def load(self, keys: Collection[Key]) -> Loaded[State]:
        """Load, unless it raises or some of the keys cannot be read."""
        unread: list[Key] = []
        if self._before("load") is Fault.STORE_FAILS_PARTLY:
            unread = _some(self._plan.random(), list(keys))
            keys = [key for key in keys if key not in unread]
        loaded = self._repository.load(keys)
        loaded.failed |= dict.fromkeys(unread, RepositoryError("injected: not read"))
        self._after("loaded")
        return loaded

    def save(self, changes: Sequence[Change[State]]) -> Saved:
        """Save, unless it raises, before or after the write, or some of the changes fail or conflict."""
        fault = self._before("save")
        if fault is not Fault.STORE_FAILS_PARTLY and fault is not Fault.CONFLICTS:
            saved = self._repository.save(changes)
        else:
            unsaved = _some(self._plan.random(), [change.key for change in changes])
            saved = self._repository.save([change for change in changes if change.key not in unsaved])
            if fault is Fault.CONFLICTS:
                saved.conflicts.update(unsaved)
            else:
                saved.failed |= dict.fromkeys(unsaved, RepositoryError("injected: not written"))
        if self._after("saved") is Fault.STORE_UNSURE:
            random = self._plan.random()
            if random.random() < 0.5:
                raise RepositoryError("injected: written, but the answer was lost")
            written = [change.key for change in changes if change.key not in saved.conflicts]
            for key in _some(random, written):
                saved.failed.setdefault(key, RepositoryError("injected: written, but the answer was lost"))
        saved.conflicts = InOrder(saved.conflicts)
        return saved

    def refusal(self, aggregate: Aggregate[State | None]) -> UnstorableError | None:
        """Return the refusal of the repository: nobody is asked."""
        return self._repository.refusal(aggregate)

    def _read(self) -> Repository[State]:
        self._before("load")
        return self._repository

    def _written(self) -> Repository[State]:
        self._before("save")
        return self._repository

    def _before(self, moment: str) -> Fault | None:
        self._pass_time(LATENCY)
        if self._is_down():
            raise RepositoryError("injected: the store is down")
        fault = self._plan.at(moment)
        if fault is None or fault is Fault.STORE_FAILS_PARTLY or fault is Fault.CONFLICTS:
            return fault
        if fault is Fault.STORE_FAILS:
            raise RepositoryError("injected: the store failed")
        self._interrupt(fault)
        return None

    def _after(self, moment: str) -> Fault | None:
        fault = self._plan.at(moment)
        if fault is not None and fault is not Fault.STORE_UNSURE:
            self._interrupt(fault)
        return fault


class Quarantine(MemoryQuarantine):
    """A quarantine in memory, behind a wire: storing an object may fail before or after it."""

    def __init__(self, plan: Plan, interrupt: Interrupt) -> None:
        super().__init__()

        def perhaps_fail(moment: str, failure: Fault, text: str) -> None:
            fault = plan.at(moment)
            if fault is failure:
                raise QuarantineError(f"injected: {text}")
            if fault is not None:
                interrupt(fault)

        self.before = lambda _: perhaps_fail("keep", Fault.QUARANTINE_FAILS, "not kept")
        self.after = lambda _: perhaps_fail("kept", Fault.QUARANTINE_UNSURE, "kept, but the answer was lost")


def _some(random: Random, keys: list[Key]) -> list[Key]:
    """Return some of the keys, at least one."""
    return random.sample(keys, random.randint(1, len(keys))) if keys else []
