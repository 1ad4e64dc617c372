"""The operator's commands on the quarantine."""

from contextlib import suppress
from typing import NamedTuple

from kinesis_handler import KinesisHandler
from kinesis_handler.errors import QuarantineError
from kinesis_handler.local.redrive import Redrive
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.quarantine.contents import read_contents, remove_finished, waiting_in
from kinesis_handler.testing import FakeClock
from simulation.wire import Quarantine


class Waiting(NamedTuple):
    """A record that waits, by the id of its event; None if it is none."""

    event_id: str | None
    is_parked: bool
    is_rejected: bool


def redrive(handler: KinesisHandler, quarantine: Quarantine, clock: FakeClock) -> None:
    """Send what waits through a handler, once. Where the quarantine fails, the rest waits on.

    Args:
        handler: of the redrives.
        quarantine: where it waits.
        clock: of the world.
    """
    target = ThroughHandler(handler, quarantine, clock=clock)
    with suppress(QuarantineError):
        for _ in Redrive([read_contents(quarantine)], clock=clock).run(target):
            pass


def remove_objects(quarantine: Quarantine) -> None:
    """Remove the objects whose records are all dealt with."""
    remove_finished([read_contents(quarantine)])


def waiting_records(quarantine: Quarantine) -> list[Waiting]:
    """Return what waits in the quarantine."""
    waiting = waiting_in([read_contents(quarantine)]).values()
    return [
        Waiting(
            each.entry.event_id if each.entry.event_type is not None else None,
            is_parked=bool(each.entry.parked),
            is_rejected=not each.entry.is_only_parked,
        )
        for each in waiting
    ]
