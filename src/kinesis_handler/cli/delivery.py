"""How the batches of a real stream are delivered to the handler, where there is no Lambda."""

import time
from typing import Any

from kinesis_handler.application import Application
from kinesis_handler.cli.tally import Tally
from kinesis_handler.errors import QuarantineError, RepositoryError, UnreadableError
from kinesis_handler.event_source import DiscardedBatch, EventSourceMapping, LocalContext
from kinesis_handler.handler import LambdaContext
from kinesis_handler.outcome import BatchResponse, BatchResult
from kinesis_handler.quarantine import Quarantine
from kinesis_handler.quarantine.on_failure import failed_batch
from kinesis_handler.stream.consumer import Wait

TIMEOUT = 60.0
"""Seconds that the handler has for one batch."""

LONGEST_OUTAGE = 600.0
"""Seconds for which a shard waits for a store that is down: nothing is wrong with its records."""

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

    def mapping(self, shard_id: str, wait: Wait) -> EventSourceMapping:
        """Return what delivers the batches of a shard."""
        tally = self.tallies[shard_id] = Tally()
        outage = _Outage(wait)

        def function(invocation: dict[str, Any], _context: LambdaContext) -> BatchResponse:
            result = self._handle(invocation, outage)
            tally.add(result)
            return result.response()

        def keep(discarded: DiscardedBatch) -> None:
            if self._application.quarantine is not None:
                _keep(self._application.quarantine, discarded, wait)

        return EventSourceMapping(
            function,
            batch_size=self._batch_size,
            maximum_retry_attempts=self._retries,
            bisect_batch_on_function_error=True,
            on_failure=keep,
            deliver_too_large=True,
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

    def _handle(self, invocation: dict[str, Any], outage: "_Outage") -> BatchResult:
        """Let the handler take a batch; as long as it is the store that fails, again."""
        while True:
            context = LocalContext(time.time, time.time() + TIMEOUT)
            result = self._application.handler.handle(invocation, context)
            if not outage.waited_out(_store_problem(result)):
                return result


class _Outage:
    """How long a shard has waited for its store since that last worked: for all parts of a batch together."""

    def __init__(self, wait: Wait) -> None:
        self._wait = wait
        self._waited = 0.0
        self._next = FIRST_WAIT

    def waited_out(self, problem: str) -> bool:
        """Wait if there is a problem; return whether it is worth another attempt."""
        if not problem:
            self._waited, self._next = 0.0, FIRST_WAIT
        if not problem or self._waited >= LONGEST_OUTAGE:
            return False
        self._wait(self._next, problem)
        self._waited, self._next = self._waited + self._next, min(self._next * 2, LONGEST_WAIT)
        return True


def _store_problem(result: BatchResult) -> str:
    """Say why the store cannot be used; a key under which something damaged is stored is no outage."""
    errors = (each.outcome.error for each in result.notable)
    down = (
        str(each)
        for each in errors
        if isinstance(each, RepositoryError | QuarantineError) and not isinstance(each, UnreadableError)
    )
    return next(down, "")


def _keep(quarantine: Quarantine, discarded: DiscardedBatch, wait: Wait) -> None:
    """Keep a batch that was given up. Before that has been done nothing may go on: it would be lost."""
    name, content = failed_batch(discarded, time.time()).object()
    seconds = FIRST_WAIT
    while True:
        try:
            quarantine.keep(name, content)
        except QuarantineError as error:
            wait(seconds, str(error))
            seconds = min(seconds * 2, LONGEST_WAIT)
        else:
            return
