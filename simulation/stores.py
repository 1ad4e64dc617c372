"""Where the handlers put what they make of the stream: the states of both readers, and the quarantine."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from msgspec import Struct

from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from simulation.delivery import Delivery
from simulation.move import Move
from simulation.wire import Quarantine


class MakeRepository(Protocol):
    """Makes the stores of a run."""

    def __call__(self, state: type, *, ttl: int, clock: Callable[[], float]) -> Repository[Any]:
        """Return an empty repository of states of a type."""


def in_memory(state: type, *, ttl: int, clock: Callable[[], float]) -> Repository[Any]:  # noqa: ARG001 - it takes any
    """Return a repository in memory."""
    return MemoryRepository(ttl, clock)


class Stores:
    """The stores of one generation of handlers: a rebuild makes the next one.

    Args:
        states: type of the states of each reader. The first one's store may be moved.
        make: makes a repository.
        quarantine: of these handlers.
        phase: the first phase of the move.
        handlers: how many there are.
    """

    def __init__(
        self,
        states: Mapping[str, type],
        make: Callable[[type], Repository[Any]],
        quarantine: Quarantine,
        phase: Phase,
        handlers: int,
    ) -> None:
        self.names: Sequence[str] = list(states)
        """The names of the two readers."""
        first, second = states.values()
        self.move = Move({side: make(first) for side in Side}, phase, handlers)
        self.second = make(second)
        self.quarantine = quarantine

    def deciding(self) -> dict[str, Repository[Any]]:
        """Return the store that decides, by the names of the readers."""
        return dict(zip(self.names, (self.move.deciding, self.second), strict=True))

    def parked(self) -> dict[str, set[tuple[str, str]]]:
        """Return the keys that have a note, by the names of the readers."""
        return {
            name: {each.key for each in store.scan_stored() if each.is_parked}
            for name, store in self.deciding().items()
        }


class Rebuild(Struct):
    """New stores that are being filled from the oldest record, beside the handlers of the stream."""

    stores: Stores
    delivery: Delivery


def any_phase(random: Random) -> Phase:
    """Draw a phase."""
    return random.choice(list(Phase))
