"""Records onto a real stream: each key's in their order, whatever is refused."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from kinesis_handler.errors import StreamError
from kinesis_handler.local.stream.checkpoint import Checkpoint
from kinesis_handler.local.stream.writer import (
    ATTEMPTS,
    FIRST_WAIT,
    LONGEST_WAIT,
    MAX_BYTES,
    MAX_RECORDS,
    StreamWriter,
)
from stream.real_stream import Stream
from stream.test_reader import data
from stream.wire import THROTTLED, Wire, error

RECORDS = [(f"user-{number % 5}", f"{number}".encode()) for number in range(40)]


def read(stream: Stream) -> dict[str, list[bytes]]:
    """Return what is on a stream, by partition key."""
    found: dict[str, list[bytes]] = {}
    reader = stream.reader()
    for shard in reader.shards():
        for record in reader.shard(shard.id, Checkpoint()).read().records:
            found.setdefault(record["kinesis"]["partitionKey"] or "", []).extend(data([record]))
    return found


def by_key(records: list[tuple[str, bytes]]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for key, content in records:
        found.setdefault(key, []).append(content)
    return found


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def writer(stream: Stream, pauses: list[float]) -> StreamWriter:
    return StreamWriter(stream.client, stream.name, pauses.append)


def test_records_are_put_in_the_order_of_their_keys(
    stream: Stream, writer: StreamWriter, pauses: list[float]
) -> None:
    assert writer.put(RECORDS) == {}
    assert read(stream) == by_key(RECORDS)
    assert pauses == []


def test_a_stream_is_written_by_its_arn_too(stream: Stream, pauses: list[float]) -> None:
    assert StreamWriter(stream.client, stream.arn, pauses.append).put(RECORDS[:1]) == {}
    assert read(stream) == by_key(RECORDS[:1])


def test_nothing_to_put_is_no_request(writer: StreamWriter, wire: Wire) -> None:
    assert writer.put([]) == {}
    assert wire.sent == []


def test_the_order_is_kept_although_records_are_refused(
    stream: Stream, writer: StreamWriter, wire: Wire, pauses: list[float]
) -> None:
    wire.refuse([b"0", b"7", b"11", b"35", b"39"], times=2)
    assert writer.put(RECORDS) == {}
    assert read(stream) == by_key(RECORDS)
    assert 2 <= len(pauses) <= 10
    assert set(pauses) <= {FIRST_WAIT, 2 * FIRST_WAIT}


def test_a_record_that_is_refused_for_good_is_given_up_with_those_behind_it_and_others_go_on(
    stream: Stream, writer: StreamWriter, wire: Wire, pauses: list[float]
) -> None:
    wire.refuse([b"12"], times=ATTEMPTS)
    left = writer.put(RECORDS)
    behind_it = [number for number in range(12, 40) if number % 5 == 2]
    assert sorted(left) == behind_it
    assert set(left.values()) == {"ProvisionedThroughputExceededException: Rate exceeded"}
    kept = [record for number, record in enumerate(RECORDS) if number not in behind_it]
    assert read(stream) == by_key(kept)
    assert pauses == [min(FIRST_WAIT * 2**number, LONGEST_WAIT) for number in range(ATTEMPTS - 1)]


def test_a_record_that_is_larger_than_kinesis_takes_is_given_up_at_once_with_those_behind_it(
    stream: Stream, writer: StreamWriter, wire: Wire, pauses: list[float]
) -> None:
    too_large = b"x" * (1024 * 1024 + 1)
    left = writer.put([("anna", b"1"), ("anna", too_large), ("ben", b"2"), ("anna", b"3"), ("ben", b"4")])
    assert sorted(left) == [1, 3]
    assert left[1].startswith("InvalidArgumentException: ")
    assert read(stream) == {"anna": [b"1"], "ben": [b"2", b"4"]}
    assert len(wire.bodies("PutRecords")) == 2
    assert pauses == []


def test_a_request_that_is_throttled_as_a_whole_is_sent_again(
    stream: Stream, writer: StreamWriter, wire: Wire, pauses: list[float]
) -> None:
    wire.on("PutRecords", THROTTLED, THROTTLED)
    assert writer.put(RECORDS) == {}
    assert read(stream) == by_key(RECORDS)
    assert pauses == [FIRST_WAIT, 2 * FIRST_WAIT]


def test_where_every_request_is_throttled_all_is_given_up(
    stream: Stream, writer: StreamWriter, wire: Wire
) -> None:
    wire.on("PutRecords", *[THROTTLED] * ATTEMPTS)
    left = writer.put(RECORDS)
    assert sorted(left) == list(range(40))
    assert set(left.values()) == {f"the stream '{stream.name}': Rate exceeded for shard"}
    assert read(stream) == {}


def test_a_stream_that_is_missing_is_named(wire: Wire, pauses: list[float]) -> None:
    with pytest.raises(StreamError, match="the stream 'nowhere': it does not exist"):
        StreamWriter(wire.client, "nowhere", pauses.append).put(RECORDS)
    assert pauses == []


def test_a_stream_that_may_not_be_written_is_an_error(writer: StreamWriter, wire: Wire) -> None:
    wire.on("PutRecords", error("AccessDeniedException", message="not for you"))
    with pytest.raises(StreamError, match="not for you"):
        writer.put(RECORDS)


def test_a_request_has_no_more_records_and_bytes_than_kinesis_takes() -> None:
    kinesis = Kinesis(lambda _record: False)
    many = [(f"user-{number}", b"x") for number in range(2 * MAX_RECORDS + 1)]
    assert put(kinesis, many) == {}
    assert [len(each) for each in kinesis.requests] == [MAX_RECORDS, MAX_RECORDS, 1]

    kinesis = Kinesis(lambda _record: False)
    whole = b"x" * (MAX_BYTES // 4 - 2)
    large = [(key, whole) for key in ("a", "b", "c", "d", "e", "\u20ac")]
    assert put(kinesis, large) == {}
    assert [len(each) for each in kinesis.requests] == [4, 2]

    kinesis = Kinesis(lambda _record: False)
    assert put(kinesis, [("a", b"x" * (MAX_BYTES + 1)), ("b", b"")]) == {}
    assert [len(each) for each in kinesis.requests] == [1, 1], "what is too large goes alone"


class Kinesis:
    """Takes what it is given, or refuses it: what `put_records` of a client does."""

    def __init__(self, refuses: Callable[[tuple[str, bytes]], bool], down: Callable[[], bool] = bool) -> None:
        self.requests: list[list[tuple[str, bytes]]] = []
        self.taken: list[tuple[str, bytes]] = []
        self._refuses = refuses
        self._down = down

    def put_records(self, Records: list[dict[str, Any]], StreamName: str) -> dict[str, Any]:  # noqa: N803
        assert StreamName == "facts"
        records = [(each["PartitionKey"], each["Data"]) for each in Records]
        self.requests.append(records)
        if self._down():
            answer: Any = {"Error": {"Code": "ThrottlingException"}}
            raise ClientError(answer, "PutRecords")
        answers = []
        for record in records:
            if self._refuses(record):
                answers.append({"ErrorCode": "InternalFailure"})
            else:
                self.taken.append(record)
                answers.append({"SequenceNumber": "1", "ShardId": "0"})
        return {"Records": answers}


def put(kinesis: Kinesis, records: list[tuple[str, bytes]]) -> dict[int, str]:
    writer = StreamWriter(cast("Any", kinesis), "facts", lambda _seconds: None)
    return dict(writer.put(records))


@given(
    keys=st.lists(st.sampled_from("abcdef"), max_size=40),
    random=st.randoms(use_true_random=False),
    rate=st.sampled_from([0.0, 0.2, 0.6, 0.9]),
    down=st.sampled_from([0.0, 0.2, 0.6]),
    never=st.sets(st.integers(0, 39), max_size=3),
)
def test_whatever_is_refused_each_key_arrives_in_order_without_gaps_once_and_what_is_left_is_reported(
    keys: list[str], random: Random, rate: float, down: float, never: set[int]
) -> None:
    records = [(key, f"{number}".encode()) for number, key in enumerate(keys)]
    kinesis = Kinesis(
        lambda record: int(record[1]) in never or random.random() < rate, lambda: random.random() < down
    )
    left = put(kinesis, records)
    assert all(max(Counter(key for key, _ in each).values()) == 1 for each in kinesis.requests)
    assert sorted(kinesis.taken) == sorted(each for at, each in enumerate(records) if at not in left)
    assert never & set(range(len(keys))) <= set(left)
    taken = by_key(kinesis.taken)
    for key, sent in by_key(records).items():
        arrived = taken.get(key, [])
        assert arrived == sent[: len(arrived)]
    assert all(left.values())
