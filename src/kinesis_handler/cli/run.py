"""Implements `run`: a shard in memory, the event source mapping, and the handler that runs on Lambda."""

import time
from collections.abc import Iterable
from typing import Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from kinesis_handler.application import Application
from kinesis_handler.cli.console import standard_error
from kinesis_handler.cli.tally import Tally
from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.quarantine.on_failure import failed_batch

RETRY_WAIT = 0.1
"""Seconds before the first retry: short, because a person waits."""

SHOWN_AFTER = 1
"""Seconds after which a terminal shows the number of records."""


def run_locally(
    application: Application, records: Iterable[LambdaRecord], *, batch_size: int, retries: int
) -> Tally:
    """Run the records of one shard through the application's handler, and return their outcomes."""
    tally = Tally()

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
        batch_size=batch_size,
        maximum_retry_attempts=retries,
        bisect_batch_on_function_error=True,
        retry_wait=RETRY_WAIT,
        on_failure=give_up,
    )
    console = standard_error()
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
            if time.monotonic() - begun > SHOWN_AFTER:
                progress.start()
    finally:
        progress.stop()
    return tally
