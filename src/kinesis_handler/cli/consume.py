"""`consume`: a real stream through the handler, where there is no Lambda."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from kinesis_handler.application import Application
from kinesis_handler.cli.application import (
    DEFAULT_APPLICATION,
    ApplicationName,
    StoreUrl,
    load_application,
    told_errors,
)
from kinesis_handler.cli.moment import parse_moment
from kinesis_handler.cli.report import print_summary, print_tables
from kinesis_handler.cli.shards import live
from kinesis_handler.cli.tally import Tally
from kinesis_handler.errors import ConfigurationError, QuarantineError
from kinesis_handler.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.handler import LambdaContext
from kinesis_handler.outcome import BatchResponse
from kinesis_handler.quarantine.on_failure import failed_batch
from kinesis_handler.record import LambdaRecord
from kinesis_handler.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.stream.client import kinesis_client
from kinesis_handler.stream.consumer import Stop, StreamConsumer
from kinesis_handler.stream.reader import StreamReader

QUARANTINE_WAIT = 5.0
"""Seconds between two attempts to keep a batch that was given up: without it nothing may go on."""


def consume(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    stream: Annotated[str, typer.Option(metavar="NAME", help="The stream: its name or its ARN.")],
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="WHERE",
            help="Where to begin the first time: trim-horizon (the oldest record), latest, a time, or how "
            "long ago. Later it goes on from its checkpoints.",
        ),
    ] = "trim-horizon",
    until_caught_up: Annotated[  # noqa: FBT002
        bool, typer.Option("--until-caught-up", help="End when each shard has been read to its tip.")
    ] = False,
    application_name: ApplicationName = DEFAULT_APPLICATION,
    store: StoreUrl = None,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Records in a batch, at most.")] = 1_000,
    retries: Annotated[int, typer.Option(min=0, help="Deliveries of a failed batch after the first.")] = 10,
) -> None:
    """Read a stream shard by shard through the handler, and keep how far it is beside what it leads to.

    Parents are read before their children, each shard by a thread of its own. What fails for good goes to the
    quarantine. Ctrl-C or SIGTERM end it after the batches in hand; the next start goes on from there.

    The exit status is 0 if nothing failed for good, 1 if something did, 2 if it cannot work.
    """
    with told_errors():
        application = load_application(application_name, store)
        if application.checkpoints is None:
            raise ConfigurationError(f"--app is {application_name!r}, which has no place for checkpoints")
        for table in application.tables:
            table.check()
        checkpoints = application.checkpoints()
        for table in checkpoints.tables:
            if not table.exists():
                table.create()
        reader = StreamReader(kinesis_client(), stream)
        consumption = _Consumption(application, batch_size, retries)
        with _stopped_by_signals(consumption.stop):
            consumption.run(
                reader,
                Checkpoints(checkpoints.repository, reader.identity),
                begin=_first_place(begin, reader),
                until_caught_up=until_caught_up,
            )
    tally = consumption.total()
    if until_caught_up:
        print_tables(application, tally)
    else:
        print_summary(tally)
    raise typer.Exit(1 if tally.failed else 0)


class _Consumption:
    """The shards' mappings, and what became of their records."""

    def __init__(self, application: Application, batch_size: int, retries: int) -> None:
        self.stop = Stop()
        self.tallies: dict[str, Tally] = {}
        self._application = application
        self._batch_size = batch_size
        self._retries = retries

    def run(
        self, reader: StreamReader, checkpoints: Checkpoints, *, begin: Checkpoint, until_caught_up: bool
    ) -> None:
        """Read until all is done, or it is stopped."""
        consumer = StreamConsumer(
            reader,
            checkpoints,
            self._mapping,
            begin=begin,
            until_caught_up=until_caught_up,
            stop=self.stop,
            on_batch=self._settle,
        )
        with live(consumer.progress, self.tallies):
            consumer.run()

    def total(self) -> Tally:
        """Return what became of all records."""
        total = Tally()
        for tally in self.tallies.values():
            total.include(tally)
        return total

    def _mapping(self, shard_id: str, sleep: Callable[[float], None]) -> EventSourceMapping:
        tally = self.tallies[shard_id] = Tally()

        def function(invocation: dict[str, Any], context: LambdaContext) -> BatchResponse:
            result = self._application.handler.handle(invocation, context)
            tally.add(result)
            return result.response()

        def keep(discarded: DiscardedBatch) -> None:
            if (quarantine := self._application.quarantine) is None:
                return
            name, content = failed_batch(discarded, time.time()).object()
            while True:
                try:
                    quarantine.keep(name, content)
                except QuarantineError:
                    sleep(QUARANTINE_WAIT)
                else:
                    return

        return EventSourceMapping(
            function,
            batch_size=self._batch_size,
            maximum_retry_attempts=self._retries,
            bisect_batch_on_function_error=True,
            on_failure=keep,
            sleep=sleep,
        )

    def _settle(self, shard_id: str, _records: Sequence[LambdaRecord]) -> None:
        self.tallies[shard_id].settle()


def _first_place(begin: str, reader: StreamReader) -> Checkpoint:
    match begin:
        case "trim-horizon":
            return Checkpoint()
        case "latest":
            return Checkpoint(since=reader.opened_at)
        case _:
            return Checkpoint(since=int(parse_moment("--from", begin, time.time()) * 1_000))


@contextmanager
def _stopped_by_signals(stop: Stop) -> Iterator[None]:
    """End after the batches in hand at the first Ctrl-C or SIGTERM; at the second, at once."""
    before: dict[int, Any] = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def end(number: int, _frame: object) -> None:
        signal.signal(number, before[number])
        stop.set()

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
