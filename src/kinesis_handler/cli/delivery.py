"""How the batches of a real stream are delivered to the handler, where there is no Lambda."""

import time
from typing import Any

from kinesis_handler.application import Application
from kinesis_handler.cli.tally import Tally
from kinesis_handler.event_source import DiscardedBatch, EventSourceMapping, LocalContext
from kinesis_handler.handler import LambdaContext
from kinesis_handler.outcome import BatchResponse, BatchResult
from kinesis_handler.quarantine import Quarantine
from kinesis_handler.quarantine.on_failure import failed_batch
from kinesis_handler.stream.outages import Outages, Wait, is_outage

TIMEOUT = 60.0
"""Seconds that the handler has for one batch."""


class Delivery:
    """Makes the event source mapping of each shard, and counts what became of its records.

    Args:
        application: whose handler takes them, and whose quarantine what fails for good.
        batch_size: records in a batch, at most.
        retries: deliveries of a failed batch after the first. None is used up while something is down.
        outages: waits for what is down; None for one of its own.
    """

    def __init__(
        self, application: Application, *, batch_size: int, retries: int, outages: Outages | None = None
    ) -> None:
        self.tallies: dict[str, Tally] = {}
        """Of each shard that was read."""
        self._application = application
        self._batch_size = batch_size
        self._retries = retries
        self._outages = outages or Outages()

    def mapping(self, shard_id: str, wait: Wait) -> EventSourceMapping:
        """Return what delivers the batches of a shard."""
        tally = self.tallies[shard_id] = Tally()

        def function(invocation: dict[str, Any], _context: LambdaContext) -> BatchResponse:
            result = self._outages.wait_out(lambda: self._handle(invocation), wait, shard_id)
            tally.add(result)
            return result.response()

        def keep(discarded: DiscardedBatch) -> None:
            # Before it is in the quarantine nothing may go on: it would be lost.
            if (quarantine := self._application.quarantine) is not None:
                self._outages.wait_out(lambda: _quarantine(quarantine, discarded), wait, shard_id)

        return EventSourceMapping(
            function,
            batch_size=self._batch_size,
            maximum_retry_attempts=self._retries,
            bisect_batch_on_function_error=True,
            on_failure=keep,
            sleep=wait,
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

    def _handle(self, invocation: dict[str, Any]) -> BatchResult:
        """Let the handler take a batch. Raises the first error that says that something is down."""
        context = LocalContext(time.time, time.time() + TIMEOUT)
        result = self._application.handler.handle(invocation, context)
        for each in result.notable:
            if each.outcome.error is not None and is_outage(each.outcome.error):
                raise each.outcome.error
        return result


def _quarantine(quarantine: Quarantine, discarded: DiscardedBatch) -> None:
    name, content = failed_batch(discarded, time.time()).object()
    quarantine.keep(name, content)
