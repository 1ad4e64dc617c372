"""Implements `worker`: one of several processes that share the shards of a stream, by the KCL's leases."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Annotated

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.application import Application
from kinesis_handler.cli.application import (
    ApplicationName,
    BatchSize,
    Retries,
    StoreUrl,
    StreamName,
    load_application,
)
from kinesis_handler.cli.consume import open_checkpoints
from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.cli.gather import RECORDS, Gather, GatherRecords, RememberMb, gather_bounds
from kinesis_handler.cli.monitoring import ONLY_HERE, MetricsHost, MetricsPort, monitoring
from kinesis_handler.cli.report import print_summary
from kinesis_handler.cli.shards import live
from kinesis_handler.cli.signals import ended_by_signals
from kinesis_handler.cli.starting_point import starting_point
from kinesis_handler.cli.times import parse_span
from kinesis_handler.errors import ConfigurationError, StreamError
from kinesis_handler.extras import require_extra
from kinesis_handler.kcl.daemon import daemon_command, write_properties
from kinesis_handler.kcl.fleet import Fleet, lease_table_name
from kinesis_handler.kcl.leases import LeaseTable, dynamodb_client
from kinesis_handler.kcl.native import run_native
from kinesis_handler.kcl.processor import Work
from kinesis_handler.local.minutes import Report
from kinesis_handler.local.owned_states import OwnedStates
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_repository import checkpoints_in
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.ordering import order_problem
from kinesis_handler.local.stream.outages import Outages
from kinesis_handler.local.stream.progress import ShardProgress, State
from kinesis_handler.local.stream.reader import StreamReader
from kinesis_handler.local.stream.reports import Reporter
from kinesis_handler.local.stream.stop import Stop, Stopped

SHARD_PROCESS = "kinesis_handler.cli.shard_process"
OPTIONS = "KINESIS_HANDLER_WORKER"
"""Variable in which the processes that the daemon starts find the options of the command."""

_GRACE = range(5, 601)


class Options(Struct, frozen=True):
    """The options of the command that a process for one shard needs."""

    stream_arn: str
    identity: str
    application: str | None
    store: str | None
    batch_size: int
    retries: int
    gather: str | None
    gather_records: int
    remember_mb: int = 0

    def delivery(self, application: Application, outages: Outages) -> Delivery:
        """Return what delivers the shards' batches to an application."""
        return Delivery(
            application,
            batch_size=self.batch_size,
            gather=gather_bounds(self.gather, self.gather_records),
            retries=self.retries,
            outages=outages,
        )

    def reporting(
        self, application: Application, delivery: Delivery, progress: Mapping[str, ShardProgress]
    ) -> AbstractContextManager[None]:
        """Let the process report what it does, beside the checkpoints, for a page that shows it."""

        def report(at: float) -> Report:
            shards = list(progress.items())
            behind = {shard: each.behind_ms for shard, each in shards if each.state is State.READING}
            return replace(delivery.minutes.report(at), shards=behind)

        return Reporter(partial(open_checkpoints, application), self.identity, report).reporting()

    def states(self, application: Application) -> OwnedStates:
        """Let an application remember the states of the shards that it owns."""
        return OwnedStates(application.handler, self.remember_mb * 1_024 * 1_024)


def worker(  # noqa: PLR0913, PLR0917 - a command has as many options as it has
    stream: StreamName,
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="WHERE",
            help="Where to begin the first time: trim-horizon (the oldest record), latest, a time, or how "
            "long ago. Later the workers continue from their leases.",
        ),
    ] = "trim-horizon",
    application_name: ApplicationName = None,
    store: StoreUrl = None,
    batch_size: BatchSize = 1_000,
    gather: Gather = None,
    gather_records: GatherRecords = RECORDS,
    remember_mb: RememberMb = 0,
    metrics_port: MetricsPort = None,
    metrics_host: MetricsHost = ONLY_HERE,
    retries: Retries = 2,
    leases: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="The DynamoDB table of the leases. Default: STORE-STREAM-leases; it is made.",
        ),
    ] = None,
    grace: Annotated[
        str,
        typer.Option(metavar="TIME", help="After SIGTERM, end within so long: less than until the kill."),
    ] = "25s",
    daemon: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--daemon", help="Run on AWS's own KCL: amazon_kclpy, with Java. Default: kcl-rs."),
    ] = False,
) -> None:
    """Read the shards of a stream together with other workers: each shard is leased to one of them.

    Start as many as you like, with the same options: the leases are in a DynamoDB table. When a worker ends
    or dies, others continue its shards behind the last batch that was settled. Failures, outages and parking
    are those of `consume`.

    Ctrl-C or SIGTERM end it: it finishes what it has gathered, and gives up its leases. The exit status is 0,
    or 1 if something failed for good or is parked, or 2 if it cannot work. With --daemon it is the daemon's:
    143 after SIGTERM.
    """
    seconds = parse_span("--grace", grace, _GRACE, "from 5s to 10m, such as 25s")
    application = load_application(application_name, store)
    reader = StreamReader(kinesis_client(default_region=application.default_region), stream)
    stop, outages = Stop(), Outages()
    with ended_by_signals(stop.set):
        try:
            fleet, table = outages.wait_out(
                lambda: _prepared(application, reader, begin, leases),
                lambda pause, why="": stop.pause(pause),  # noqa: ARG005 - it is in the log
            )
        except Stopped:
            raise typer.Exit from None
    options = Options(
        reader.arn,
        reader.identity,
        application_name,
        store,
        batch_size,
        retries,
        gather,
        gather_records,
        remember_mb,
    )
    delivery = options.delivery(application, outages)
    if daemon and metrics_port is not None:
        raise ConfigurationError(
            "--metrics-port and --daemon are both given: the daemon starts a process for each shard, and "
            "none of them knows all; allowed: one of the two"
        )
    if daemon:
        _become_daemon(fleet, options, seconds)
    states = options.states(application)
    work = Work(
        stream_arn=reader.arn,
        make_mapping=delivery.mapping,
        on_batch=delivery.settle,
        stop=stop,
        on_lease_lost=states.forget,
        timer=True,
    )
    with (
        ended_by_signals(stop.set),
        monitoring(metrics_port, metrics_host, delivery, work.progress, states.recent),
        live(work.progress, delivery.tallies),
        options.reporting(application, delivery, work.progress),
    ):
        run_native(work, fleet, table, seconds)
    tally = delivery.total()
    print_summary(tally)
    raise typer.Exit(1 if tally.unfinished else 0)


def _prepared(
    application: Application, reader: StreamReader, begin: str, leases: str | None
) -> tuple[Fleet, LeaseTable]:
    """See that stream, store and leases can be used, and belong together; return fleet and leases.

    Raises ConfigurationError or StreamError if they do not, and may be called again after an outage.
    """
    if application.store is None:
        raise ConfigurationError("the application has no store, and a worker's leases belong to one")
    summary = reader.summary
    name, region = str(summary["StreamName"]), reader.arn.split(":")[3]
    if problem := order_problem(summary, any_order=application.any_order):
        raise StreamError(f"the stream {reader.name!r}: {problem}")
    table = lease_table_name(leases, application.store.address, name)
    since = starting_point("--from", begin, reader).since
    application.check(states=True)
    for shard in reader.shards()[:1]:  # may it be read?
        reader.shard(shard.id, Checkpoint(since=reader.opened_at)).read()
    lease_table = LeaseTable(dynamodb_client(region), table)
    fleet = Fleet(name, region, table, None if since is None else since / 1_000)
    checkpoints = Checkpoints(checkpoints_in(application.store), reader.identity)
    lease_table.prepare(checkpoints, reader.shards(), fleet.since, time.time())
    return fleet, lease_table


def _become_daemon(fleet: Fleet, options: Options, grace: float) -> None:
    """Replace this process by the daemon, which gets all signals. Raises ConfigurationError."""
    with require_extra("worker on the daemon", "kcl-daemon"):
        import amazon_kclpy  # noqa: F401, PLC0415 - an extra
    properties = write_properties(fleet, [sys.executable, "-m", SHARD_PROCESS], grace)
    command = daemon_command(properties)
    os.dup2(2, 1)  # standard output is for results, and the daemon has none
    os.environ[OPTIONS] = msgspec.json.encode(options).decode()
    os.execv(command[0], command)  # noqa: S606 - its path is that of the `java` on the PATH
