"""Implements `consume`: reads a real stream through the handler, without Lambda."""

from typing import Annotated

import typer

from kinesis_handler.application import Application
from kinesis_handler.cli.application import (
    ApplicationName,
    BatchSize,
    Retries,
    StoreUrl,
    StreamName,
    load_application,
)
from kinesis_handler.cli.console import echo
from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.cli.gather import RECORDS, Gather, GatherRecords, RememberMb, gather_bounds
from kinesis_handler.cli.monitoring import ONLY_HERE, MetricsHost, MetricsPort, monitoring
from kinesis_handler.cli.report import print_result
from kinesis_handler.cli.shards import live
from kinesis_handler.cli.signals import ended_by_signals
from kinesis_handler.cli.starting_point import starting_point
from kinesis_handler.errors import ConfigurationError, StreamError
from kinesis_handler.local.owned_states import OwnedStates
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_repository import checkpoints_in
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.consumer import StreamConsumer
from kinesis_handler.local.stream.ordering import order_problem
from kinesis_handler.local.stream.outages import Outages
from kinesis_handler.local.stream.reader import StreamReader
from kinesis_handler.local.stream.shard_consumer import Reading
from kinesis_handler.local.stream.stop import Stop, Stopped
from kinesis_handler.stores import Repository


def consume(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    stream: StreamName,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WHERE",
            help="Where to begin the first time: trim-horizon (the oldest record, the default), latest, a "
            "time, or how long ago. Later it continues from its checkpoints: `checkpoints reset` moves them.",
        ),
    ] = None,
    until_caught_up: Annotated[  # noqa: FBT002
        bool, typer.Option("--until-caught-up", help="End when each shard has been read to its tip.")
    ] = False,
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    batch_size: BatchSize = 1_000,
    gather: Gather = None,
    gather_records: GatherRecords = RECORDS,
    remember_mb: RememberMb = 0,
    retries: Retries = 2,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = ONLY_HERE,
    rebuild: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--rebuild", help="Inform nobody of a change: the records have been processed before."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,  # noqa: FBT002
) -> None:
    """Read a stream shard by shard through the handler, and store checkpoints next to the state.

    Each shard has its own thread; parents are read before their children. An outage of the store, the
    quarantine or the stream is waited out, however long, and no record is given up for it; records that fail
    for good go to the quarantine. Ctrl-C or SIGTERM end it after the current batches; the next start
    continues there. A second process that reads the same stream into the same store is refused.

    The exit status is 0 if nothing failed for good or is parked, 1 if something did or is, if the stream had
    lost records, or if stored state cannot be read, 2 if it cannot work.
    """
    application = load_application(application_name, store)
    if application.store is None:
        raise ConfigurationError(f"--app is {application_name!r}, which has no store for checkpoints")
    reader = StreamReader(kinesis_client(default_region=application.default_region), stream)
    stop, outages = Stop(), Outages()
    states = OwnedStates(application.handler, remember_mb * 1_024 * 1_024)
    delivery = Delivery(
        application,
        batch_size=batch_size,
        gather=gather_bounds(gather, gather_records),
        retries=retries,
        outages=outages,
        rebuild=rebuild,
    )
    with ended_by_signals(stop.set):
        try:
            consumer = outages.wait_out(
                lambda: StreamConsumer(
                    Reading(
                        begin=starting_point("--from", begin or "trim-horizon", reader),
                        stream=reader,
                        checkpoints=_checkpoints(application, reader, begin, delivery),
                        make_mapping=delivery.mapping,
                        until_caught_up=until_caught_up,
                        stop=stop,
                        on_batch=delivery.settle,
                        outages=outages,
                    )
                ),
                lambda seconds, why="": stop.pause(seconds),  # noqa: ARG005 - it is in the log
            )
            with (
                monitoring(metrics_port, metrics_host, delivery, consumer.progress, states.recent),
                live(consumer.progress, delivery.tallies),
            ):
                consumer.run()
            lost = [each.lost for each in consumer.progress.values() if each.lost]
        except Stopped:  # before reading began
            lost = []
    tally = delivery.total()
    caught_up = until_caught_up and not stop.is_set()
    all_read = print_result(application, tally, as_json=as_json, with_views=caught_up)
    for sentence in lost:
        echo(f"lost: {sentence}", "red", err=as_json)
    raise typer.Exit(1 if tally.unfinished or lost or not all_read else 0)


def _checkpoints(
    application: Application, reader: StreamReader, begin: str | None, delivery: Delivery
) -> Checkpoints:
    """Return the checkpoints of a stream. It may be called again if the stream or the store does not answer.

    Raises ConfigurationError or StreamError if the stream cannot be read into that store.
    """
    if problem := order_problem(reader.summary, any_order=application.any_order):
        raise StreamError(f"the stream {reader.name!r}: {problem}")
    application.check(states=True)
    checkpoints = Checkpoints(open_checkpoints(application), reader.identity, report=delivery.minutes.report)
    if begin is not None and checkpoints.load():
        echo(
            f"--from {begin} is not used: it goes on from the checkpoints in this store, which "
            f"`kinesis-handler checkpoints reset --stream {reader.name} --to WHERE` moves",
            err=True,
        )
    return checkpoints


def open_checkpoints(application: Application) -> Repository[Checkpoint]:
    """Open the repository of an application's checkpoints, and make its table if there is none.

    Raises ConfigurationError if that cannot be done, or the application has no store.
    """
    if application.store is None:
        raise ConfigurationError("the application has no store for checkpoints")
    return checkpoints_in(application.store)
