"""What became of every record that went through the handler, however often it was delivered."""

from collections import Counter

from kinesis_handler.outcome import BatchResult, HandledRecord, Status

MAX_FAILURES = 20
"""How many records that failed for good are remembered: their number may have no end."""


class Tally:
    """The outcome of every record of a run, however often it was delivered."""

    def __init__(self) -> None:
        self.outcomes: Counter[Status] = Counter(dict.fromkeys(Status, 0))
        self.remarks: Counter[str] = Counter()
        self.failed: list[HandledRecord] = []
        """The first records that failed for good, with what the last delivery said."""
        self._open: dict[tuple[str, int], HandledRecord] = {}

    def add(self, result: BatchResult) -> None:
        """Take in a delivery. What became of a record before it succeeded does not count."""
        for handled in result:
            place = handled.record.sequence_number, handled.record.sub_sequence_number
            known = self._open.get(place)
            if known is None or known.outcome.status is Status.FAILED:
                self._open[place] = handled

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
