"""Workers share a stream while shards split and merge, the store is down, and a release is rolled out."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from clean_pass import check_limits, check_quarantines
from kcl.fleet import Worker, Workers, until
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from stream.real_stream import Stream
from stream.test_killed_consumers import Producing, applied, limits_of
from testkit.emulators.line import Line, line_to
from testkit.tables import Tables

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

    from kinesis_handler.stores import ReadableRepository
    from user_limits.limit import Limit

pytestmark = pytest.mark.skipif(find_spec("kcl_rs") is None, reason="kcl-rs has no build for this machine")

SHARDS = 4
PATIENCE = 240
"""Seconds for one step, at most. After each split the leases of the children are given out within 20."""
OUTAGE = 120


@pytest.fixture
def wire(tables: Tables, kinesis_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """Return the line to DynamoDB of all workers: of the state, the checkpoints and the leases."""
    with line_to(tables.endpoint) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_endpoint)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", made.endpoint)
        yield made


@pytest.fixture
def stream(kinesis: "KinesisClient") -> Stream:
    return Stream(kinesis, SHARDS, prefix="fleet")


@pytest.fixture
def limits(wire: Line, tmp_path: Path) -> "ReadableRepository[Limit]":  # noqa: ARG001 - it is the line to them
    return limits_of(f"dynamodb://{tmp_path.name}")


class Fleet:
    """The workers of a test, and what must be true at its end."""

    def __init__(
        self, stream: Stream, tables: Tables, limits: "ReadableRepository[Limit]", folder: Path
    ) -> None:
        self.quarantine = DirectoryQuarantine(folder / "quarantine")
        self.limits = limits
        settings = {"QUARANTINE_URL": (folder / "quarantine").as_uri(), "PARK_AFTER": "never"}
        self.workers = Workers(stream, f"dynamodb://{folder.name}", tables.client, folder, **settings)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def start(self, *more: str) -> Worker:
        """Start one more."""
        options = (*more, "--batch-size", "20", "--retries", "0", "--gather", "1s", "--gather-records", "20")
        return self._running.enter_context(self.workers.running(*options))

    def until_shared(self, *workers: Worker) -> float:
        """Wait until each has a shard."""
        return until(lambda: all(self.workers.shards_of(each) for each in workers), PATIENCE, *workers)

    def check(self, producing: Producing, *workers: Worker) -> float:
        """Wait until all that was put is read; see that nothing is lost, and nothing counted twice."""
        producing.join(PATIENCE)
        assert not producing.is_alive()
        took = until(lambda: self.workers.have_read(producing.put), PATIENCE, *workers)
        check_limits(self.limits, producing.put)
        check_quarantines([self.quarantine], producing.put)
        return took


@pytest.fixture
def fleet(
    stream: Stream, tables: Tables, limits: "ReadableRepository[Limit]", tmp_path: Path
) -> Iterator[Fleet]:
    with Fleet(stream, tables, limits, tmp_path) as made:
        yield made


def test_two_workers_share_the_shards_and_one_that_is_killed_in_mid_batch_loses_nothing(
    fleet: Fleet, stream: Stream
) -> None:
    first, second = fleet.start(), fleet.start()
    fleet.until_shared(first, second)
    assert sorted(fleet.workers.owners().values()) in ([2, 2], [1, 3])
    producing = Producing(stream, seed=11, reshard={}, rounds=60, pause=0.2)
    producing.start()
    until(lambda: applied(fleet.limits) > 200, PATIENCE, first, second)
    first.process.kill()
    fleet.check(producing, second)


def test_shards_that_are_split_and_merged_under_load_are_read_parents_first(
    fleet: Fleet, stream: Stream
) -> None:
    first, second = fleet.start(), fleet.start()
    fleet.until_shared(first, second)
    reshard = {10: "split", 20: "merge", 30: "split", 40: "merge"}
    producing = Producing(stream, seed=12, reshard=reshard, rounds=60, pause=0.2)
    producing.start()
    fleet.check(producing, first, second)


def test_an_outage_of_the_store_and_of_the_leases_is_waited_out(
    fleet: Fleet, stream: Stream, wire: Line
) -> None:
    first, second = fleet.start(), fleet.start()
    fleet.until_shared(first, second)
    producing = Producing(stream, seed=13, reshard={}, rounds=60, pause=0.2)
    producing.start()
    until(lambda: applied(fleet.limits) > 200, PATIENCE, first, second)
    wire.cut()
    threading.Event().wait(OUTAGE)
    assert first.process.poll() is None
    assert second.process.poll() is None
    wire.restore()
    fleet.check(producing, first, second)


def test_a_rolling_restart_stops_no_shard_for_long_and_ends_each_worker_cleanly(
    fleet: Fleet, stream: Stream
) -> None:
    old = [fleet.start(), fleet.start()]
    fleet.until_shared(*old)
    producing = Producing(stream, seed=14, reshard={}, rounds=200, pause=0.3)
    producing.start()
    until(lambda: applied(fleet.limits) > 200, PATIENCE, *old)
    new = []
    for worker in old:
        new.append(fleet.start())
        worker.process.terminate()
        assert worker.process.wait(30) in {0, 1}
        fleet.until_shared(new[-1])
    fleet.check(producing, *new)


def test_a_worker_that_is_stopped_in_an_outage_ends_in_time_and_loses_nothing(
    fleet: Fleet, stream: Stream, wire: Line
) -> None:
    first = fleet.start("--grace", "10s")
    producing = Producing(stream, seed=16, reshard={}, pause=0.2)
    producing.start()
    until(lambda: applied(fleet.limits) > 50, PATIENCE, first)
    wire.cut()
    producing.join(PATIENCE)
    first.process.terminate()
    began = time.monotonic()
    assert first.process.wait(30) in {0, 1}
    assert time.monotonic() - began < 15
    wire.restore()
    fleet.check(producing, fleet.start())


def test_the_daemon_reads_all_shards_too_and_ends_at_sigterm(fleet: Fleet, stream: Stream) -> None:
    daemon = fleet.start("--daemon")
    producing = Producing(stream, seed=15, reshard={}, pause=0.1)
    producing.start()
    fleet.check(producing, daemon)
    daemon.process.terminate()
    printed, _ = daemon.process.communicate(timeout=40)
    assert daemon.process.returncode == 143, "the JVM's own"
    assert not printed
    assert " INFO " not in daemon.log()
