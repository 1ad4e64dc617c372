"""Runs a worker on `kcl_rs`: the Kinesis Client Library in Rust, in this process, without a JVM."""

import os
import sys
import time
from threading import Thread

import structlog

from kinesis_handler.errors import ConfigurationError, StreamUnavailableError
from kinesis_handler.extras import require_extra
from kinesis_handler.kcl.fleet import Fleet
from kinesis_handler.kcl.leases import LeaseTable
from kinesis_handler.kcl.processor import RecordProcessor, Work
from kinesis_handler.local.stream.stop import Stopped

IDLE_MILLISECONDS = 1_000
"""Between two reads of a shard at its tip. A shard allows five reads a second to all its readers together."""

_LEVELS = "warn,kcl::metrics=error"
"""What the library logs, on standard error. Where CloudWatch cannot be reached it warns every 12 seconds."""

_LAST_SECONDS = 5.0
"""Of the grace period, for the library itself to end."""


def run_native(work: Work, fleet: Fleet, table: LeaseTable, grace: float) -> None:
    """Run a worker until it is stopped, then finish what is gathered, and give up the leases.

    Args:
        work: what the record processors do.
        fleet: the stream, and the name of the worker.
        table: the leases.
        grace: seconds within which it ends after a stop.

    Raises ConfigurationError if the library is missing or cannot start, and what a record processor raised.
    """
    os.environ.setdefault("RUST_LOG", _LEVELS)
    if not sys.stderr.isatty():
        os.environ.setdefault("NO_COLOR", "1")
    with require_extra("worker", "kcl"):
        from kcl_rs import Scheduler  # noqa: PLC0415 - an extra
    scheduler = Scheduler(
        stream_name=fleet.stream,
        application_name=fleet.leases,
        record_processor_factory=work,
        worker_identifier=fleet.worker,
        region=fleet.region,
        initial_position="TRIM_HORIZON" if fleet.since is None else "AT_TIMESTAMP",
        timestamp=fleet.since,
        retrieval_mode="POLLING",
        max_records=10_000,
        idle_time_between_reads_millis=IDLE_MILLISECONDS,
    )
    ended: list[BaseException] = []

    def run() -> None:
        try:
            scheduler.run()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            ended.append(error)

    thread = Thread(target=run, name="scheduler", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            work.stop.pause(0.5)
    except Stopped:
        pass
    deadline = time.monotonic() + grace
    if ended:
        raise StreamUnavailableError(f"the worker has ended by itself: {ended[0]}")
    finish(work, deadline - _LAST_SECONDS)
    stopping = Thread(target=scheduler.shutdown, name="shutdown", daemon=True)
    stopping.start()
    stopping.join(max(1.0, deadline - time.monotonic()))
    _release(table, fleet.worker)
    if work.failure is not None:
        raise work.failure


def finish(work: Work, deadline: float) -> None:
    """Let every shard deliver what it has gathered, all at once, until a moment of the monotonic clock.

    What is not finished by then is read again by the worker that gets the shard.
    """

    def end(processor: RecordProcessor) -> None:
        processor.finish(max(0.0, deadline - time.monotonic()))

    threads = [Thread(target=end, args=(each,), daemon=True) for each in tuple(work.processors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        log = structlog.get_logger(component="worker")
        log.warning("there was no time to finish a batch: its records will be delivered again")


def _release(table: LeaseTable, worker: str) -> None:
    log = structlog.get_logger(component="worker")
    try:
        log.info("leases given up", leases=table.release(worker))
    except ConfigurationError as error:  # they expire by themselves
        log.warning("the leases could not be given up", reason=str(error))
