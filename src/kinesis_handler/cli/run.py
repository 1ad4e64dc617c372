"""`run`: a shard in memory, the event source mapping, and the very handler that runs on Lambda."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kinesis_handler.application import Application
from kinesis_handler.event_source import EventSourceMapping
from kinesis_handler.handler import LambdaContext
from kinesis_handler.outcome import BatchResponse, BatchResult, HandledRecord, Status
from kinesis_handler.record import LambdaRecord

RETRY_WAIT = 0.1
"""Seconds before the first retry: a person waits for it."""

PATIENCE = 1
"""Seconds after which a terminal shows how many records are done."""


class Tally:
    """The outcome of every record of a run, however often it was delivered."""

    def __init__(self) -> None:
        self.outcomes: Counter[Status] = Counter(dict.fromkeys(Status, 0))
        self.remarks: Counter[str] = Counter()
        self.failed: list[HandledRecord] = []
        """The records that failed for good, with what the last delivery said."""
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
            if handled.outcome.status is Status.FAILED:
                self.failed.append(handled)
        self._open.clear()


def run_locally(
    application: Application, records: Iterable[LambdaRecord], *, batch_size: int, retries: int
) -> Tally:
    """Run the records of one shard through the application's handler, and tell what became of them."""
    tally = Tally()

    def function(invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
        result = application.handler.handle(invocation, context)
        tally.add(result)
        return result.response()

    mapping = EventSourceMapping(
        function,
        batch_size=batch_size,
        maximum_retry_attempts=retries,
        bisect_batch_on_function_error=True,
        retry_wait=RETRY_WAIT,
    )
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:,.0f} records"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = progress.add_task("records", total=None)
    begun = time.monotonic()
    try:
        for batch in mapping.run(records):
            tally.settle()
            progress.advance(task, len(batch))
            if time.monotonic() - begun > PATIENCE:
                progress.start()
    finally:
        progress.stop()
    return tally
