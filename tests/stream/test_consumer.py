"""A whole stream through a function: parents before children, and on from the checkpoints."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.stores.memory import MemoryRepository
from stream.consumption import PATIENCE, Consumption, Hasty
from stream.real_stream import FIRST, SECOND, Stream
from stream.wire import Wire


def until(condition: Callable[[], object]) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.005)


def just_after_now() -> int:
    """Return the first millisecond in which nothing has arrived yet."""
    return int(time.time() * 1_000) + 1


def test_all_shards_are_read_to_their_tips_each_in_its_order(make_stream: Callable[[int], Stream]) -> None:
    stream = make_stream(2)
    stream.put_on(FIRST, b"1", b"2", b"3")
    stream.put_on(SECOND, b"4", b"5")
    read = Consumption(stream).run()
    assert [data for shard, data in read.seen if shard == FIRST] == [b"1", b"2", b"3"]
    assert [data for shard, data in read.seen if shard == SECOND] == [b"4", b"5"]
    assert read.states == {FIRST: "caught up", SECOND: "caught up"}
    assert sorted(read.settled) == sorted(read.data)
    assert {shard: each.records for shard, each in read.consumer.progress.items()} == {FIRST: 3, SECOND: 2}


def test_a_child_is_not_begun_before_all_of_its_parents_have_ended(
    make_stream: Callable[[int], Stream],
) -> None:
    stream = make_stream(2)
    stream.put_on(FIRST, b"1", b"2")
    stream.put_on(SECOND, b"a", b"b")
    left, right = stream.split(FIRST)
    stream.put_on(left, b"3")
    stream.put_on(right, b"c")
    merged = stream.merge(right, SECOND)
    stream.put_on(merged, b"d")

    begun: dict[bytes, set[str]] = {}

    def take_note(_shard_id: str, data: list[bytes]) -> None:
        begun.update({each: set(read.consumer.progress) for each in data})

    read = Consumption(stream, function=take_note, batch_size=1)
    read.run()
    assert begun[b"1"] == begun[b"2"] == {FIRST, SECOND}
    assert merged not in begun[b"c"] | begun[b"a"] | begun[b"b"]
    assert merged in begun[b"d"]
    assert sorted(read.data) == [b"1", b"2", b"3", b"a", b"b", b"c", b"d"]
    assert read.states == {
        FIRST: "ended",
        SECOND: "ended",
        left: "caught up",
        right: "ended",
        merged: "caught up",
    }


def test_the_records_of_a_key_come_in_order_across_splits_and_merges_while_it_reads(stream: Stream) -> None:
    read = Consumption(stream, until_caught_up=False)
    keys = [f"user-{number}" for number in range(6)]
    expected: dict[str, list[bytes]] = {key: [] for key in keys}
    with read.running() as raised:
        for round_ in range(6):
            records = [(key, f"{key} {round_}".encode()) for key in keys]
            stream.put_at_once(records)
            for key, data in records:
                expected[key].append(data)
            opened = [each["ShardId"] for each in stream.open_shards()]
            if round_ % 3 == 2:
                stream.merge(opened[0], opened[1])
            else:
                stream.split(opened[0])
        until(lambda: len(read.settled) == 36)
    assert raised == []
    for key in keys:
        assert [each for each in read.data if each.startswith(key.encode() + b" ")] == expected[key]


def test_a_restart_goes_on_behind_the_last_record_and_leaves_out_what_has_ended(stream: Stream) -> None:
    stream.put(b"1", b"2", b"3")
    first = Consumption(stream).run()
    assert first.data == [b"1", b"2", b"3"]
    assert Consumption(stream, first.store).run().data == []
    stream.put(b"4")
    left, _ = stream.split(FIRST)
    stream.put_on(left, b"5")
    assert Consumption(stream, first.store).run().data == [b"4", b"5"]
    stream.put_on(left, b"6")
    last = Consumption(stream, first.store).run()
    assert last.data == [b"6"]
    assert FIRST not in last.states


def test_checkpoints_are_moved_behind_each_batch_and_a_shard_that_has_ended_says_so(stream: Stream) -> None:
    numbers = stream.put(b"1", b"2", b"3", b"4", b"5")
    store: MemoryRepository[Checkpoint] = MemoryRepository()
    places: list[Checkpoint] = []

    def look(_shard_id: str, _data: list[bytes]) -> None:
        places.append(read.checkpoints()[FIRST])

    read = Consumption(stream, store, look)
    read.run()
    assert places == [Checkpoint(), Checkpoint(after=numbers[1]), Checkpoint(after=numbers[3])]
    assert read.checkpoints() == {FIRST: Checkpoint(after=numbers[4])}
    left, right = stream.split(FIRST)
    Consumption(stream, store).run()
    assert read.checkpoints()[FIRST] == Checkpoint(ended=True)
    assert set(read.checkpoints()) == {FIRST}, "what is empty is read from its beginning again"
    stream.put_on(left, b"6")
    stream.put_on(right, b"7")
    assert sorted(Consumption(stream, store).run().data) == [b"6", b"7"]


def test_it_begins_where_it_is_asked_to_the_first_time_and_a_child_at_its_own_beginning(
    stream: Stream,
) -> None:
    stream.put(b"old")
    began_at = just_after_now()
    store: MemoryRepository[Checkpoint] = MemoryRepository()
    assert Consumption(stream, store, begin=Checkpoint(since=began_at)).run().data == []
    stream.put(b"1")
    left, _ = stream.split(FIRST)
    stream.put_on(left, b"2")
    assert Consumption(stream, store, begin=Checkpoint()).run().data == [b"1", b"2"]


def test_a_start_that_was_interrupted_begins_no_shard_elsewhere_than_it_was_asked_to(
    make_stream: Callable[[int], Stream],
) -> None:
    stream = make_stream(2)
    stream.put_on(FIRST, b"old")
    stream.put_on(SECOND, b"old")
    begin = Checkpoint(since=just_after_now())
    store: MemoryRepository[Checkpoint] = MemoryRepository()
    # A store may keep a part of what it is to save: here the process was killed in between.
    Checkpoints(store, stream.reader().identity).save([(FIRST, begin)], at=0)
    assert Consumption(stream, store, begin=begin).run().data == []


def test_a_long_shard_is_read_page_by_page_until_it_has_caught_up(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    monkeypatch.setattr("kinesis_handler.local.stream.reader.MAX_RECORDS", 3)
    stream.put(*(f"{number}".encode() for number in range(8)))
    read = Consumption(stream).run()
    assert read.data == [f"{number}".encode() for number in range(8)]
    assert len(wire.bodies("GetRecords")) == 3
    assert read.consumer.progress[FIRST].behind_ms == 0


def test_what_has_caught_up_goes_on_as_records_come_until_it_is_stopped(stream: Stream) -> None:
    read = Consumption(stream, until_caught_up=False)
    with read.running() as raised:
        for number in range(3):
            stream.put(f"{number}".encode())
            until(lambda number=number: len(read.settled) > number)  # type: ignore[misc]
        assert read.states == {FIRST: "reading"}
    assert read.states == {FIRST: "stopped"}
    assert read.data == [b"0", b"1", b"2"]
    assert raised == []


def test_the_age_of_the_last_record_is_reported(stream: Stream) -> None:
    assert Consumption(stream).run().consumer.progress[FIRST].age is None
    stream.put(b"1")
    age = Consumption(stream).run().consumer.progress[FIRST].age
    assert age is not None
    assert 0 <= age < PATIENCE


def test_a_stream_that_is_made_anew_under_its_name_is_read_from_its_beginning(stream: Stream) -> None:
    stream.put(b"1", b"2")
    first = Consumption(stream).run()
    stream.client.delete_stream(StreamName=stream.name)
    # By the second in which they were made its lives are told apart.
    made_in = int(first.stream_identity.rpartition(":")[2])
    until(lambda: int(time.time()) > made_in)
    stream.client.create_stream(StreamName=stream.name, ShardCount=1)
    stream.put(b"3")
    assert Consumption(stream, first.store).run().data == [b"3"]


def test_at_the_tip_what_is_gathered_waits_for_nothing_if_it_ends_there(stream: Stream) -> None:
    stream.put(b"1", b"2")
    read = Consumption(stream, batch_size=3, maximum_batching_window=3_600).run()
    assert read.settled == [b"1", b"2"]
    assert not read.stop.waits  # type: ignore[attr-defined]


def test_within_the_batching_window_a_batch_waits_for_more_until_it_is_full(stream: Stream) -> None:
    stream.put(b"1")
    put: list[bytes] = []

    class Producing(Hasty):
        def pause(self, seconds: float) -> None:
            if seconds and len(put) < 2:  # it waits: meanwhile something comes
                put.append(f"{len(put) + 2}".encode())
                stream.put(put[-1])
            super().pause(seconds)

    batches: list[list[bytes]] = []

    def function(_shard_id: str, data: list[bytes]) -> None:
        batches.append(data)
        stop.set()

    stop = Producing()
    options: dict[str, Any] = {"batch_size": 3, "maximum_batching_window": 3_600, "until_caught_up": False}
    read = Consumption(stream, function=function, stop=stop, **options)
    read.run()
    assert batches == [[b"1", b"2", b"3"]]
    assert read.checkpoints()[FIRST].after is not None


def test_a_batch_that_is_not_full_goes_when_its_window_has_passed(stream: Stream) -> None:
    stream.put(b"1", b"2")
    stop = Hasty()
    options: dict[str, Any] = {"batch_size": 3, "maximum_batching_window": 0.1, "until_caught_up": False}
    read = Consumption(stream, function=lambda *_: stop.set(), stop=stop, **options)
    read.run()
    assert read.data == [b"1", b"2"]
    assert len(stop.waits) >= 1


def test_what_was_gathered_at_a_stop_is_read_again_by_the_next_process(stream: Stream) -> None:
    stream.put(b"1", b"2")
    stop = Hasty(look=lambda: stop.set())  # noqa: PLW0108 - it is made here; as it waits for more
    options: dict[str, Any] = {"batch_size": 3, "maximum_batching_window": 3_600}
    first = Consumption(stream, stop=stop, until_caught_up=False, **options).run()
    assert (first.data, first.checkpoints()) == ([], {FIRST: Checkpoint()})
    assert Consumption(stream, first.store, **options).run().settled == [b"1", b"2"]
