"""Sends records through the handler again, with their original positions: duplicates are recognized."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat

from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.batch import Source, put_into
from kinesis_handler.errors import ParkedError, UndecodableRecordError
from kinesis_handler.handler import KinesisHandler
from kinesis_handler.ingest.documents import Documents
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.local.redrive import Result, Verdict
from kinesis_handler.local.redrive.items import Item
from kinesis_handler.outcome import HandledRecord, Status
from kinesis_handler.quarantine import Quarantine
from kinesis_handler.quarantine.entry import Entry, Position

TIMEOUT = 300.0
"""Seconds that a batch may take: no Lambda would end it."""

HELD_BACK = "an earlier record of the same partition key failed again"

TOO_LATE = "later events of its key have been applied; whether this one was before them is not known"

_RESULTS = {
    Status.FAILED: Result.FAILED,
    Status.REJECTED: Result.REJECTED,
    Status.SUPERSEDED: Result.TOO_LATE,
    Status.APPLIED: Result.APPLIED,
    Status.DUPLICATE: Result.DUPLICATE,
    Status.IGNORED: Result.IGNORED,
}
"""Results by status, the worst first: a record has the result of its worst user record."""

_ORDER = list(_RESULTS)


class ThroughHandler:
    """Passes records to the handler, in stream order.

    When one has failed again, later ones of its partition key are held back, in later batches too. An entry
    that is rejected again, or comes too late, stays in the quarantine. Rejected user records of a given-up
    batch get entries of their own, with the reason, and the document has been dealt with.

    A record without a partition key holds back no other: the stream does not order it.

    Args:
        handler: the application's.
        quarantine: stores such entries; without one, the document still waits.
        accept_too_late: take records that come too late for dealt with.
        batch_size: records in a batch. By default no more than the recent event ids of an aggregate: a record
            that is sent twice, because of an interruption before its mark, is found to be a duplicate.
        clock: seconds since epoch.
    """

    name = "handler"

    def __init__(
        self,
        handler: KinesisHandler,
        quarantine: Quarantine | None = None,
        *,
        accept_too_late: bool = False,
        batch_size: int = RECENT_EVENT_IDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.batch_size = batch_size
        self._handler = handler
        self._quarantine = quarantine
        self._accept_too_late = accept_too_late
        self._clock = clock
        self._failed_keys: set[str] = set()

    def send(self, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """See `RedriveTarget.send`. Raises QuarantineError if a rejected record cannot be stored."""
        verdicts: dict[Position, Verdict] = {}
        batch: list[Item] = []
        for each in items:
            keys = each.partition_keys
            if self._failed_keys.isdisjoint(keys):
                batch.append(each)
            else:  # all keys of a KPL record: later records of any of them wait too
                self._failed_keys |= keys
                held_back = Verdict(Result.HELD_BACK, HELD_BACK, done=False)
                verdicts |= dict.fromkeys((entry.position for entry in each.entries), held_back)
        return verdicts | self._handle(batch, Source.QUARANTINE)

    def release(self, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """See `RedriveTarget.release`. All of them are one batch: a key is released as a whole."""
        return self._handle(items, Source.PARKED)

    def _handle(self, batch: Sequence[Item], source: Source) -> dict[Position, Verdict]:
        parked = {
            (int(entry.sequence_number), entry.sub_sequence_number or 0): _parked_for(entry)
            for each in batch
            for entry in each.entries
            if entry.parked
        }
        context = LocalContext(self._clock, self._clock() + TIMEOUT)
        invocation = {"Records": [each.record for each in batch]}
        result = self._handler.handle(invocation, context, source=source, parked=parked)
        of_record: defaultdict[int, list[HandledRecord]] = defaultdict(list)
        for handled in result:
            of_record[id(handled.record.source)].append(handled)
            key = handled.record.partition_key
            if source is Source.QUARANTINE and handled.outcome.status is Status.FAILED and key is not None:
                self._failed_keys.add(key)
        verdicts: dict[Position, Verdict] = {}
        for each in batch:
            handled_records = of_record[id(each.record)]
            failure = self._handle_without_entry(each.entries, handled_records)
            for entry in each.entries:
                verdict = self._verdict(entry, handled_records)
                verdicts[entry.position] = failure if verdict.done and failure is not None else verdict
        return verdicts

    def _handle_without_entry(
        self, entries: Sequence[Entry], handled: Sequence[HandledRecord]
    ) -> Verdict | None:
        """Store what is rejected of a record and has no entry; return a verdict if some of that failed.

        When its entries were made it could not be divided as it is now: it was too large, or not known to
        hold several documents.
        """
        if not any(map(_may_hold_more, entries, repeat(handled[0].record.documents))):
            return None
        with_entry = {entry.sub_sequence_number for entry in entries}
        others = [each for each in handled if each.record.sub_sequence_number not in with_entry]
        rejected = [each for each in others if each.outcome.status is Status.REJECTED]
        if self._quarantine is not None:
            put_into(self._quarantine, rejected)
        elif rejected:
            return Verdict(Result.REJECTED, str(rejected[0].outcome.error), done=False)
        failed = (each.outcome.error for each in others if each.outcome.status is Status.FAILED)
        return next((Verdict(Result.FAILED, str(error), done=False) for error in failed), None)

    def _verdict(self, entry: Entry, handled: Sequence[HandledRecord]) -> Verdict:
        """Return the verdict on an entry; for a whole record, store its rejected user records."""
        if entry.sub_sequence_number is not None:
            sub_sequence_number = entry.sub_sequence_number
            of_entry = [each for each in handled if each.record.sub_sequence_number == sub_sequence_number]
            # A record that cannot be unpacked has only one outcome.
            handled = of_entry or handled
        waiting = {Status.FAILED, Status.REJECTED, Status.SUPERSEDED}
        is_superseded = bool(entry.parked) and not entry.released
        if self._accept_too_late or is_superseded:
            waiting.remove(Status.SUPERSEDED)
        if entry.sub_sequence_number is None and self._quarantine is not None:
            put_into(self._quarantine, [each for each in handled if each.outcome.status is Status.REJECTED])
            waiting.remove(Status.REJECTED)
        worst = min(handled, key=lambda each: _ORDER.index(each.outcome.status)).outcome
        done = waiting.isdisjoint(each.outcome.status for each in handled)
        if worst.status is Status.SUPERSEDED:
            return Verdict(Result.SUPERSEDED) if is_superseded else Verdict(Result.TOO_LATE, TOO_LATE, done)
        if isinstance(worst.error, ParkedError):
            return Verdict(Result.HELD_BACK, str(worst.error), done=False)
        return Verdict(_RESULTS[worst.status], str(worst.error or ""), done)


def _parked_for(entry: Entry) -> Sequence[str]:
    """Return the names of the only projections that an entry concerns; none if it may concern any.

    One that was also rejected is to be tried by all: which of them rejected it is not known.
    """
    return () if entry.released else entry.readers


def _may_hold_more(entry: Entry, documents: Documents) -> bool:
    """Tell whether what an entry stands for may be several records now."""
    cannot_be_unpacked = entry.error == UndecodableRecordError.__name__
    return entry.sub_sequence_number is not None and (cannot_be_unpacked or entry.documents != documents)
