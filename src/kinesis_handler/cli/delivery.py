"""Delivers the batches of a real stream to the handler, without Lambda."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from kinesis_handler.application import Application
from kinesis_handler.cli.tally import Tally
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.batching import PAYLOAD_LIMIT
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping, LocalContext
from kinesis_handler.local.gathering import Bounds
from kinesis_handler.local.minutes import Minutes
from kinesis_handler.local.stream.outages import Outages, Wait, is_outage
from kinesis_handler.outcome import BatchResult
from kinesis_handler.quarantine.on_failure import failed_batch

TIMEOUT = 60.0
"""Seconds that the handler has for one batch."""


class Delivery:
    """Makes the event source mapping of each shard, and counts the outcomes of its records.

    Args:
        application: its handler gets the records, and its quarantine those that fail for good.
        batch_size: records in a batch, at most.
        gather: when enough records of a shard have been gathered for a batch, in place of `batch_size`; None
            to deliver what there is.
        retries: deliveries of a failed batch after the first. An outage uses up none.
        outages: waits while something is down; None for a new one.
        rebuild: whether the records have been processed before, into another store.
    """

    def __init__(  # noqa: PLR0913 - most have a default
        self,
        application: Application,
        *,
        batch_size: int,
        retries: int,
        gather: Bounds | None = None,
        outages: Outages | None = None,
        rebuild: bool = False,
    ) -> None:
        self.tallies: dict[str, Tally] = {}
        """Tallies by the id of each shard that was read."""
        self.minutes = Minutes()
        """The outcomes of the last minutes, of all shards."""
        self._application = application
        self._bounds = gather or Bounds(0, batch_size, PAYLOAD_LIMIT)
        self._retries = retries
        self._outages = outages or Outages()
        self._rebuild = rebuild

    def mapping(self, shard_id: str, wait: Wait) -> EventSourceMapping:
        """Return the event source mapping of a shard, which a worker may get back after others had it."""
        tally = Tally()
        if (before := self.tallies.get(shard_id)) is not None:
            tally.include(before)
        self.tallies[shard_id] = tally

        def function(invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
            handle = partial(self._handle, is_last=getattr(context, "is_last_delivery", False))
            attempts = _Attempts(invocation["Records"], handle, tally)
            return self._outages.wait_out(attempts, wait, shard_id).response()

        def retry_after(seconds: float) -> None:
            tally.retries += 1
            wait(seconds)

        def to_quarantine(discarded: DiscardedBatch) -> None:
            # Wait until it is in the quarantine: it would be lost otherwise.
            if (quarantine := self._application.quarantine) is not None:
                keep = partial(quarantine.keep, *failed_batch(discarded, time.time()).object())
                self._outages.wait_out(keep, wait, shard_id)

        return EventSourceMapping(
            function,
            batch_size=self._bounds.records,
            batch_bytes=self._bounds.data_bytes,
            maximum_batching_window=self._bounds.seconds,
            maximum_retry_attempts=self._retries,
            bisect_batch_on_function_error=True,
            on_failure=to_quarantine,
            deliver_too_large=True,
            announce_last_delivery=True,
            sleep=retry_after,
        )

    def settle(self, shard_id: str) -> None:
        """Count the current batch: it will not be delivered again."""
        self.minutes.add(self.tallies[shard_id].settle(), time.time())

    def total(self) -> Tally:
        """Return the outcomes of all records."""
        total = Tally()
        for tally in list(self.tallies.values()):  # the thread of another shard may add its own
            total.include(tally)
        return total

    def _handle(self, records: list[LambdaRecord], *, is_last: bool) -> BatchResult:
        context = LocalContext(time.time, time.time() + TIMEOUT, is_last_delivery=is_last)
        return self._application.handler.handle({"Records": records}, context, rebuild=self._rebuild)


class _Attempts:
    """Delivers a batch until nothing is down. During an outage it tries only up to the first failure.

    An outage may last long, and each record that fails in it is a line in the log.
    """

    def __init__(
        self, records: list[LambdaRecord], handle: Callable[[list[LambdaRecord]], BatchResult], tally: Tally
    ) -> None:
        self._records = records
        self._handle = handle
        self._tally = tally
        self._part = records

    def __call__(self) -> BatchResult:
        """Return the result of the batch. Raises the first error that reports an outage."""
        while True:
            result = self._handle(self._part)
            for each in result.notable:
                if each.outcome.error is not None and is_outage(each.outcome.error):
                    self._part = self._up_to(each.record.source)
                    raise each.outcome.error
            self._tally.add(result)
            if len(self._part) == len(self._records):
                return result
            self._part = self._records

    def _up_to(self, record: LambdaRecord) -> list[LambdaRecord]:
        return self._records[: next(i for i, each in enumerate(self._records, 1) if each is record)]
