"""The operator's commands on the quarantine."""

from collections.abc import Collection
from contextlib import suppress
from random import Random
from typing import NamedTuple
from zlib import crc32

from kinesis_handler import KinesisHandler
from kinesis_handler.errors import QuarantineError
from kinesis_handler.local.redrive import Redrive
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.quarantine.contents import read_contents, remove_finished, waiting_in
from kinesis_handler.quarantine.entry import EVERYBODY, Entry, Position
from kinesis_handler.testing import FakeClock
from simulation.wire import Quarantine

ABOUT_AT_ONCE = 200
"""How many entries an operator looks at in a redrive. If these were all, a run ten times as long would take a
hundred times as long."""


class Waiting(NamedTuple):
    """A record that waits, by the id of its event; None if it is none."""

    event_id: str | None
    is_parked: bool
    is_rejected: bool


def redrive(
    handler: KinesisHandler,
    quarantine: Quarantine,
    clock: FakeClock,
    left: Collection[Position],
    random: Random | None = None,
) -> None:
    """Send what waits through a handler, once. Where the quarantine fails, the rest waits on.

    Args:
        handler: of the redrives.
        quarantine: where it waits.
        clock: of the world.
        left: the positions of records that are sent no more.
        random: chooses some of the partition keys; None to send all.
    """
    contents = read_contents(quarantine)
    parts, salt = 1, ""
    if random is not None:
        parts = sum(map(len, contents.objects.values())) // ABOUT_AT_ONCE + 1
        salt = str(random.random())

    def chosen(entry: Entry) -> bool:
        return crc32(f"{entry.partition_key}{salt}".encode()) % parts == 0 and entry.position not in left

    target = ThroughHandler(handler, quarantine, clock=clock)
    with suppress(QuarantineError):
        for _ in Redrive([contents], chosen, clock=clock).run(target):
            pass


def waiting_for_all(quarantine: Quarantine) -> set[Position]:
    """Return the records that wait for no reader by its name."""
    entries = [each.entry for each in waiting_in([read_contents(quarantine)]).values()]
    return {entry.position for entry in entries if EVERYBODY in entry.parts}


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
