"""The batches of a real stream on their way to the handler: what is waited for, and what is given up."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kinesis_handler import Key, KinesisHandler
from kinesis_handler.application import Application
from kinesis_handler.cli.delivery import Delivery
from kinesis_handler.errors import QuarantineError, RepositoryError, UnreadableError
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.consumer import StreamConsumer
from kinesis_handler.local.stream.shard_consumer import Reading
from kinesis_handler.outcome import Status
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.stores import Change, Loaded, Saved
from kinesis_handler.stores.memory import MemoryRepository
from stream.consumption import Hasty
from stream.facts import created, unknown
from stream.real_stream import FIRST, Stream
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor


class GoesDown(MemoryRepository[Limit]):
    """A store that is down for so many requests."""

    def __init__(self, requests: int) -> None:
        super().__init__()
        self.requests_left = requests

    def load(self, keys: Collection[Key]) -> Loaded[Limit]:
        self._fail()
        return super().load(keys)

    def save(self, changes: Sequence[Change[Limit]]) -> Saved:
        self._fail()
        return super().save(changes)

    def _fail(self) -> None:
        if self.requests_left:
            self.requests_left -= 1
            raise RepositoryError("injected: the store is down")


class Process:
    """Reads a stream into a store, as the command line does."""

    def __init__(self, stream: Stream, limits: MemoryRepository[Limit], kept: Path, retries: int) -> None:
        self.stop = Hasty()
        self.checkpoints: MemoryRepository[Checkpoint] = MemoryRepository()
        self.quarantine = DirectoryQuarantine(kept)
        processor = UserLimitEventProcessor(limits, park_after=None)
        handler = KinesisHandler([processor], quarantine=self.quarantine)
        application = Application(handler, quarantine=self.quarantine)
        self.delivery = Delivery(application, batch_size=10, retries=retries)
        self._stream = stream

    def run(self) -> None:
        """Read until it has caught up, or is stopped."""
        reader = self._stream.reader()
        StreamConsumer(
            Reading(
                stream=reader,
                checkpoints=Checkpoints(self.checkpoints, reader.identity),
                make_mapping=self.delivery.mapping,
                begin=Checkpoint(),
                until_caught_up=True,
                stop=self.stop,
                on_batch=self.delivery.settle,
            )
        ).run()

    def places(self) -> dict[str, Checkpoint]:
        """Return how far it has come."""
        return Checkpoints(self.checkpoints, self._stream.reader().identity).load()


@pytest.mark.parametrize("retries", [0, 2])
def test_a_store_that_is_down_is_waited_for_longer_each_time_and_uses_up_no_retry(
    stream: Stream, tmp_path: Path, retries: int
) -> None:
    stream.put(created(1), created(2), created(3))
    limits = GoesDown(4)
    process = Process(stream, limits, tmp_path, retries)
    process.run()
    assert [seconds for seconds, _ in process.stop.waits] == [1, 2, 4, 8]
    assert process.delivery.total().outcomes[Status.APPLIED] == 3
    assert list(process.quarantine.names()) == []
    [limit] = limits.scan()
    assert limit.version == 3


@pytest.mark.parametrize("retries", [0, 2])
def test_a_stop_while_the_store_is_down_gives_nothing_up_and_leaves_the_checkpoint(
    stream: Stream, tmp_path: Path, retries: int
) -> None:
    stream.put(created(1), created(2), created(3))
    limits = GoesDown(1_000)
    process = Process(stream, limits, tmp_path, retries)
    process.stop.look = process.stop.set
    process.run()
    assert list(process.quarantine.names()) == []
    assert process.places() == {FIRST: Checkpoint()}
    assert limits.requests_left == 999, "behind the stop it is not asked again"


def test_a_business_error_is_no_outage_and_is_given_up_after_its_retries(
    stream: Stream, tmp_path: Path
) -> None:
    stream.put(created(1), unknown(2), created(3))
    limits = GoesDown(0)
    process = Process(stream, limits, tmp_path, 1)
    process.run()
    assert [seconds for seconds, _ in process.stop.waits] == [1]
    outcomes = process.delivery.total().outcomes
    assert (outcomes[Status.APPLIED], outcomes[Status.FAILED]) == (2, 1)
    assert len(list(process.quarantine.names())) == 1


@pytest.mark.parametrize("with_quarantine", [True, False])
def test_an_outage_of_the_store_gives_nothing_up_however_long_it_lasts_and_nothing_overtakes(
    stream: Stream, tmp_path: Path, *, with_quarantine: bool
) -> None:
    stream.put(created(1), unknown(2), created(3), created(4))
    limits = GoesDown(30)
    process = Process(stream, limits, tmp_path, retries=0)
    if not with_quarantine:
        application = Application(KinesisHandler([UserLimitEventProcessor(limits)]))
        process.delivery = Delivery(application, batch_size=2, retries=0)
    process.stop.look = lambda: list(limits.scan())
    process.run()
    assert sum(seconds for seconds, _ in process.stop.waits) > 600
    assert [seen for _, seen in process.stop.waits] == [[]] * 30
    outcomes = process.delivery.total().outcomes
    assert (outcomes[Status.APPLIED], outcomes[Status.FAILED]) == (3, 1)
    assert len(list(process.quarantine.names())) == with_quarantine, "what failed by itself is given up"
    [limit] = limits.scan()
    assert limit.version == 3


def test_while_the_store_is_down_the_log_has_one_record_of_a_batch_for_each_attempt(
    stream: Stream, tmp_path: Path
) -> None:
    stream.put(*(created(number) for number in range(5)))
    process = Process(stream, GoesDown(20), tmp_path, retries=0)
    with capture_logs() as logged:
        process.run()
    assert sum(each["event"] == "record failed" for each in logged) == 5 + 19
    assert process.delivery.total().outcomes[Status.APPLIED] == 5, "what was tried alone is counted once"
    assert process.delivery.total().outcomes[Status.DUPLICATE] == 0


class Damaged(GoesDown):
    """A store in which one user's keys cannot be read."""

    def load(self, keys: Collection[Key]) -> Loaded[Limit]:
        loaded = super().load([key for key in keys if key[0] != "bea"])
        error = UnreadableError("what is stored is no Limit")
        return Loaded(loaded.found, {key: error for key in keys if key[0] == "bea"})


def test_a_key_whose_state_cannot_be_read_is_no_outage_and_does_not_hold_up_the_others(
    stream: Stream, tmp_path: Path
) -> None:
    stream.put(created(1, user="bea"), created(2))
    limits = Damaged(0)
    process = Process(stream, limits, tmp_path, retries=1)
    process.run()
    outcomes = process.delivery.total().outcomes
    assert (outcomes[Status.APPLIED], outcomes[Status.FAILED]) == (1, 1)
    assert len(list(process.quarantine.names())) == 1
    assert [each.key[0] for each in limits.scan()] == ["anna"]


class Unreachable(DirectoryQuarantine):
    """A quarantine that does not answer twice."""

    times = 2

    def keep(self, name: str, content: bytes) -> None:
        if self.times:
            self.times -= 1
            raise QuarantineError("injected: not kept")
        super().keep(name, content)


def test_what_is_given_up_waits_until_the_quarantine_takes_it(stream: Stream, tmp_path: Path) -> None:
    stream.put(unknown(1), created(2))
    process = Process(stream, GoesDown(0), tmp_path, 0)
    quarantine = Unreachable(tmp_path)
    process.delivery = Delivery(
        Application(KinesisHandler([UserLimitEventProcessor(GoesDown(0))]), quarantine=quarantine),
        batch_size=10,
        retries=0,
    )
    process.run()
    assert [seconds for seconds, _ in process.stop.waits] == [1, 2]
    assert len(list(quarantine.names())) == 1
