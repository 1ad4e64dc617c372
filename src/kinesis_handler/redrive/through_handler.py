"""Back through the handler: with the places they had on the stream, so that what is known still holds."""

import time
from collections.abc import Callable, Mapping, Sequence

from kinesis_handler.event_source import LocalContext
from kinesis_handler.handler import KinesisHandler
from kinesis_handler.outcome import HandledRecord, Status
from kinesis_handler.quarantine import Quarantine
from kinesis_handler.quarantine.entry import Entry, Place, objects
from kinesis_handler.record import unpack
from kinesis_handler.redrive import Item

TIMEOUT = 300.0
"""Seconds that a batch may take: there is no Lambda that would end it."""

HELD_BACK = "an earlier record of the same partition key failed again"

_LEFT = {Status.REJECTED, Status.FAILED}


class ThroughHandler:
    """Hands records to the handler, in stream order.

    When one has failed again, those behind it with its partition key are held back, in later batches too. One
    that is rejected again stays where it is. What is rejected of a batch that was given up is kept as entries
    of its own, with the reason, and the document is done with.

    Args:
        handler: the application's.
        quarantine: where such entries are kept; without one, the document waits on.
        batch_size: records in a batch.
        clock: seconds since epoch.
    """

    name = "handler"

    def __init__(
        self,
        handler: KinesisHandler,
        quarantine: Quarantine | None = None,
        *,
        batch_size: int = 100,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.batch_size = batch_size
        self._handler = handler
        self._quarantine = quarantine
        self._clock = clock
        self._failed_keys: set[str] = set()

    def send(self, items: Sequence[Item]) -> Mapping[Place, str]:
        """See `Way.send`. Raises QuarantineError if what is rejected cannot be kept."""
        left: dict[Place, str] = {}
        batch: list[Item] = []
        for each in items:
            keys = _partition_keys(each)
            if self._failed_keys.isdisjoint(keys):
                batch.append(each)
            else:  # with all that an aggregated record holds: what lies behind any of it waits too
                self._failed_keys |= keys
                left.update((entry.place, HELD_BACK) for entry in each.entries)
        context = LocalContext(self._clock, self._clock() + TIMEOUT)
        invocation = {"Records": [each.record for each in batch]}
        result = self._handler.handle(invocation, context, keep_rejected=False)
        of_record: dict[int, list[HandledRecord]] = {}
        for handled in result:
            of_record.setdefault(id(handled.record.source), []).append(handled)
            if handled.outcome.status is Status.FAILED:
                self._failed_keys.add(handled.record.partition_key)
        for each in batch:
            for entry in each.entries:
                waits_for = self._settle(entry, of_record[id(each.record)])
                if waits_for:
                    left[entry.place] = str(waits_for[0].outcome.error)
        return left

    def _settle(self, entry: Entry, handled: Sequence[HandledRecord]) -> list[HandledRecord]:
        """Keep what is rejected of a whole record; return what keeps the entry waiting."""
        if entry.sub_sequence_number is not None:
            sub_sequence_number = entry.sub_sequence_number
            of_entry = [each for each in handled if each.record.sub_sequence_number == sub_sequence_number]
            # Of a record that cannot be taken apart, there is but one outcome.
            return [each for each in of_entry or handled if each.outcome.status in _LEFT]
        rejected = [each for each in handled if each.outcome.status is Status.REJECTED]
        if self._quarantine is not None:
            for name, content in objects(rejected).items():
                self._quarantine.keep(name, content)
            rejected = []
        return [*rejected, *(each for each in handled if each.outcome.status is Status.FAILED)]


def _partition_keys(item: Item) -> set[str]:
    return {user_record.partition_key for user_record, _ in unpack([item.record])}
