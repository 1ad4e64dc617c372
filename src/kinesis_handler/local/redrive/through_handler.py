"""Sends records through the handler again, with their original positions: duplicates are recognised."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.batch import Source, put_into
from kinesis_handler.errors import UndecodableRecordError
from kinesis_handler.handler import KinesisHandler
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.local.redrive import Result, Verdict
from kinesis_handler.local.redrive.items import Item
from kinesis_handler.local.redrive.verdicts import Judge, of_entry
from kinesis_handler.outcome import HandledRecord, Outcome, ReaderKey, Status
from kinesis_handler.quarantine import Quarantine
from kinesis_handler.quarantine.entry import ALL, EVERYBODY, Entry, Part, Position, position_of
from kinesis_handler.recipients import OTHERS, Recipients

TIMEOUT = 300.0
"""Seconds that a batch may take: no Lambda would end it."""

HELD_BACK = "an earlier record of the same partition key failed again"

_SETTLED = (Status.APPLIED, Status.DUPLICATE, Status.REJECTED)
"""What became of a record among those of a key that was released, if it is not sent to that key again."""


class ThroughHandler:
    """Passes records to the handler, in stream order.

    A record goes to those for whom it waits, and to no other reader and key.

    When one has failed again, later ones of its partition key are held back, in later batches too. An entry
    that is rejected again, or comes too late, stays in the quarantine. What is rejected of a record that was
    for all gets an entry of its own, with who rejected it and why, and the other one has been dealt with.

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
        self._clock = clock
        self._judge = Judge(handler.readers, quarantine is not None, accept_too_late)
        self._failed_keys: set[str] = set()
        self._settled: defaultdict[Position, dict[ReaderKey, Outcome]] = defaultdict(dict)
        """What became of records that are for all, among those of keys that were released."""

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
        for item, handled in self._handle(batch, Source.QUARANTINE, self._recipients(batch)):
            failed = (one.record.partition_key for one in handled if one.outcome.status is Status.FAILED)
            self._failed_keys.update(key for key in failed if key is not None)
            failure = self._failure_of_others(item.entries, handled)
            for entry in item.entries:
                verdict = self._verdict(entry, of_entry(entry, handled))
                verdicts[entry.position] = failure if verdict.done and failure is not None else verdict
        return verdicts

    def release(self, who: ReaderKey, items: Sequence[Item]) -> Mapping[Position, Verdict]:
        """See `RedriveTarget.release`. All of them are one batch: a key is released as a whole."""
        parked, rejected = Part(who, is_parked=True), Part(who, is_parked=False)
        positions = [entry.position for each in items for entry in each.entries if parked in entry.parts]
        recipients = Recipients(released=who, parked=frozenset(positions))
        verdicts: dict[Position, Verdict] = {}
        for item, handled in self._handle(items, Source.PARKED, recipients):
            for entry in item.entries:
                found = of_entry(entry, handled)
                if parked in entry.parts:
                    self._keep_rejected(each for each in found if each.event is not None)
                    verdicts[entry.position] = self._judge.on_part(parked, entry, found)
                    continue
                verdict = self._judge.on_part(rejected, entry, found)
                if rejected in entry.parts and verdict.done:
                    verdicts[entry.position] = verdict
                if EVERYBODY in entry.parts:  # it was given up, and lies between the parked ones
                    self._settle(who, found)
        return verdicts

    def _settle(self, who: ReaderKey, handled: Iterable[HandledRecord]) -> None:
        """Note what one key has dealt with of a record that is for all."""
        for each in handled:
            outcome = each.parts.get(who)
            if outcome is not None and outcome.status in _SETTLED:
                self._settled[position_of(each.record)][who] = outcome

    def _recipients(self, batch: Sequence[Item]) -> Recipients:
        """Return for whom records are that are sent by themselves."""
        of: dict[Position, Collection[ReaderKey] | None] = {}
        for item in batch:
            entries = item.entries
            if any(each.sub_sequence_number is None or self._may_hold_more(each) for each in entries):
                continue
            of[entries[0].position._replace(sub_sequence_number=OTHERS)] = ()
            for each in entries:
                names = {part.who for part in each.parts}
                of[each.position] = None if ALL in names else names
        return Recipients(of, self._settled)

    def _handle(
        self, batch: Sequence[Item], source: Source, recipients: Recipients
    ) -> Iterator[tuple[Item, Sequence[HandledRecord]]]:
        """Pass records to the handler; yield each with what became of it."""
        context = LocalContext(self._clock, self._clock() + TIMEOUT)
        invocation = {"Records": [each.record for each in batch]}
        result = self._handler.handle(invocation, context, source=source, recipients=recipients)
        of_record: defaultdict[int, list[HandledRecord]] = defaultdict(list)
        for handled in result:
            of_record[id(handled.record.source)].append(handled)
        for each in batch:
            yield each, of_record[id(each.record)]

    def _verdict(self, entry: Entry, handled: Sequence[HandledRecord]) -> Verdict:
        """Return the verdict on an entry; of one that is for all, store what is rejected."""
        if EVERYBODY not in entry.parts:
            return self._judge.on_entry(entry, handled)
        is_whole = entry.sub_sequence_number is None
        self._keep_rejected(each for each in handled if is_whole or each.event is not None)
        known = (self._settled.get(position_of(each.record), {}) for each in handled)
        return self._judge.on_entry(entry, handled, [outcome for each in known for outcome in each.values()])

    def _keep_rejected(self, handled: Iterable[HandledRecord]) -> bool:
        """Store what was rejected, with who did it; return whether nothing is rejected that is not stored."""
        rejected = [each for each in handled if each.outcome.status is Status.REJECTED]
        if rejected and self._quarantine is not None:
            put_into(self._quarantine, rejected)
        return self._quarantine is not None or not rejected

    def _failure_of_others(
        self, entries: Sequence[Entry], handled: Sequence[HandledRecord]
    ) -> Verdict | None:
        """Store what is rejected of a record and has no entry; return a verdict if some of that failed.

        When its entries were made it could not be divided as it is now: it was too large, or not known to
        hold several documents.
        """
        if not any(map(self._may_hold_more, entries)):
            return None
        with_entry = {entry.sub_sequence_number for entry in entries}
        others = [each for each in handled if each.record.sub_sequence_number not in with_entry]
        if not self._keep_rejected(others):
            rejected = next(each.outcome for each in others if each.outcome.status is Status.REJECTED)
            return Verdict(Result.REJECTED, str(rejected.error), done=False)
        failed = (each.outcome.error for each in others if each.outcome.status is Status.FAILED)
        return next((Verdict(Result.FAILED, str(error), done=False) for error in failed), None)

    def _may_hold_more(self, entry: Entry) -> bool:
        """Return whether what an entry stands for may be several records now."""
        cannot_be_unpacked = entry.error == UndecodableRecordError.__name__
        documents = self._handler.envelope.packing.documents
        return entry.sub_sequence_number is not None and (cannot_be_unpacked or entry.documents != documents)
