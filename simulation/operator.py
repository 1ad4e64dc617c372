"""The operator's commands on the quarantine."""

from contextlib import suppress

from kinesis_handler import KinesisHandler
from kinesis_handler.errors import QuarantineError
from kinesis_handler.local.redrive import Redrive
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.quarantine.contents import read_contents, remove_finished, waiting_in
from kinesis_handler.testing import FakeClock
from simulation.wire import Quarantine


def redrive(handler: KinesisHandler, quarantine: Quarantine, clock: FakeClock) -> None:
    """Send all that waits through a handler, once. Where the quarantine fails, the rest waits on."""
    target = ThroughHandler(handler, quarantine, clock=clock)
    with suppress(QuarantineError):
        for _ in Redrive([read_contents(quarantine)], clock=clock).run(target):
            pass


def remove_objects(quarantine: Quarantine) -> None:
    """Remove the objects whose records are all dealt with."""
    remove_finished([read_contents(quarantine)])


def waits_for_release(quarantine: Quarantine) -> bool:
    """Return whether an event is in the quarantine because its key is parked."""
    waiting = (each.entry for each in waiting_in([read_contents(quarantine)]).values())
    return any(each.parked and not each.released for each in waiting)
