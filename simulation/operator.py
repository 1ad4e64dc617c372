"""The operator's commands on the quarantine."""

from collections.abc import Collection
from contextlib import suppress
from typing import NamedTuple

from kinesis_handler import KinesisHandler
from kinesis_handler.errors import QuarantineError
from kinesis_handler.local.redrive import Redrive
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.quarantine.contents import read_contents, remove_finished, waiting_in
from kinesis_handler.quarantine.entry import Entry
from kinesis_handler.testing import FakeClock
from simulation.wire import Quarantine

Number = tuple[str, str]
"""Shard and sequence number of a record."""


class Waiting(NamedTuple):
    """A record that waits, by the id of its event; None if it is none."""

    event_id: str | None
    is_parked: bool
    is_rejected: bool


def redrive(
    handler: KinesisHandler,
    quarantine: Quarantine,
    clock: FakeClock,
    *,
    parked_only: bool,
    left: Collection[Number],
) -> None:
    """Send what waits through a handler, once; perhaps only what is parked.

    Where the quarantine fails, the rest waits on.

    Args:
        handler: of the redrives.
        quarantine: where it waits.
        clock: of the world.
        parked_only: whether what was rejected waits on.
        left: the records that are sent no more.
    """

    def chosen(entry: Entry) -> bool:
        return (bool(entry.parked) or not parked_only) and number_of(entry) not in left

    target = ThroughHandler(handler, quarantine, clock=clock)
    with suppress(QuarantineError):
        for _ in Redrive([read_contents(quarantine)], chosen, clock=clock).run(target):
            pass


def number_of(entry: Entry) -> Number:
    """Return what identifies the record of an entry."""
    return entry.shard_id, entry.sequence_number


def waiting_numbers(quarantine: Quarantine) -> set[Number]:
    """Return the records of which something waits in the quarantine."""
    return {number_of(each.entry) for each in waiting_in([read_contents(quarantine)]).values()}


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
            is_rejected=each.entry.released or not each.entry.parked,
        )
        for each in waiting
    ]
