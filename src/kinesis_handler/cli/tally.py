"""What became of every record that went through the handler, however often it was delivered."""

from collections import Counter

from kinesis_handler.errors import RetryableError
from kinesis_handler.ingest.record import Record
from kinesis_handler.local.event_source import DiscardedBatch
from kinesis_handler.outcome import BatchResult, HandledRecord, Status, not_applied

MAX_FAILURES = 20
"""How many records that failed for good are remembered: their number may have no end."""


class Tally:
    """The outcome of every record of a run, however often it was delivered."""

    def __init__(self) -> None:
        self.outcomes: Counter[Status] = Counter(dict.fromkeys(Status, 0))
        self.remarks: Counter[str] = Counter()
        self.failed: list[HandledRecord] = []
        """The first records that failed for good, with what the last delivery said."""
        self._open: dict[tuple[str, str, int], HandledRecord] = {}

    def add(self, result: BatchResult) -> None:
        """Take in a delivery. What became of a record before it succeeded does not count."""
        for handled in result:
            place = _place(handled.record)
            known = self._open.get(place)
            if known is None or known.outcome.status is Status.FAILED:
                self._open[place] = handled

    def give_up(self, discarded: DiscardedBatch) -> None:
        """Take in what was given up before it was ever delivered: it failed, and nothing else tells of it."""
        if discarded.invocations:
            return
        for source in discarded.records:
            kinesis = source["kinesis"]
            record = Record(source, kinesis["sequenceNumber"], 0, kinesis.get("partitionKey"))
            failed = not_applied(RetryableError(f"it was given up undelivered: {discarded.condition}"))
            self._open[_place(record)] = HandledRecord(record, None, failed)

    def settle(self) -> None:
        """Count the records taken in so far: they will not be delivered again."""
        for handled in self._open.values():
            self.outcomes[handled.outcome.status] += 1
            self.remarks.update(remark.name for remark in handled.outcome.remarks)
            if handled.outcome.status is Status.FAILED and len(self.failed) < MAX_FAILURES:
                self.failed.append(handled)
        self._open.clear()

    def include(self, other: "Tally") -> None:
        """Add up with what has been settled elsewhere."""
        self.outcomes.update(other.outcomes)
        self.remarks.update(other.remarks)
        self.failed = [*self.failed, *other.failed][:MAX_FAILURES]


def _place(record: Record) -> tuple[str, str, int]:
    """Tell a record from all others: a file may hold records of several shards."""
    return str(record.source.get("eventID")), record.sequence_number, record.sub_sequence_number
