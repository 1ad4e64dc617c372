"""Makes the stores and the handlers of a run: at its begin, and for each rebuild."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from kinesis_handler import KinesisHandler
from kinesis_handler.moving.phase import Phase
from kinesis_handler.moving.repository import MovingRepository
from kinesis_handler.stores import Repository
from kinesis_handler.stores.expiry import Expiry
from kinesis_handler.testing import FakeClock
from simulation.application import Application
from simulation.faults import Plan
from simulation.stores import MakeRepository, Stores
from simulation.troubles import Options
from simulation.wire import Interrupt, Quarantine, Wire, remembering

HANDLERS = 3


class Deployment(Struct, frozen=True, kw_only=True):
    """Makes stores, and the handlers in front of them.

    Args:
        application: what is simulated.
        plan: says what occurs.
        clock: of the world.
        options: of the readers.
        make_repository: makes an empty repository.
        ttl: seconds for which states last; 0 for ever.
        wire: puts a repository behind a wire.
        interrupt: does what comes in between when an object is stored in the quarantine.
    """

    application: Application
    plan: Plan
    clock: FakeClock
    options: Options
    make_repository: MakeRepository
    ttl: int
    wire: Callable[[Repository[Any]], Wire[Any]]
    interrupt: Interrupt

    def stores(self, phase: Phase) -> Stores:
        """Return empty stores, of which one is in a phase of a move, with a quarantine."""

        def make(state: type) -> Repository[Any]:
            return self.make_repository(state, ttl=self.ttl, clock=self.clock)

        quarantine = Quarantine(self.plan, self.interrupt)
        return Stores(self.application.states, make, quarantine, phase, HANDLERS + 1)

    def handlers(self, stores: Stores) -> list[KinesisHandler]:
        """Return the handlers of the stream, and that of the redrives."""
        return [self.handler(stores, number) for number in range(HANDLERS + 1)]

    def handler(self, stores: Stores, number: int) -> KinesisHandler:
        """Return the handler with a number: each sees a change of the phase for itself."""
        sides = {side: self.wire(each) for side, each in stores.move.sides.items()}
        moving: MovingRepository[Any] = MovingRepository(sides, lambda: stores.move.seen[number])
        second: Repository[Any] = self.wire(stores.second)
        state_type = self.application.states[stores.names[1]]
        second = remembering(second, self.plan.seed, state_type, Expiry(self.ttl), self.clock)
        readers = self.application.readers(moving, second, self.options)
        return KinesisHandler(readers, quarantine=stores.quarantine, clock=self.clock, now=self.clock)
