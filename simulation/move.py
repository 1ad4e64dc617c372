"""The move of the accounts from one store to another: its steps as each handler sees them, and the copy."""

from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Any

from kinesis_handler.errors import ProcessingError
from kinesis_handler.moving.phase import Phase, Side
from kinesis_handler.moving.replication import write_if_newer
from kinesis_handler.moving.verification import Verification
from kinesis_handler.stores import Repository


class Move:
    """Two stores, and handlers that are never further from each other than one phase.

    Args:
        sides: the stores.
        phase: the first phase.
        handlers: how many there are.
    """

    def __init__(self, sides: Mapping[Side, Repository[Any]], phase: Phase, handlers: int) -> None:
        self.sides = sides
        self.phase = phase
        self.seen = [phase] * handlers
        """What each handler knows of the phase."""

    @property
    def deciding(self) -> Repository[Any]:
        """The store that decides."""
        return self.sides[self.phase.decides]

    def all_see_the_phase(self) -> None:
        """Let each handler know the phase."""
        self.seen = [self.phase] * len(self.seen)

    def step(self, random: Random, *, all_stopped: bool) -> None:
        """Take the next step, on or back, or let one more handler see the last one.

        Before the other side decides the consumer is stopped, and a copy leaves no difference.
        """
        if behind := [number for number, phase in enumerate(self.seen) if phase is not self.phase]:
            self.seen[random.choice(behind)] = self.phase
            return
        order = list(Phase)
        at = order.index(self.phase) + random.choice((-1, 1))
        if not 0 <= at < len(order):
            return
        if order[at].decides is self.phase.decides:
            self.phase = order[at]
        elif all_stopped:
            with suppress(ProcessingError):
                if not self.differences():
                    self.phase = order[at]
                    self.all_see_the_phase()

    def copy(self) -> None:
        """Copy to the replica, if there is one."""
        if self.phase.replica is not None:
            write_if_newer(self.sides[self.phase.replica], list(self.deciding.scan_stored()))

    def remove_leftovers(self) -> None:
        """Remove what the deciding store does not have, as `migrate verify --repair` does.

        A note does not expire. One that a replica kept while it was let go stays there alone.
        """
        known = {each.key for each in self.deciding.scan_stored()}
        replica = self.sides[self.phase.decides.other]
        replica.delete([each.key for each in replica.scan_stored() if each.key not in known])

    def differences(self) -> list[str]:
        """Return what a verification finds after a copy; nothing without a replica."""
        if self.phase.replica is None:
            return []
        self.copy()
        found = Verification(self.phase.decides, sleep=lambda _: None).run(self.sides)
        return [f"{'/'.join(each.key)}: {each.what}" for each in found]
