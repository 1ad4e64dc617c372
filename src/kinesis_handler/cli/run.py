"""Implements `run`: a shard in memory, the event source mapping, and the handler that runs on Lambda."""

import time
from collections.abc import Iterable
from typing import Any

from kinesis_handler.application import Application
from kinesis_handler.cli.progress import progress
from kinesis_handler.cli.tally import Tally
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.local.minutes import Minutes
from kinesis_handler.quarantine.on_failure import failed_batch

RETRY_WAIT = 0.1
"""Seconds before the first retry: short, because a person waits."""


def run_locally(
    application: Application,
    records: Iterable[LambdaRecord],
    *,
    batch_size: int = 100,
    retries: int = 2,
    minutes: Minutes | None = None,
) -> Tally:
    """Run the records of one shard through the application's handler, and return their outcomes.

    Args:
        application: the application.
        records: the records, in their order.
        batch_size: records in a batch, at most.
        retries: deliveries of a failed batch after the first.
        minutes: counts them, too.
    """
    tally = Tally()
    with progress("records", tally.outcomes.total, lambda: 0):
        options = {"batch_size": batch_size, "maximum_retry_attempts": retries, "retry_wait": RETRY_WAIT}
        deliver(application, records, tally, minutes, **options)
    return tally


def deliver(
    application: Application,
    records: Iterable[LambdaRecord],
    tally: Tally,
    minutes: Minutes | None,
    **options: Any,
) -> None:
    """Deliver the records of one shard to the application's handler, and count what becomes of them.

    Args:
        application: the application.
        records: the records, in their order.
        tally: counts them.
        minutes: counts them, too; None for nothing.
        options: of the event source mapping.
    """

    def function(invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
        result = application.handler.handle(invocation, context)
        tally.add(result)
        return result.response()

    def give_up(discarded: DiscardedBatch) -> None:
        tally.give_up(discarded)
        if application.quarantine is not None:
            application.quarantine.keep(*failed_batch(discarded, time.time()).object())

    mapping = EventSourceMapping(
        function,
        bisect_batch_on_function_error=True,
        on_failure=give_up,
        announce_last_delivery=True,
        **options,
    )
    for _batch in mapping.run(records):
        settled = tally.settle()
        if minutes is not None:
            minutes.add(settled, time.time())
