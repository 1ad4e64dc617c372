"""What became of the records of a run."""

from collections import Counter
from collections.abc import Sequence

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.outcome import BatchResult


class Tally:
    """Counts what handlers answer, and checks what must be true of any answer."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.checked: Counter[str] = Counter()
        """What was compared, and how often."""
        self.problems: list[str] = []
        """What is wrong for any records."""

    def add(self, records: Sequence[LambdaRecord], result: BatchResult) -> None:
        """Take the result of an invocation with these records."""
        counts = result.counts()
        self.checked["records"] += len(result)
        self.checked["batches"] += 1
        self.outcomes.update({status.value: count for status, count in counts.items() if count})
        if sum(counts.values()) != len(result):
            self.problems.append(f"the counts do not add up: {counts} of {len(result)} records")
        failed = [each["itemIdentifier"] for each in result.response()["batchItemFailures"]]
        if failed:
            self.checked["answers"] += 1
            named = set(failed)
            numbers = [each["kinesis"]["sequenceNumber"] for each in records]
            if failed != [each for each in numbers if each in named]:
                self.problems.append(f"an answer names other records than its batch has: {failed}")
