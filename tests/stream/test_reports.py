"""Workers that share a stream report what they do, each in a row of its own."""

import pytest

from kinesis_handler.errors import RepositoryError
from kinesis_handler.local.minutes import Report
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.claim import LOST_AFTER
from kinesis_handler.local.stream.reports import FORGOTTEN_AFTER, Reporter
from kinesis_handler.operator_page.streams import read_streams
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock

STREAM, MINUTES = "arn:stream/facts:1", 30


class Workers:
    """Workers whose clock is moved by the test."""

    def __init__(self) -> None:
        self.repository: MemoryRepository[Checkpoint] = MemoryRepository()
        self.clock = FakeClock(1_795_000_000.0)

    def worker(self, name: str, applied: int, **behind: int) -> Reporter:
        def report(at: float) -> Report:
            counts = (0,) * (MINUTES - 1) + (applied,)
            return Report(int(at // 60) - MINUTES + 1, {"applied": counts}, (-1,) * MINUTES, behind)

        made = Reporter(lambda: self.repository, STREAM, report, self.clock)
        made._store.owner = f"{name}:1:a"
        return made

    def now(self) -> int:
        return int(self.clock() * 1_000)


@pytest.fixture
def workers() -> Workers:
    return Workers()


def test_each_worker_is_a_source_and_its_shards_are_the_streams(workers: Workers) -> None:
    workers.worker("one", 3, shard1=0, shard2=1_500).write()
    workers.worker("two", 4, shard3=0).write()
    [stream], sources = read_streams(workers.repository, workers.now())
    assert [(each.process, sum(each.outcomes["applied"])) for each in sources] == [
        ("another process (1 on one)", 3),
        ("another process (1 on two)", 4),
    ]
    assert stream.read_by == "another process (1 on one) and another process (1 on two)"
    assert [(each.shard, each.behind_ms) for each in stream.shards] == [
        ("shard1", 0),
        ("shard2", 1_500),
        ("shard3", 0),
    ]


def test_the_shards_of_a_worker_that_has_died_are_those_of_the_one_that_has_them_now(
    workers: Workers,
) -> None:
    workers.worker("one", 3, shard1=9_000).write()
    workers.clock.advance(LOST_AFTER + 1)
    workers.worker("two", 4, shard1=0).write()
    [stream], sources = read_streams(workers.repository, workers.now())
    assert (stream.read_by, stream.is_silent) == ("another process (1 on two)", False)
    assert [(each.shard, each.behind_ms) for each in stream.shards] == [("shard1", 0)]
    assert [each.is_silent for each in sources] == [True, False]


def test_workers_that_have_all_died_are_said_to_be_silent(workers: Workers) -> None:
    workers.worker("one", 3, shard1=0).write()
    workers.clock.advance(LOST_AFTER + 1)
    [stream], _ = read_streams(workers.repository, workers.now())
    assert (stream.read_by, stream.is_silent) == ("another process (1 on one)", True)


def test_a_report_is_no_shard_to_the_process_that_reads_the_stream(workers: Workers) -> None:
    workers.worker("one", 3, shard1=0).write()
    checkpoints = Checkpoints(workers.repository, STREAM)
    assert (checkpoints.load(), checkpoints.rows()) == ({}, {})


def test_it_reports_while_the_block_runs_and_once_at_its_end(workers: Workers) -> None:
    with workers.worker("one", 3).reporting():
        pass
    [stream], [source] = read_streams(workers.repository, workers.now())
    assert (source.is_over, stream.read_by) == (True, "")


def test_a_worker_that_starts_removes_the_rows_of_those_that_are_long_gone(workers: Workers) -> None:
    workers.worker("old", 3).write(is_over=True)
    Checkpoints(workers.repository, STREAM).save([("shard1", Checkpoint(after="7"))], workers.clock())
    workers.clock.advance(FORGOTTEN_AFTER + 1)
    workers.worker("recent", 3).write()
    workers.worker("new", 3).forget_old()
    assert {each.key[1] for each in workers.repository.scan()} == {"shard1", "report:recent:1:a"}


def test_while_the_store_is_down_the_work_goes_on(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object, changes: list[Change[Checkpoint]]) -> Saved:
        return Saved(failed={each.key: RepositoryError("injected: the store is down") for each in changes})

    monkeypatch.setattr(MemoryRepository, "save", fail)
    done = False
    with workers.worker("one", 3).reporting():
        done = True
    assert done
