import os
import signal
from contextlib import closing, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import botocore.session
import pytest

from local_emulators import (
    PATIENCE,
    another_session,
    connection,
    empty_cache,
    empty_path,
    needs_sockets,
    on_loopback,
    open_to,
    stub,
)
from testkit.emulators.kinesis_local import PACKAGE, kinesis_local
from testkit.emulators.npm_package import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.literals import ShardIteratorTypeType
    from types_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, RecordTypeDef, ShardTypeDef

MODULE = "testkit.emulators.kinesis_local"
FIRST = "shardId-000000000000"
MIDDLE = str(2**127)
"""Of all hash keys."""

programs = pytest.fixture(empty_path)
cache = pytest.fixture(empty_cache)
numbers = count(1)


def client_of(endpoint: str) -> "KinesisClient":
    session = botocore.session.get_session()
    client = session.create_client("kinesis", region_name="eu-west-1", endpoint_url=endpoint)
    return cast("KinesisClient", client)


class Stream:
    """A stream of one shard, and of what becomes of it."""

    def __init__(self, client: "KinesisClient") -> None:
        self.client = client
        self.name = f"stream-{next(numbers)}"
        client.create_stream(StreamName=self.name, ShardCount=1)

    def put(self, data: bytes, hash_key: str = "0") -> str:
        """Put a record; return its sequence number."""
        answer = self.client.put_record(
            StreamName=self.name, Data=data, PartitionKey="anna", ExplicitHashKey=hash_key
        )
        return answer["SequenceNumber"]

    def iterator(
        self, start: "ShardIteratorTypeType" = "TRIM_HORIZON", shard_id: str = FIRST, **position: Any
    ) -> str:
        answer = self.client.get_shard_iterator(
            StreamName=self.name, ShardId=shard_id, ShardIteratorType=start, **position
        )
        return answer["ShardIterator"]

    def read(self, iterator: str | None = None, **limit: Any) -> "GetRecordsOutputTypeDef":
        """Read once, from the start if there is no iterator."""
        return self.client.get_records(ShardIterator=iterator or self.iterator(), **limit)

    def split(self) -> None:
        """Split the first shard in two halves."""
        self.client.split_shard(StreamName=self.name, ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)

    def merge(self) -> tuple[str, str]:
        """Merge these two; return their identifiers."""
        left, right = (each["ShardId"] for each in self.shards()[1:])
        self.client.merge_shards(StreamName=self.name, ShardToMerge=left, AdjacentShardToMerge=right)
        return left, right

    def shards(self) -> "list[ShardTypeDef]":
        return self.client.list_shards(StreamName=self.name)["Shards"]


@pytest.fixture(scope="module")
def client(kinesis_endpoint: str) -> "Iterator[KinesisClient]":
    with closing(client_of(kinesis_endpoint)) as client:
        yield client


@pytest.fixture
def stream(client: "KinesisClient") -> Stream:
    return Stream(client)


def data_of(answer: "GetRecordsOutputTypeDef") -> list[bytes]:
    return [each["Data"] for each in answer["Records"]]


def ends_with(answer: "GetRecordsOutputTypeDef") -> list[tuple[str, list[str]]]:
    """Return the children, each with its parents, that an answer names instead of the next iterator."""
    assert ("NextShardIterator" in answer) != ("ChildShards" in answer)
    return [(each["ShardId"], each["ParentShards"]) for each in answer.get("ChildShards", [])]


def arrival(record: "RecordTypeDef") -> datetime:
    return record["ApproximateArrivalTimestamp"]


def test_without_node_a_sentence_says_so(programs: Path) -> None:
    assert not list(programs.iterdir())
    with (
        pytest.raises(EmulatorError, match=r"There is no node on the PATH\. .* install Node\.js, version 20"),
        kinesis_local(),
    ):
        pass


@pytest.mark.other_programs
def test_with_a_node_that_is_too_old_a_sentence_says_so(programs: Path, cache: Path) -> None:
    (cache / f"kinesis-local-{PACKAGE.version}").mkdir(parents=True)
    told = '[ "$1" = --version ] && echo v10.24.1 && exit'
    stub(programs / "node", f"{told}; echo 'Error: Cannot find module node:fs' >&2; exit 1")
    sentence = r"node is no Node\.js of version 20 or later: install one\. It calls itself:\nv10\.24\.1$"
    with pytest.raises(EmulatorError, match=sentence), kinesis_local():
        pass


@pytest.mark.other_programs
def test_if_it_does_not_start_its_last_lines_are_reported(programs: Path, cache: Path) -> None:
    (cache / f"kinesis-local-{PACKAGE.version}").mkdir(parents=True)
    told = '[ "$1" = --version ] && echo v20.20.2 && exit'
    stub(programs / "node", f"{told}; echo 'FATAL ERROR: out of memory' >&2; exit 1")
    with pytest.raises(EmulatorError, match=r"did not start:\nFATAL ERROR: out of memory$"), kinesis_local():
        pass


@needs_sockets
def test_it_listens_on_loopback_only_and_at_one_port(kinesis_endpoint: str) -> None:
    (address,) = open_to(kinesis_endpoint)
    assert on_loopback(address)


def test_a_port_that_is_taken_is_reported(kinesis_endpoint: str) -> None:
    port = urlsplit(kinesis_endpoint).port
    assert port
    told = rf"did not start:(?s:.)*address already in use 127\.0\.0\.1:{port}"
    with pytest.raises(EmulatorError, match=told), kinesis_local(port):
        pass


def test_two_at_once_do_not_meet_and_the_owners_variables_are_not_for_them(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INITIALIZE_STREAMS", "foreign:1")
    monkeypatch.setenv("AWS_REGION", "no-region-1")
    with kinesis_local() as endpoint, closing(client_of(endpoint)) as client:
        assert client.list_streams()["StreamNames"] == []
    assert stream.name in stream.client.list_streams()["StreamNames"]


@pytest.mark.other_programs
def test_people_learn_how_to_use_it_and_stop_it_with_a_signal() -> None:
    with another_session(MODULE) as (process, told):
        assert set(told) == {
            "AWS_ENDPOINT_URL_KINESIS",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        }
        with connection(told["AWS_ENDPOINT_URL_KINESIS"]):
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        with pytest.raises(ConnectionRefusedError), connection(told["AWS_ENDPOINT_URL_KINESIS"]):
            pass


@pytest.mark.other_programs
def test_it_does_not_outlive_a_session_that_is_killed() -> None:
    with (
        another_session(MODULE) as (process, told),
        connection(told["AWS_ENDPOINT_URL_KINESIS"]) as connected,
    ):
        os.kill(process.pid, signal.SIGKILL)
        with suppress(ConnectionResetError):
            assert connected.recv(1) == b""


def test_a_record_is_read_as_it_was_put(stream: Stream) -> None:
    number = stream.put(b"\x00\xff")
    answer = stream.read()
    (record,) = answer["Records"]
    assert record["Data"] == b"\x00\xff"
    assert (record["PartitionKey"], record["SequenceNumber"]) == ("anna", number)
    assert "date" in answer["ResponseMetadata"]["HTTPHeaders"]


def test_a_shard_is_read_by_pages_and_the_next_iterator_waits_for_what_comes(stream: Stream) -> None:
    for each in (b"1", b"2", b"3"):
        stream.put(each)
    pages = []
    iterator = stream.iterator()
    for _ in range(3):
        answer = stream.read(iterator, Limit=2)
        pages.append(data_of(answer))
        iterator = answer["NextShardIterator"]
    stream.put(b"4")
    pages.append(data_of(stream.read(iterator)))
    assert pages == [[b"1", b"2"], [b"3"], [], [b"4"]]


def test_an_iterator_starts_after_a_sequence_number_or_at_one(stream: Stream) -> None:
    _, second, _ = (stream.put(each) for each in (b"1", b"2", b"3"))
    after = stream.iterator("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=second)
    at = stream.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber=second)
    assert data_of(stream.read(after)) == [b"3"]
    assert data_of(stream.read(at)) == [b"2", b"3"]


def test_an_iterator_starts_with_what_arrived_at_a_time_or_later(stream: Stream) -> None:
    for each in (b"1", b"2", b"3"):
        stream.put(each)
    records = stream.read()["Records"]
    for start in map(arrival, records):
        found = stream.read(stream.iterator("AT_TIMESTAMP", Timestamp=start))
        assert data_of(found) == [each["Data"] for each in records if arrival(each) >= start]


def test_the_latest_iterator_skips_what_is_there(stream: Stream) -> None:
    stream.put(b"1")
    answer = stream.read(stream.iterator("LATEST"))
    stream.put(b"2")
    following = stream.read(answer["NextShardIterator"])
    assert (data_of(answer), data_of(following)) == ([], [b"2"])


def test_a_reader_learns_by_how_much_the_last_record_is_ahead_of_it(stream: Stream) -> None:
    for each in (b"1", b"2", b"3"):
        stream.put(each)
    first, *_, last = stream.read()["Records"]
    behind = stream.read(Limit=1)
    caught_up = stream.read(behind["NextShardIterator"])
    ahead = (arrival(last) - arrival(first)).total_seconds() * 1000
    assert behind["MillisBehindLatest"] == pytest.approx(ahead)
    assert behind["MillisBehindLatest"] > 0
    assert caught_up["MillisBehindLatest"] == 0


def test_a_shard_that_is_split_ends_and_names_its_children(stream: Stream) -> None:
    stream.put(b"1")
    assert ends_with(stream.read()) == []
    stream.split()
    stream.put(b"2", hash_key="0")
    stream.put(b"3", hash_key=MIDDLE)

    parent, left, right = stream.shards()
    assert [each.get("ParentShardId") for each in (parent, left, right)] == [None, FIRST, FIRST]
    assert "AdjacentParentShardId" not in left
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert "EndingSequenceNumber" not in left["SequenceNumberRange"]

    last = stream.read()
    assert data_of(last) == [b"1"]
    assert ends_with(last) == [(left["ShardId"], [FIRST]), (right["ShardId"], [FIRST])]
    assert data_of(stream.read(stream.iterator(shard_id=left["ShardId"]))) == [b"2"]
    assert data_of(stream.read(stream.iterator(shard_id=right["ShardId"]))) == [b"3"]


def test_shards_that_are_merged_end_and_both_name_the_child(stream: Stream) -> None:
    stream.split()
    left, right = stream.merge()
    *_, merged = stream.shards()
    assert (merged["ParentShardId"], merged.get("AdjacentParentShardId")) == (left, right)
    for parent in (left, right):
        last = stream.read(stream.iterator(shard_id=parent))
        assert ends_with(last) == [(merged["ShardId"], [left, right])]


def test_the_sequence_numbers_of_a_key_rise_across_a_split_and_a_merge(stream: Stream) -> None:
    found = [stream.put(b"1")]
    stream.split()
    found.append(stream.put(b"2"))
    stream.merge()
    found.append(stream.put(b"3"))
    assert found == sorted(set(found), key=int)
