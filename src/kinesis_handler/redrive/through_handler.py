"""Back through the handler: with the places they had on the stream, so that what is known still holds."""

import time
from collections.abc import Callable, Mapping, Sequence

from kinesis_handler.event_source import LocalContext
from kinesis_handler.handler import KinesisHandler
from kinesis_handler.outcome import HandledRecord, Status
from kinesis_handler.quarantine.entry import Entry, Place
from kinesis_handler.record import unpack
from kinesis_handler.redrive import Waiting

TIMEOUT = 300.0
"""Seconds that a batch may take: there is no Lambda that would end it."""

HELD_BACK = "an earlier record of the same partition key failed again"

_LEFT = {Status.REJECTED, Status.FAILED}


class ThroughHandler:
    """Hands records to the handler, in stream order.

    When one has failed again, those behind it with its partition key are held back, in later batches too.

    Args:
        handler: the application's.
        batch_size: records in a batch.
        clock: seconds since epoch.
    """

    name = "handler"

    def __init__(
        self, handler: KinesisHandler, *, batch_size: int = 100, clock: Callable[[], float] = time.time
    ) -> None:
        self.batch_size = batch_size
        self._handler = handler
        self._clock = clock
        self._failed_keys: set[str] = set()

    def send(self, waiting: Sequence[Waiting]) -> Mapping[Place, str]:
        """See `Way.send`."""
        left: dict[Place, str] = {}
        batch: list[Waiting] = []
        for each in waiting:
            if self._failed_keys.isdisjoint(_partition_keys(each)):
                batch.append(each)
            else:
                left.update((entry.place, HELD_BACK) for entry in each.entries)
        context = LocalContext(self._clock, self._clock() + TIMEOUT)
        result = self._handler.handle({"Records": [each.record for each in batch]}, context)
        of_record: dict[str, list[HandledRecord]] = {}
        for handled in result:
            of_record.setdefault(handled.record.source["eventID"], []).append(handled)
            if handled.outcome.status is Status.FAILED:
                self._failed_keys.add(handled.record.partition_key)
        for each in batch:
            for entry in each.entries:
                problem = _problem(entry, of_record[each.record["eventID"]])
                if problem is not None:
                    left[entry.place] = problem
        return left


def _partition_keys(waiting: Waiting) -> set[str]:
    return {user_record.partition_key for user_record, _ in unpack([waiting.record])}


def _problem(entry: Entry, handled: Sequence[HandledRecord]) -> str | None:
    """Say why an entry is not done with.

    One that stands for the whole record is done with when Lambda would take it for done: what is rejected of
    it is in the quarantine, as an entry of its own.
    """
    if entry.sub_sequence_number is None:
        left = [each for each in handled if each.outcome.status is Status.FAILED]
    else:
        of_entry = [each for each in handled if each.record.sub_sequence_number == entry.sub_sequence_number]
        # Of a record that cannot be taken apart, there is but one outcome.
        left = [each for each in of_entry or handled if each.outcome.status in _LEFT]
    return str(left[0].outcome.error) if left else None
