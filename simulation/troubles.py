"""Events that cannot be applied, for now or never, and the projections that meet them."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from kinesis_handler import BusinessError, Deleted, Event, Projection, RejectedError, Remarked
from kinesis_handler.stores import Repository

State = TypeVar("State")
Payload = TypeVar("Payload")

Failing = tuple[str, str]
"""Name of a reader, and the id of an event that it cannot apply."""


class Troubles:
    """The events that cannot be applied. An operator mends them one by one.

    Args:
        failing: what fails, and whether it is rejected when that has been mended.
    """

    def __init__(self, failing: dict[Failing, bool]) -> None:
        self.failing = failing
        self.rejecting: set[Failing] = set()

    def mend(self, failing: Failing) -> None:
        """Let an event be applied from now on, or be rejected for good."""
        if self.failing.pop(failing):
            self.rejecting.add(failing)

    def rejected_by(self, reader: str) -> set[str]:
        """Return the ids of the events that a reader rejects when it meets them."""
        return {event for name, event in self.rejecting if name == reader}


class Options(Struct, frozen=True):
    """What the readers of a world have in common.

    Args:
        troubles: the events that cannot be applied.
        perhaps_fail: raises now and then, at any event.
        slice_size, park_after: see `Projection`.
    """

    troubles: Troubles
    perhaps_fail: Callable[[], None]
    slice_size: int
    park_after: float | None


class Troubled(Projection[State, Payload]):
    """The base in front of a projection that makes it fail at some events.

    Args:
        repository: where the states are stored.
        name: of the reader.
        options: of the world.
    """

    def __init__(self, repository: Repository[State], name: str, options: Options) -> None:
        super().__init__(repository, slice_size=options.slice_size, park_after=options.park_after)
        self._reader = name
        self._options = options

    def apply(
        self, state: State | None, event: Event[Payload]
    ) -> State | Deleted | Remarked[State | Deleted]:
        """Apply an event, unless it cannot be applied yet, never can be, or there is a fault."""
        if self.may_fail(event):
            self._options.perhaps_fail()
        name, troubles = (self._reader, event.id), self._options.troubles
        if name in troubles.failing:
            raise BusinessError(f"{event.id} cannot be applied yet")
        if name in troubles.rejecting:
            raise RejectedError(f"{event.id} never can be applied")
        return super().apply(state, event)  # type: ignore[safe-super] # of the projection behind it

    def may_fail(self, event: Event[Payload]) -> bool:  # noqa: ARG002 - to be overridden
        """Return whether a fault may strike at an event."""
        return True
