"""A shard ends where ListShards says that it is closed, and no answer alone says so."""

from collections.abc import Callable

import msgspec
import pytest

from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.reader import StreamReader
from stream.consumption import Consumption
from stream.real_stream import FIRST, Stream
from stream.test_reader import data
from stream.wire import Wire


def without_iterator(**members: object) -> str:
    """Write an answer of GetRecords as it is at the end of a shard."""
    return msgspec.json.encode({"Records": [], "MillisBehindLatest": 0, **members}).decode()


@pytest.mark.parametrize("behind_ms", [0, 1_000])
def test_an_open_shard_goes_on_behind_an_answer_without_a_further_iterator(
    stream: Stream, wire: Wire, behind_ms: int
) -> None:
    [number, *_] = stream.put(b"1", b"2", b"3")
    wire.reply("GetRecords", without_iterator(MillisBehindLatest=behind_ms))
    read = Consumption(stream).run()
    assert read.data == [b"1", b"2", b"3"]
    assert read.states == {FIRST: "caught up"}
    reader = stream.reader().shard(FIRST, Checkpoint(after=number))
    reader.read()
    wire.reply("GetRecords", without_iterator())
    page = reader.read()
    assert not page.ended
    assert page.behind_ms > 0, "it is not known to be at the tip"
    stream.put(b"4")
    assert data(reader.read().records) == [b"4"]


def test_a_closed_shard_goes_on_too_if_it_is_not_at_its_end(stream: Stream, wire: Wire) -> None:
    stream.put(b"1", b"2")
    stream.split(FIRST)
    reader = stream.reader().shard(FIRST, Checkpoint())
    wire.reply("GetRecords", without_iterator(MillisBehindLatest=1_000))
    assert not reader.read().ended
    page = reader.read()
    assert (data(page.records), page.ended) == ([b"1", b"2"], True)


def test_children_in_an_answer_do_not_end_a_shard_that_is_listed_as_open(stream: Stream, wire: Wire) -> None:
    stream.put(b"1")
    child = {"ShardId": "shardId-1", "ParentShards": [FIRST], "HashKeyRange": {}}
    wire.reply("GetRecords", without_iterator(ChildShards=[child]))
    reader = stream.reader().shard(FIRST, Checkpoint())
    assert not reader.read().ended
    assert data(reader.read().records) == [b"1"]


def test_a_list_that_cannot_be_had_at_the_end_is_asked_for_again_and_no_record_is_lost(
    stream: Stream, wire: Wire
) -> None:
    stream.put(b"1", b"2")
    left, _ = stream.split(FIRST)
    stream.put_on(left, b"3")
    wire.reply("ListShards", "{}", "{}")
    read = Consumption(stream).run()
    assert read.data == [b"1", b"2", b"3"]
    assert read.states[FIRST] == "ended"


def test_many_shards_that_end_or_catch_up_are_listed_a_few_times(
    make_stream: Callable[[int], Stream], wire: Wire
) -> None:
    stream = make_stream(40)
    stream.split(FIRST)
    read = Consumption(stream, reader=StreamReader(stream.client, stream.name, clock=lambda: 0.0)).run()
    assert len(read.states) == 42
    assert read.states[FIRST] == "ended"
    listed = [body for body in wire.bodies("ListShards") if "StreamARN" in body]
    assert len(listed) == 1
