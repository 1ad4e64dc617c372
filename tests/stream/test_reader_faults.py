"""What a reader says when the stream does not answer, or says no."""

import socket
from contextlib import closing

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from kinesis_handler.errors import StreamError, StreamUnavailableError
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.reader import StreamReader
from stream.real_stream import FIRST, Stream
from stream.test_reader import data
from stream.wire import THROTTLED, Fault, Wire, error, raising

URL = "http://localhost"

PASSING = {
    "throttled": THROTTLED,
    "throttled by another name": error("LimitExceededException"),
    "throttled by the key service": error("KMSThrottlingException"),
    "an iterator that has expired": error("ExpiredIteratorException"),
    "an error of the service": error("InternalFailure", 500),
    "an error without a code": error("503", 503),
    "a connection cut in the answer": raising(ConnectionClosedError(endpoint_url=URL)),
    "no answer in time": raising(ReadTimeoutError(endpoint_url=URL)),
    "no connection in time": raising(ConnectTimeoutError(endpoint_url=URL)),
    "nothing that listens": raising(EndpointConnectionError(endpoint_url=URL)),
    "an answer that has lost its end": raising(IncompleteReadError(actual_bytes=1, expected_bytes=2)),
    "an answer that is something else": raising(ResponseParserError("injected")),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_reported_and_a_later_call_goes_on_behind_the_last_record(
    stream: Stream, wire: Wire, fault: Fault
) -> None:
    stream.put(b"1", b"2")
    reader = stream.reader().shard(FIRST, Checkpoint())
    wire.on("GetRecords", fault)
    with pytest.raises(StreamUnavailableError, match=f"the stream '{stream.name}': "):
        reader.read()
    assert data(reader.read().records) == [b"1", b"2"]
    stream.put(b"3")
    wire.on("GetRecords", fault)
    with pytest.raises(StreamUnavailableError):
        reader.read()
    assert data(reader.read().records) == [b"3"]


def test_an_iterator_that_is_no_good_any_more_is_renewed_and_no_other(stream: Stream, wire: Wire) -> None:
    [last] = stream.put(b"1")
    reader = stream.reader().shard(FIRST, Checkpoint())
    for _ in range(3):
        reader.read()
    assert len(wire.bodies("GetShardIterator")) == 1
    wire.on("GetRecords", error("ExpiredIteratorException"))
    with pytest.raises(StreamUnavailableError):
        reader.read()
    reader.read()
    _, renewed = wire.bodies("GetShardIterator")
    assert renewed["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"
    assert renewed["StartingSequenceNumber"] == last


def test_an_iterator_that_could_not_be_had_is_asked_for_again(stream: Stream, wire: Wire) -> None:
    stream.put(b"1")
    reader = stream.reader().shard(FIRST, Checkpoint())
    wire.on("GetShardIterator", THROTTLED)
    with pytest.raises(StreamUnavailableError, match="Rate exceeded for shard"):
        reader.read()
    assert data(reader.read().records) == [b"1"]


def test_a_throttled_list_of_shards_is_reported_and_may_be_asked_for_again(
    stream: Stream, wire: Wire
) -> None:
    reader = stream.reader()
    wire.on("ListShards", THROTTLED)
    with pytest.raises(StreamUnavailableError):
        reader.shards()
    assert [each.id for each in reader.shards()] == [FIRST]


def test_a_throttled_description_may_be_asked_for_again(stream: Stream, wire: Wire) -> None:
    reader = stream.reader()
    wire.on("DescribeStreamSummary", THROTTLED)
    with pytest.raises(StreamUnavailableError):
        _ = reader.identity
    assert reader.identity.startswith(stream.arn)


def test_what_is_refused_for_good_is_no_passing_error(stream: Stream, wire: Wire) -> None:
    reader = stream.reader().shard(FIRST, Checkpoint())
    wire.on("GetRecords", error("AccessDeniedException", message="not for you"))
    with pytest.raises(StreamError, match=f"the stream '{stream.name}': not for you") as told:
        reader.read()
    assert not isinstance(told.value, StreamUnavailableError)


def test_a_stream_that_is_missing_is_named(wire: Wire) -> None:
    for name in ("nowhere", "arn:aws:kinesis:us-east-1:000000000000:stream/nowhere"):
        with pytest.raises(StreamError, match=f"the stream '{name}': it does not exist: are its name and"):
            _ = StreamReader(wire.client, name).arn


def test_a_stream_that_is_removed_while_it_is_read_is_named(stream: Stream) -> None:
    reader = stream.reader()
    shard = reader.shard(FIRST, Checkpoint())
    shard.read()
    stream.client.delete_stream(StreamName=stream.name)
    with pytest.raises(StreamError, match=f"the stream '{stream.name}': it does not exist"):
        shard.read()
    with pytest.raises(StreamError, match=f"the stream '{stream.name}': it does not exist"):
        reader.shards()


def test_without_credentials_it_says_what_to_set(
    kinesis_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with (
        closing(kinesis_client(endpoint=kinesis_endpoint)) as client,
        pytest.raises(StreamError, match="the stream 'facts': no credentials were found: set AWS_PROFILE"),
    ):
        _ = StreamReader(client, "facts").arn


def test_where_nothing_listens_it_says_which_settings_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with (
        closing(kinesis_client(endpoint=f"http://127.0.0.1:{port}")) as client,
        pytest.raises(StreamError, match="it does not answer: is the region right, and AWS_ENDPOINT_URL_KIN"),
    ):
        _ = StreamReader(client, "facts").arn
