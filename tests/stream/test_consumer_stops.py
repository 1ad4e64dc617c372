"""What ends a consumer, what it waits for, and what it leaves behind."""

import time
from collections.abc import Callable, Sequence
from unittest.mock import ANY

import pytest
from structlog.testing import capture_logs

from kinesis_handler.errors import RepositoryError, StreamError
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.checkpoint_store import CheckpointStore
from kinesis_handler.local.stream.claim import CLAIM
from kinesis_handler.local.stream.outages import FIRST_WAIT, LONGEST_WAIT
from kinesis_handler.local.stream.stop import Stop
from kinesis_handler.stores import Change, Saved
from kinesis_handler.stores.memory import MemoryRepository
from stream.consumption import Consumption, Hasty
from stream.real_stream import FIRST, SECOND, Stream
from stream.test_consumer import until
from stream.wire import THROTTLED, Wire, error

FORBIDDEN = error("AccessDeniedException", message="not for you")
FAILED = {"batchItemFailures": [{"itemIdentifier": ""}]}
"""All of the batch."""


class GoesDown(MemoryRepository[Checkpoint]):
    """A store that cannot be written for some time."""

    def __init__(self) -> None:
        super().__init__()
        self.failures_left = 0

    def save(self, changes: Sequence[Change[Checkpoint]]) -> Saved:
        if self.failures_left:
            self.failures_left -= 1
            raise RepositoryError("injected: the store is down")
        return super().save(changes)


def test_an_error_for_good_in_one_shard_stops_all_and_is_raised(
    make_stream: Callable[[int], Stream], wire: Wire
) -> None:
    stream = make_stream(3)
    read = Consumption(stream, until_caught_up=False)
    wire.on("GetShardIterator", FORBIDDEN, about=SECOND)
    with pytest.raises(StreamError, match=f"the stream '{stream.name}': not for you"):
        read.run()
    assert read.states == {FIRST: "stopped", SECOND: "failed", "shardId-000000000002": "stopped"}
    assert "not for you" in read.problems[SECOND]


def test_after_an_error_for_good_the_children_of_what_ended_are_not_begun(
    make_stream: Callable[[int], Stream], wire: Wire
) -> None:
    stream = make_stream(2)
    stream.put_on(FIRST, b"1")
    stream.split(FIRST)
    read = Consumption(stream, function=lambda *_: until(read.stop.is_set), until_caught_up=False)
    wire.on("GetShardIterator", FORBIDDEN, about=SECOND)
    with pytest.raises(StreamError, match="not for you"):
        read.run()
    assert read.states == {FIRST: "stopped", SECOND: "failed"}
    assert read.settled == [b"1"], "the batch in hand is brought to its end"


def test_a_list_of_shards_that_is_refused_for_good_stops_all_and_is_raised(
    stream: Stream, wire: Wire
) -> None:
    stream.put(b"1")
    stream.split(FIRST)

    def forbid(_shard_id: str, _data: list[bytes]) -> None:
        wire.on("ListShards", FORBIDDEN)

    read = Consumption(stream, function=forbid, until_caught_up=False)
    with pytest.raises(StreamError, match="not for you"):
        read.run()
    assert read.settled == [b"1"]
    assert read.checkpoints()[FIRST] == Checkpoint(ended=True)


def test_a_throttled_shard_waits_longer_each_time_shows_why_and_goes_on(stream: Stream, wire: Wire) -> None:
    stream.put(b"1", b"2")
    stop = Hasty(lambda: read.problems)
    read = Consumption(stream, stop=stop)
    wire.on("GetRecords", *[THROTTLED] * 7)
    read.run()
    why = {FIRST: f"the stream '{stream.name}': Rate exceeded for shard"}
    waits = [min(FIRST_WAIT * 2**number, LONGEST_WAIT) for number in range(7)]
    assert stop.waits == [(seconds, why) for seconds in waits]
    assert read.data == [b"1", b"2"]
    assert read.problems == {}


def test_a_list_of_shards_that_is_throttled_is_waited_for(stream: Stream, wire: Wire) -> None:
    stream.put(b"1")
    left, _ = stream.split(FIRST)
    stream.put_on(left, b"2")

    def throttle(shard_id: str, _data: list[bytes]) -> None:
        if shard_id == FIRST:
            wire.on("ListShards", THROTTLED, THROTTLED)

    assert Consumption(stream, function=throttle).run().data == [b"1", b"2"]


def test_while_its_store_is_down_a_shard_waits_and_shows_why_and_no_batch_comes_again(
    stream: Stream,
) -> None:
    numbers = stream.put(b"1", b"2", b"3", b"4")
    store = GoesDown()

    def take_down(_shard_id: str, _data: list[bytes]) -> None:
        store.failures_left = 2

    stop = Hasty(lambda: read.problems)
    read = Consumption(stream, store, take_down, stop=stop)
    read.run()
    assert [why for _, why in stop.waits] == [{FIRST: "injected: the store is down"}] * 4
    assert read.data == [b"1", b"2", b"3", b"4"]
    assert read.checkpoints() == {FIRST: Checkpoint(after=numbers[3])}
    assert read.problems == {}


def test_a_store_that_is_down_at_the_start_is_waited_for(stream: Stream) -> None:
    stream.put(b"1")
    store = GoesDown()
    store.failures_left = 3
    stop = Hasty()
    with capture_logs() as logged:
        read = Consumption(stream, store, stop=stop).run()
    assert read.data == [b"1"]
    assert [seconds for seconds, _ in stop.waits] == [1, 2, 4]
    assert [each["event"] for each in logged] == ["the store is down: waiting for it", "the store is back"]


def test_a_stop_while_the_store_is_down_at_the_start_ends_it(stream: Stream) -> None:
    store = GoesDown()
    store.failures_left = 1_000
    stop = Hasty()
    stop.look = stop.set
    read = Consumption(stream, store, stop=stop).run()
    assert store.failures_left == 999
    assert read.states == {}


def test_an_answer_of_its_store_that_is_lost_is_no_second_consumer(stream: Stream) -> None:
    stream.put(b"1", b"2", b"3", b"4")

    class LosesAnswers(GoesDown):
        def save(self, changes: Sequence[Change[Checkpoint]]) -> Saved:
            saved = MemoryRepository.save(self, changes)
            if self.failures_left:
                self.failures_left -= 1
                raise RepositoryError("injected: it was written, and nobody says so")
            return saved

    store = LosesAnswers()

    def lose(_shard_id: str, _data: list[bytes]) -> None:
        store.failures_left = 2

    read = Consumption(stream, store, lose).run()
    assert read.data == [b"1", b"2", b"3", b"4"]


def test_a_stop_ends_it_behind_the_batch_in_hand_and_a_restart_goes_on_with_the_next(
    stream: Stream,
) -> None:
    numbers = stream.put(b"1", b"2", b"3", b"4", b"5")

    def stop(_shard_id: str, data: list[bytes]) -> None:
        if data == [b"3", b"4"]:
            read.stop.set()

    read = Consumption(stream, function=stop, until_caught_up=False)
    read.run()
    assert read.settled == [b"1", b"2", b"3", b"4"]
    assert read.checkpoints() == {FIRST: Checkpoint(after=numbers[3])}
    assert read.states == {FIRST: "stopped"}
    assert Consumption(stream, read.store).run().data == [b"5"]


def test_a_stop_while_a_failed_batch_waits_for_its_retry_ends_it_at_once_and_loses_nothing(
    stream: Stream,
) -> None:
    numbers = stream.put(b"1", b"2", b"3", b"4")
    read = Consumption(
        stream,
        function=lambda _shard_id, data: FAILED if data == [b"3", b"4"] else None,
        stop=Stop(),
        until_caught_up=False,
        retry_wait=60,
    )
    with read.running() as raised:
        until(lambda: b"4" in read.data)
        asked_at = time.monotonic()
    assert time.monotonic() - asked_at < 5
    assert raised == []
    assert read.given_up == []
    assert read.settled == [b"1", b"2"]
    assert read.checkpoints() == {FIRST: Checkpoint(after=numbers[1])}
    assert Consumption(stream, read.store).run().data == [b"3", b"4"]


def test_a_stop_at_the_tip_or_while_it_waits_for_something_ends_it_at_once(
    make_stream: Callable[[int], Stream], wire: Wire
) -> None:
    stream = make_stream(2)
    wire.on("GetRecords", THROTTLED)
    read = Consumption(stream, stop=Stop(), until_caught_up=False)
    with read.running() as raised:
        until(lambda: read.problems)
        asked_at = time.monotonic()
    assert time.monotonic() - asked_at < 5
    assert raised == []
    assert set(read.states.values()) == {"stopped"}


def test_a_stop_before_it_begins_reads_nothing(stream: Stream) -> None:
    stream.put(b"1")
    read = Consumption(stream)
    read.stop.set()
    assert read.run().data == []
    assert read.states == {}


def test_a_batch_that_is_given_up_is_settled_and_the_shard_goes_on(stream: Stream) -> None:
    numbers = stream.put(b"1", b"2", b"3", b"4")
    read = Consumption(
        stream,
        function=lambda _shard_id, data: FAILED if data == [b"1", b"2"] else None,
        maximum_retry_attempts=1,
    ).run()
    assert read.data == [b"1", b"2", b"1", b"2", b"3", b"4"]
    [discarded] = read.given_up
    assert [each["kinesis"]["sequenceNumber"] for each in discarded.records] == numbers[:2]
    assert read.checkpoints() == {FIRST: Checkpoint(after=numbers[3])}


def test_a_second_consumer_on_the_same_store_is_refused_and_the_first_goes_on(stream: Stream) -> None:
    stream.put(b"1", b"2", b"3", b"4")
    store: MemoryRepository[Checkpoint] = MemoryRepository()
    refused: list[str] = []

    def let_another_in(_shard_id: str, _data: list[bytes]) -> None:
        with pytest.raises(StreamError) as told:
            Consumption(stream, store, batch_size=1).run()
        refused.append(str(told.value))

    read = Consumption(stream, store, let_another_in).run()
    assert read.data == read.settled == [b"1", b"2", b"3", b"4"]
    assert read.states == {FIRST: "caught up"}
    assert len(refused) == 2
    assert f"{read.stream_identity} is being read into this store by another process" in refused[0]
    assert Consumption(stream, store).run().data == [], "behind the first one's end it may"


def test_a_consumer_whose_stream_another_has_taken_over_ends_and_moves_no_checkpoint(stream: Stream) -> None:
    numbers = stream.put(b"1", b"2", b"3", b"4")
    store: MemoryRepository[Checkpoint] = MemoryRepository()

    def take_over(_shard_id: str, data: list[bytes]) -> None:
        if data == [b"3", b"4"]:
            usurper = Checkpoints(store, read.stream_identity)
            assert usurper.load() == {FIRST: Checkpoint(after=numbers[1], arrived_at=ANY, behind_ms=ANY)}
            claimed = CheckpointStore(store, read.stream_identity)
            claimed.read(CLAIM)
            claimed.write([(CLAIM, Checkpoint())], at=0)
            usurper.save([(FIRST, Checkpoint(after=numbers[0]))], at=0)

    read = Consumption(stream, store, take_over)
    with pytest.raises(StreamError, match=f"{FIRST} is being read into this store by another process"):
        read.run()
    assert read.states == {FIRST: "failed"}
    assert read.checkpoints() == {FIRST: Checkpoint(after=numbers[0])}


def test_what_an_unforeseen_error_says_is_not_swallowed(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.put(b"1")

    def raise_it(*_: object) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(Consumption, "_settle", raise_it)
    read = Consumption(stream, until_caught_up=False)
    with pytest.raises(ZeroDivisionError, match="a bug of ours"):
        read.run()
    assert read.states == {FIRST: "failed"}
