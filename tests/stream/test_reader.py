"""A shard of a real stream, read on from any place."""

import time
from base64 import b64decode
from collections.abc import Callable

import pytest

from kinesis_handler.ingest.record import unpack
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.reader import ShardReader
from kinesis_handler.local.stream.shards import Shard
from stream.real_stream import FIRST, SECOND, Stream
from stream.wire import Wire


def data(records: list[LambdaRecord]) -> list[bytes]:
    return [b64decode(each["kinesis"]["data"]) for each in records]


def read_all(reader: ShardReader) -> list[bytes]:
    """Read to the tip, or to the end."""
    found: list[bytes] = []
    while True:
        page = reader.read()
        found += data(page.records)
        if page.ended or not page.behind_ms:
            return found


def test_from_the_trim_horizon_all_records_come_in_their_order(stream: Stream) -> None:
    stream.put(b"1", b"2", b"3")
    page = stream.reader().shard(FIRST, Checkpoint()).read()
    assert data(page.records) == [b"1", b"2", b"3"]
    assert (page.behind_ms, page.ended) == (0, False)


def test_records_come_in_the_shape_in_which_lambda_delivers_them(stream: Stream) -> None:
    before = time.time()
    [number] = stream.put(b"\xff\x00", key="anna")
    [record] = stream.reader().shard(FIRST, Checkpoint()).read().records
    assert record["eventID"] == f"{FIRST}:{number}"
    assert record["eventSourceARN"] == stream.arn
    assert record["awsRegion"] == "us-east-1"
    assert record["kinesis"]["sequenceNumber"] == number
    assert record["kinesis"]["partitionKey"] == "anna"
    assert before - 1 < record["kinesis"]["approximateArrivalTimestamp"] < time.time() + 1
    [(unpacked, content)] = unpack([record])
    assert (unpacked.shard_id, content) == (FIRST, b"\xff\x00")


def test_behind_a_sequence_number_the_next_record_comes_first(stream: Stream) -> None:
    numbers = stream.put(b"1", b"2", b"3")
    reader = stream.reader()
    assert read_all(reader.shard(FIRST, Checkpoint(after=numbers[0]))) == [b"2", b"3"]
    assert read_all(reader.shard(FIRST, Checkpoint(after=numbers[2]))) == []


def test_since_a_time_what_arrived_then_or_later_comes(stream: Stream) -> None:
    stream.put(b"1", b"2", b"3")
    reader = stream.reader()
    records = reader.shard(FIRST, Checkpoint()).read().records
    times = [round(each["kinesis"]["approximateArrivalTimestamp"] * 1_000) for each in records]
    assert len(set(times)) == 3
    for place, moment in enumerate(times):
        assert read_all(reader.shard(FIRST, Checkpoint(since=moment))) == [b"1", b"2", b"3"][place:]
    assert read_all(reader.shard(FIRST, Checkpoint(since=times[2] + 1))) == []


def test_what_comes_later_is_read_by_the_same_reader(stream: Stream) -> None:
    reader = stream.reader().shard(FIRST, Checkpoint())
    assert reader.read().records == []
    stream.put(b"1")
    assert data(reader.read().records) == [b"1"]
    assert reader.read().records == []
    stream.put(b"2")
    assert data(reader.read().records) == [b"2"]


def test_the_end_of_a_closed_shard_comes_with_its_last_records(stream: Stream) -> None:
    stream.put(b"1", b"2")
    stream.split(FIRST)
    page = stream.reader().shard(FIRST, Checkpoint()).read()
    assert (data(page.records), page.ended) == ([b"1", b"2"], True)


def test_a_shard_that_is_closed_when_all_of_it_has_been_read_ends_with_nothing(stream: Stream) -> None:
    [last] = stream.put(b"1")
    reader = stream.reader()
    at_the_tip = reader.shard(FIRST, Checkpoint())
    assert not at_the_tip.read().ended
    stream.split(FIRST)
    for each in (at_the_tip, reader.shard(FIRST, Checkpoint(after=last))):
        page = each.read()
        assert (page.records, page.ended) == ([], True)


def test_a_long_shard_comes_page_by_page_and_each_says_how_far_behind_it_is(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinesis_handler.local.stream.reader.MAX_RECORDS", 2)
    stream.put(b"1", b"2", b"3", b"4", b"5")
    reader = stream.reader().shard(FIRST, Checkpoint())
    pages = [reader.read() for _ in range(3)]
    assert [data(each.records) for each in pages] == [[b"1", b"2"], [b"3", b"4"], [b"5"]]
    behind = [each.behind_ms for each in pages]
    assert behind[0] > behind[1] > behind[2] == 0


def test_all_shards_are_listed_with_their_parents(make_stream: Callable[[int], Stream]) -> None:
    stream = make_stream(2)
    left, right = stream.split(FIRST)
    merged = stream.merge(right, SECOND)
    assert stream.reader().shards() == [
        Shard(FIRST, closed=True),
        Shard(SECOND, closed=True),
        Shard(left, (FIRST,)),
        Shard(right, (FIRST,), closed=True),
        Shard(merged, (right, SECOND)),
    ]


def test_more_shards_than_one_answer_holds_are_all_listed(
    make_stream: Callable[[int], Stream], wire: Wire
) -> None:
    stream = make_stream(230)
    found = stream.reader().shards()
    assert [each.id for each in found] == [f"shardId-{number:012d}" for number in range(230)]
    assert len(wire.bodies("ListShards")) == 3


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0, 4, b"12345"), (1, 3, b"234"), (2, 2, b"3"), (4, 4, b"5")],
)
def test_a_part_of_a_shard_is_read_with_both_its_ends(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, first: int, last: int, expected: bytes
) -> None:
    monkeypatch.setattr("kinesis_handler.local.stream.reader.MAX_RECORDS", 2)
    numbers = stream.put(b"1", b"2", b"3", b"4", b"5")
    found = stream.reader().between(FIRST, numbers[first], numbers[last])
    assert b"".join(data(found)) == expected


def test_a_part_that_reaches_to_the_end_of_a_closed_shard_is_read_too(stream: Stream) -> None:
    numbers = stream.put(b"1", b"2")
    stream.split(FIRST)
    assert data(stream.reader().between(FIRST, numbers[0], str(int(numbers[1]) + 7))) == [b"1", b"2"]


def test_a_stream_is_read_by_its_arn_as_by_its_name(stream: Stream) -> None:
    stream.put(b"1")
    by_arn = stream.reader().__class__(stream.client, stream.reader().arn)
    assert (by_arn.arn, by_arn.identity) == (stream.arn, stream.reader().identity)
    assert read_all(by_arn.shard(by_arn.shards()[0].id, Checkpoint())) == [b"1"]


def test_a_stream_that_is_made_anew_under_its_name_is_another_one(stream: Stream, wire: Wire) -> None:
    before = stream.reader().identity
    stream.client.delete_stream(StreamName=stream.name)
    # The two lives of a stream are at least as far apart as it takes AWS to remove one.
    deadline = time.monotonic() + 10
    while int(before.rpartition(":")[2]) >= int(time.time()) and time.monotonic() < deadline:
        wire.client.list_streams()
    stream.client.create_stream(StreamName=stream.name, ShardCount=1)
    after = stream.reader().identity
    assert before != after
    assert before.startswith(stream.arn)
    assert after.startswith(stream.arn)


def test_the_stream_shows_the_time_when_it_was_opened(stream: Stream) -> None:
    reader = stream.reader()
    assert abs(reader.opened_at / 1_000 - time.time()) < 5
    assert reader.opened_at == reader.opened_at
    stream.put(b"1")
    assert read_all(reader.shard(FIRST, Checkpoint(since=reader.opened_at))) == [b"1"]
