"""An answer of Kinesis that is none: empty, a page of HTML, or without what it should have."""

from collections.abc import Callable

import msgspec
import pytest

from kinesis_handler.errors import StreamUnavailableError
from kinesis_handler.stream.checkpoint import Checkpoint
from kinesis_handler.stream.reader import StreamReader
from kinesis_handler.stream.writer import StreamWriter
from stream.consumption import Consumption
from stream.line import Line
from stream.real_stream import FIRST, Stream

HTML = "<html><body>Please log in</body></html>"

READS: dict[str, Callable[[StreamReader], object]] = {
    "DescribeStreamSummary": lambda reader: reader.arn,
    "ListShards": lambda reader: reader.shards(),
    "GetShardIterator": lambda reader: reader.shard(FIRST, Checkpoint()).read(),
    "GetRecords": lambda reader: reader.shard(FIRST, Checkpoint()).read(),
}
MEMBERS = {
    "DescribeStreamSummary": "StreamDescriptionSummary",
    "ListShards": "Shards",
    "GetShardIterator": "ShardIterator",
    "GetRecords": "Records",
}


def a_record(**members: object) -> str:
    whole = {"SequenceNumber": "1", "PartitionKey": "a", "ApproximateArrivalTimestamp": 1.5, "Data": "e30="}
    record = {name: value for name, value in (whole | members).items() if value is not None}
    answer = {"Records": [record], "NextShardIterator": "next", "MillisBehindLatest": 0}
    return msgspec.json.encode(answer).decode()


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("body", ["", "{}", HTML, '{"Records": null}'], ids=["empty", "{}", "HTML", "null"])
def test_an_answer_without_its_members_may_be_asked_for_again(
    stream: Stream, line: Line, operation: str, body: str
) -> None:
    reader = stream.reader()
    line.reply(operation, body)
    expected = f"the stream '{stream.name}': .* has no {MEMBERS[operation]}"
    with pytest.raises(StreamUnavailableError, match=expected):
        READS[operation](reader)
    READS[operation](reader)


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("DescribeStreamSummary", '{"StreamDescriptionSummary": "x"}'),
        ("DescribeStreamSummary", '{"StreamDescriptionSummary": {"StreamARN": "arn"}}'),
        ("ListShards", '{"Shards": "x"}'),
        ("ListShards", '{"Shards": [{}]}'),
        ("ListShards", '{"Shards": [{"ShardId": "shardId-0"}]}'),
        ("GetRecords", '{"Records": "x"}'),
        ("GetRecords", a_record(Data="e30")),
        ("GetRecords", a_record(ApproximateArrivalTimestamp="soon")),
        ("GetRecords", a_record(ApproximateArrivalTimestamp=1e300)),
        ("GetRecords", a_record(SequenceNumber=None)),
        ("GetRecords", a_record(Data=None)),
        ("GetRecords", a_record(ApproximateArrivalTimestamp=None)),
    ],
)
def test_an_answer_of_other_types_or_with_half_a_record_may_be_asked_for_again(
    stream: Stream, line: Line, operation: str, body: str
) -> None:
    reader = stream.reader()
    line.reply(operation, body)
    with pytest.raises(StreamUnavailableError, match=f"the stream '{stream.name}': "):
        READS[operation](reader)
    READS[operation](reader)


def test_a_consumer_goes_on_behind_whatever_answer(stream: Stream, line: Line) -> None:
    stream.put(b"1", b"2")
    reader = stream.reader()
    assert reader.arn
    for operation in ("ListShards", "GetShardIterator", "GetRecords"):
        line.reply(operation, "{}", HTML)
    assert Consumption(stream, reader=reader).run().data == [b"1", b"2"]


@pytest.mark.parametrize(
    "body", ["{}", HTML, '{"Records": []}', '{"Records": [{}]}', '{"Records": 1}'], ids=repr
)
def test_records_of_which_the_answer_does_not_speak_are_put_again(
    stream: Stream, line: Line, body: str
) -> None:
    waits: list[float] = []
    line.reply("PutRecords", body)
    refused = StreamWriter(stream.client, stream.name, waits.append).put([("anna", b"1")])
    assert refused == {}
    assert len(waits) == 1
    assert Consumption(stream).run().data == [b"1"]


def test_a_record_without_a_partition_key_is_delivered_without_one(stream: Stream, line: Line) -> None:
    line.reply("GetRecords", a_record(PartitionKey=None))
    [record] = stream.reader().shard(FIRST, Checkpoint()).read().records
    assert record["kinesis"].get("partitionKey") is None
    assert record["kinesis"]["sequenceNumber"] == "1"
    assert record["kinesis"]["data"] == "e30="
