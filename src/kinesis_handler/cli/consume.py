"""`consume`: a real stream through the handler, where there is no Lambda."""

import time
from typing import Annotated

import typer

from kinesis_handler.cli.application import (
    DEFAULT_APPLICATION,
    ApplicationName,
    StoreUrl,
    load_application,
    told_errors,
)
from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.cli.moment import FORMS, parse_moment
from kinesis_handler.cli.report import print_summary, print_tables
from kinesis_handler.cli.shards import live
from kinesis_handler.cli.signals import ended_by_signals
from kinesis_handler.errors import ConfigurationError
from kinesis_handler.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.stream.client import kinesis_client
from kinesis_handler.stream.consumer import Stop, StreamConsumer
from kinesis_handler.stream.reader import StreamReader


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
    retries: Annotated[int, typer.Option(min=0, help="Deliveries of a failed batch after the first.")] = 2,
) -> None:
    """Read a stream shard by shard through the handler, and keep how far it is beside what it leads to.

    Parents are read before their children, each shard by a thread of its own. A store that is down is waited
    for; what fails for good goes to the quarantine. Ctrl-C or SIGTERM end it after the batches in hand; the
    next start goes on from there.

    The exit status is 0 if nothing failed for good, 1 if something did or what is stored cannot be read, 2 if
    it cannot work.
    """
    with told_errors():
        application = load_application(application_name, store)
        if application.checkpoints is None:
            raise ConfigurationError(f"--app is {application_name!r}, which has no place for checkpoints")
        reader = StreamReader(kinesis_client(default_region=application.default_region), stream)
        first_place = _first_place(begin, reader)
        application.check()
        checkpoints = application.checkpoints()
        for table in checkpoints.tables:
            if not table.exists():
                table.create()
        delivery = Delivery(application, batch_size=batch_size, retries=retries)
        stop = Stop()
        consumer = StreamConsumer(
            reader,
            Checkpoints(checkpoints.repository, reader.identity),
            delivery.mapping,
            begin=first_place,
            until_caught_up=until_caught_up,
            stop=stop,
            on_batch=delivery.settle,
        )
        with ended_by_signals(stop.set), live(consumer.progress, delivery.tallies):
            consumer.run()
    tally = delivery.total()
    if until_caught_up:
        all_read = print_tables(application, tally)
    else:
        print_summary(tally)
        all_read = True
    raise typer.Exit(1 if tally.failed or not all_read else 0)


def _first_place(begin: str, reader: StreamReader) -> Checkpoint:
    """Return where to begin. Raises ConfigurationError if no stream can be begun there."""
    match begin:
        case "trim-horizon":
            return Checkpoint()
        case "latest":
            return Checkpoint(since=reader.opened_at)
        case _:
            moment = parse_moment("--from", begin, time.time(), allowed=f"trim-horizon, latest, {FORMS}")
            return Checkpoint(since=int(moment * 1_000))
