"""How the batches of a real stream are delivered to the handler, where there is no Lambda."""

import time
from collections.abc import Callable
from typing import Any

from kinesis_handler.application import Application
from kinesis_handler.cli.tally import Tally
from kinesis_handler.errors import QuarantineError, RepositoryError
from kinesis_handler.event_source import DiscardedBatch, EventSourceMapping, LocalContext
from kinesis_handler.handler import LambdaContext
from kinesis_handler.outcome import BatchResponse, BatchResult
from kinesis_handler.quarantine.on_failure import failed_batch

TIMEOUT = 60.0
"""Seconds that the handler has for one batch."""

LONGEST_OUTAGE = 600.0
"""Seconds for which a store that is down is waited for: nothing is wrong with the records."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0


class Delivery:
    """Makes the event source mapping of each shard, and counts what became of its records.

    Args:
        application: whose handler takes them, and whose quarantine what fails for good.
        batch_size: records in a batch, at most.
        retries: deliveries of a failed batch after the first.
    """

    def __init__(self, application: Application, *, batch_size: int, retries: int) -> None:
        self.tallies: dict[str, Tally] = {}
        """Of each shard that was read."""
        self._application = application
        self._batch_size = batch_size
        self._retries = retries

    def mapping(self, shard_id: str, sleep: Callable[[float], None]) -> EventSourceMapping:
        """Return what delivers the batches of a shard."""
        tally = self.tallies[shard_id] = Tally()

        def function(invocation: dict[str, Any], _context: LambdaContext) -> BatchResponse:
            result = self._handle(invocation, sleep)
            tally.add(result)
            return result.response()

        def keep(discarded: DiscardedBatch) -> None:
            if self._application.quarantine is not None:
                _keep(self._application.quarantine.keep, discarded, sleep)

        return EventSourceMapping(
            function,
            batch_size=self._batch_size,
            maximum_retry_attempts=self._retries,
            bisect_batch_on_function_error=True,
            on_failure=keep,
            sleep=sleep,
        )

    def settle(self, shard_id: str) -> None:
        """Count the batch in hand: it will not be delivered again."""
        self.tallies[shard_id].settle()

    def total(self) -> Tally:
        """Return what became of all records."""
        total = Tally()
        for tally in self.tallies.values():
            total.include(tally)
        return total

    def _handle(self, invocation: dict[str, Any], sleep: Callable[[float], None]) -> BatchResult:
        """Let the handler take a batch; as long as it is the store that fails, again."""
        waited, wait = 0.0, FIRST_WAIT
        while True:
            context = LocalContext(time.time, time.time() + TIMEOUT)
            result = self._application.handler.handle(invocation, context)
            if waited >= LONGEST_OUTAGE or not _store_failed(result):
                return result
            sleep(wait)
            waited, wait = waited + wait, min(wait * 2, LONGEST_WAIT)


def _store_failed(result: BatchResult) -> bool:
    return any(isinstance(each.outcome.error, RepositoryError | QuarantineError) for each in result.notable)


def _keep(
    keep: Callable[[str, bytes], None], discarded: DiscardedBatch, sleep: Callable[[float], None]
) -> None:
    """Keep a batch that was given up. Before that has been done nothing may go on: it would be lost."""
    name, content = failed_batch(discarded, time.time()).object()
    wait = FIRST_WAIT
    while True:
        try:
            keep(name, content)
        except QuarantineError:
            sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        else:
            return
