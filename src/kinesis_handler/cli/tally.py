"""Counts the outcome of every record of a run once, however often it was delivered."""

from collections import Counter

from kinesis_handler.errors import RetryableError
from kinesis_handler.ingest.record import Record
from kinesis_handler.outcome import BatchResult, HandledRecord, Status, not_applied
from kinesis_handler.quarantine.on_failure import DiscardedBatch

MAX_FAILURES = 20
"""Most records that failed for good which a tally holds: there may be any number."""


class Tally:
    """The outcome of every record of a run, however often it was delivered."""

    def __init__(self) -> None:
        self.outcomes: Counter[Status] = Counter(dict.fromkeys(Status, 0))
        self.remarks: Counter[str] = Counter()
        self.batches = self.retries = 0
        """Batches that are settled, and deliveries of one after its first, outages left out."""
        self.failed: list[HandledRecord] = []
        """First records that failed for good, with the outcome of the last delivery."""
        self._open: dict[tuple[str, str, int], HandledRecord] = {}

    @property
    def unfinished(self) -> int:
        """How many records failed for good, or are parked."""
        return self.outcomes[Status.FAILED] + self.outcomes[Status.PARKED]

    def add(self, result: BatchResult) -> None:
        """Add a delivery. The outcomes of a record before it succeeded do not count."""
        for handled in result:
            identity = _identity(handled.record)
            known = self._open.get(identity)
            if known is None or known.outcome.status is Status.FAILED:
                self._open[identity] = handled

    def give_up(self, discarded: DiscardedBatch) -> None:
        """Add records that were given up before any delivery: they failed, and no result has them."""
        if discarded.invocations:
            return
        for source in discarded.records:
            kinesis = source["kinesis"]
            record = Record(source, kinesis["sequenceNumber"], 0, kinesis.get("partitionKey"))
            failed = not_applied(RetryableError(f"it was given up undelivered: {discarded.condition}"))
            self._open[_identity(record)] = HandledRecord(record, None, failed)

    def settle(self) -> list[HandledRecord]:
        """Count the records added so far, and return them: they will not be delivered again."""
        self.batches += 1
        settled = list(self._open.values())
        for handled in settled:
            self.outcomes[handled.outcome.status] += 1
            self.remarks.update(remark.name for remark in handled.outcome.remarks)
            if handled.outcome.status is Status.FAILED and len(self.failed) < MAX_FAILURES:
                self.failed.append(handled)
        self._open.clear()
        return settled

    def include(self, other: "Tally") -> None:
        """Add the settled counts of another tally, to which its own thread may add meanwhile."""
        self.batches += other.batches
        self.retries += other.retries
        self.outcomes.update(dict(other.outcomes))
        self.remarks.update(dict(other.remarks))
        self.failed = [*self.failed, *other.failed][:MAX_FAILURES]


def _identity(record: Record) -> tuple[str, str, int]:
    """Return what identifies a record: a file may hold records of several shards."""
    return str(record.source.get("eventID")), record.sequence_number, record.sub_sequence_number
