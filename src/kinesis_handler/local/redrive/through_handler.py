"""Back through the handler: with the places they had on the stream, so that what is known still holds."""

import time
from collections.abc import Callable, Mapping, Sequence

from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.handler import KinesisHandler
from kinesis_handler.ingest.record import unpack
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.local.redrive import Item, Result, Verdict
from kinesis_handler.outcome import HandledRecord, Status
from kinesis_handler.quarantine import Quarantine
from kinesis_handler.quarantine.entry import Entry, Place, objects

TIMEOUT = 300.0
"""Seconds that a batch may take: there is no Lambda that would end it."""

HELD_BACK = "an earlier record of the same partition key failed again"

SUPERSEDED = "later events of its key have been applied; whether this one was before them is not known"

_RESULTS = {
    Status.FAILED: Result.FAILED,
    Status.REJECTED: Result.REJECTED,
    Status.SUPERSEDED: Result.SUPERSEDED,
    Status.APPLIED: Result.APPLIED,
    Status.DUPLICATE: Result.DUPLICATE,
    Status.IGNORED: Result.IGNORED,
}
"""The worst first: of several parts of a record, its result is that of the worst."""

_ORDER = list(_RESULTS)


class ThroughHandler:
    """Hands records to the handler, in stream order.

    When one has failed again, those behind it with its partition key are held back, in later batches too. One
    that is rejected again, or comes too late, stays where it is. What is rejected of a batch that was given
    up is kept as entries of its own, with the reason, and the document is done with.

    A record without a partition key holds back no other: the stream keeps it in order with none.

    Args:
        handler: the application's.
        quarantine: where such entries are kept; without one, the document waits on.
        accept_superseded: what comes too late is done with.
        batch_size: records in a batch. By default no more than an aggregate remembers events of: what is
            sent twice, because it was interrupted before its mark, is found to be a duplicate.
        clock: seconds since epoch.
    """

    name = "handler"

    def __init__(
        self,
        handler: KinesisHandler,
        quarantine: Quarantine | None = None,
        *,
        accept_superseded: bool = False,
        batch_size: int = RECENT_EVENT_IDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.batch_size = batch_size
        self._handler = handler
        self._quarantine = quarantine
        self._accept_superseded = accept_superseded
        self._clock = clock
        self._failed_keys: set[str] = set()

    def send(self, items: Sequence[Item]) -> Mapping[Place, Verdict]:
        """See `Way.send`. Raises QuarantineError if what is rejected cannot be kept."""
        verdicts: dict[Place, Verdict] = {}
        batch: list[Item] = []
        for each in items:
            keys = _partition_keys(each)
            if self._failed_keys.isdisjoint(keys):
                batch.append(each)
            else:  # with all that an aggregated record holds: what lies behind any of it waits too
                self._failed_keys |= keys
                held_back = Verdict(Result.HELD_BACK, HELD_BACK, done=False)
                verdicts |= dict.fromkeys((entry.place for entry in each.entries), held_back)
        context = LocalContext(self._clock, self._clock() + TIMEOUT)
        invocation = {"Records": [each.record for each in batch]}
        result = self._handler.handle(invocation, context, keep_rejected=False)
        of_record: dict[int, list[HandledRecord]] = {}
        for handled in result:
            of_record.setdefault(id(handled.record.source), []).append(handled)
            key = handled.record.partition_key
            if handled.outcome.status is Status.FAILED and key is not None:
                self._failed_keys.add(key)
        for each in batch:
            for entry in each.entries:
                verdicts[entry.place] = self._verdict(entry, of_record[id(each.record)])
        return verdicts

    def _verdict(self, entry: Entry, handled: Sequence[HandledRecord]) -> Verdict:
        """Say what became of an entry; of a whole record, keep what is rejected."""
        if entry.sub_sequence_number is not None:
            sub_sequence_number = entry.sub_sequence_number
            of_entry = [each for each in handled if each.record.sub_sequence_number == sub_sequence_number]
            # Of a record that cannot be taken apart, there is but one outcome.
            handled = of_entry or handled
        waiting = {Status.FAILED, Status.REJECTED, Status.SUPERSEDED}
        if self._accept_superseded:
            waiting.remove(Status.SUPERSEDED)
        if entry.sub_sequence_number is None and self._quarantine is not None:
            rejected = [each for each in handled if each.outcome.status is Status.REJECTED]
            for name, content in objects(rejected).items():
                self._quarantine.keep(name, content)
            waiting.remove(Status.REJECTED)
        worst = min(handled, key=lambda each: _ORDER.index(each.outcome.status)).outcome
        reason = SUPERSEDED if worst.status is Status.SUPERSEDED else str(worst.error or "")
        done = waiting.isdisjoint(each.outcome.status for each in handled)
        return Verdict(_RESULTS[worst.status], reason, done)


def _partition_keys(item: Item) -> set[str]:
    keys = {user_record.partition_key for user_record, _ in unpack([item.record])}
    return {key for key in keys if key is not None}
