"""Back onto the stream: as new records, with the partition keys that they had."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from aggregates import aggregate
from kinesis_handler import KinesisHandler
from kinesis_handler.local.redrive.through_stream import NOT_BASE64, ThroughStream, _parts
from kinesis_handler.local.stream.writer import ATTEMPTS, StreamWriter
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from redrive.stream import SHARD, Stream
from redrive.waiting import (
    StrictProcessor,
    clean_pass,
    created,
    data_of,
    done_of,
    give_up,
    left_of,
    on_shard,
    open_in,
    progress,
    redrive,
    repository,
    results_of,
    state_of,
)
from testkit.emulators.wire import response
from testkit.quarantine import MemoryQuarantine
from user_limits.processor import UserLimitEventProcessor

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

REFUSED = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "injected"}


def through_stream(client: "KinesisClient", name: str | None = None) -> ThroughStream:
    """Return the way onto the streams that the records came from, or onto another."""
    return ThroughStream(cache(lambda arn: StreamWriter(client, name or arn, lambda _: None)))


Refuses = Callable[[int, str, bytes], bool]
"""Tells by the number of the request, from 0, the partition key and the data whether a record is refused."""


@contextmanager
def refusing(stream: Stream, refuses: Refuses) -> Iterator[list[list[str]]]:
    """Refuse some records, as a throttled shard does, and put the others; yield the keys of each request."""
    asked: list[list[str]] = []

    def before_send(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        body = request.body
        assert isinstance(body, bytes)
        records = [(each["PartitionKey"], b64decode(each["Data"])) for each in json.loads(body)["Records"]]
        refused = [refuses(len(asked), key, data) for key, data in records]
        asked.append([key for key, _ in records])
        if not any(refused):
            return None
        answer = [
            REFUSED if no else {"SequenceNumber": stream.put(*each), "ShardId": SHARD}
            for each, no in zip(records, refused, strict=True)
        ]
        return response(200, {"FailedRecordCount": sum(refused), "Records": answer})

    hooks: Any = stream.client.meta.events  # its types know of no hook that answers
    hooks.register("before-send.kinesis.PutRecords", before_send)
    try:
        yield asked
    finally:
        hooks.unregister("before-send.kinesis.PutRecords", before_send)


def test_records_go_onto_the_stream_they_came_from_in_order_with_their_partition_keys(
    client: "KinesisClient", quarantine: MemoryQuarantine
) -> None:
    streams = [Stream(client), Stream(client)]
    events = [created("e1"), created("e2", "ben"), progress("e3", 5), progress("e4", 7)]
    for stream in streams:
        give_up(quarantine, on_shard(events, stream=stream.arn))
    sent = redrive(through_stream(client), quarantine)
    assert (len(done_of(sent)), left_of(sent), open_in(quarantine)) == (8, [], [])
    for stream in streams:
        content = stream.content()
        assert sorted(content) == sorted((each["payload"]["userId"], data_of(each)) for each in events)
        assert [data for key, data in content if key == "anna"] == [
            data_of(events[place]) for place in (0, 2, 3)
        ]
    assert redrive(through_stream(client), quarantine) == []


def test_what_comes_back_by_the_stream_is_applied(stream: Stream, quarantine: MemoryQuarantine) -> None:
    store = repository()
    records = on_shard([created("e1"), progress("e2", 5)], stream=stream.arn)
    KinesisHandler([StrictProcessor(store)], quarantine=quarantine)({"Records": records[:1]})
    give_up(quarantine, records[1:])
    redrive(through_stream(stream.client), quarantine)
    KinesisHandler([UserLimitEventProcessor(store)])({"Records": stream.records()})
    assert state_of(store) == clean_pass(stream.records())


def test_another_stream_takes_them_if_one_is_named(stream: Stream, quarantine: MemoryQuarantine) -> None:
    give_up(quarantine, on_shard([created("e1")]))  # of a stream that is not there
    sent = redrive(through_stream(stream.client, stream.name), quarantine)
    assert done_of(sent) == [0]
    assert stream.content() == [("anna", data_of(created("e1")))]


def test_a_part_of_an_aggregated_record_goes_alone(stream: Stream, quarantine: MemoryQuarantine) -> None:
    parts = [created("e1", "ben"), created("e2", "carl", brandId="b"), created("e3", "dora")]
    record = aggregate((each["payload"]["userId"], None, data_of(each)) for each in parts)
    records = on_shard([record], stream=stream.arn)
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
    redrive(through_stream(stream.client), quarantine)
    assert sorted(stream.content()) == [("ben", data_of(parts[0])), ("dora", data_of(parts[2]))]


def test_an_aggregated_record_that_was_given_up_goes_as_it_was(
    stream: Stream, quarantine: MemoryQuarantine
) -> None:
    record = aggregate([("ben", None, b"1"), ("carl", None, b"2")])
    give_up(quarantine, on_shard([record], stream=stream.arn))
    redrive(through_stream(stream.client), quarantine)
    assert stream.content() == [("anna", record)]


@pytest.mark.parametrize("aggregated", [False, True])
def test_what_waits_as_a_whole_and_in_part_goes_once(
    stream: Stream, quarantine: MemoryQuarantine, *, aggregated: bool
) -> None:
    rejected = data_of(created("e1"))
    data = aggregate([("anna", None, rejected)]) if aggregated else rejected
    records = on_shard([data], stream=stream.arn)
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
    give_up(quarantine, records)  # with a record before it that failed
    redrive(through_stream(stream.client), quarantine)
    assert stream.content() == [("anna", data)]
    assert open_in(quarantine) == []


def test_what_is_not_base64_stays_and_says_so_and_the_rest_goes(
    stream: Stream, quarantine: MemoryQuarantine
) -> None:
    records = on_shard([created("e1"), created("e2")], stream=stream.arn)
    records[0]["kinesis"]["data"] = "?"
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
    sent = redrive(through_stream(stream.client), quarantine)
    assert (done_of(sent), left_of(sent)) == ([1], [(0, NOT_BASE64)])
    assert [data for _, data in stream.content()] == [data_of(created("e2"))]
    assert open_in(quarantine) == [0]


def test_what_kinesis_never_takes_stays_and_the_rest_goes(
    stream: Stream, quarantine: MemoryQuarantine
) -> None:
    too_large = b" " * (1024 * 1024 + 1)
    give_up(quarantine, on_shard([too_large, created("e2", "ben")], stream=stream.arn))
    sent = redrive(through_stream(stream.client), quarantine)
    assert done_of(sent) == [1]
    [(place, why)] = left_of(sent)
    assert (place, why.partition(":")[0]) == (0, "InvalidArgumentException")
    assert [key for key, _ in stream.content()] == ["ben"]
    assert open_in(quarantine) == [0]


def is_first(_request: int, _key: str, data: bytes) -> bool:
    return data == data_of(created("e1"))


def test_what_is_refused_stays_with_what_is_behind_it_of_its_partition_key_and_the_rest_goes(
    stream: Stream, quarantine: MemoryQuarantine
) -> None:
    events = [created("e1"), progress("e2", 5), created("e3", "ben")]
    give_up(quarantine, on_shard(events, stream=stream.arn))
    with refusing(stream, is_first) as asked:
        sent = redrive(through_stream(stream.client), quarantine)
    assert asked == [["anna", "ben"], *[["anna"]] * (ATTEMPTS - 1)]
    why = "ProvisionedThroughputExceededException: injected"
    assert (done_of(sent), left_of(sent)) == ([2], [(0, why), (1, why)])
    assert stream.content() == [("ben", data_of(events[2]))]
    assert open_in(quarantine) == [0, 1]
    redrive(through_stream(stream.client), quarantine)
    assert [data for _, data in stream.content()] == [data_of(events[place]) for place in (2, 0, 1)]


def test_behind_what_is_refused_its_partition_key_is_held_back_in_later_batches_too(
    stream: Stream, quarantine: MemoryQuarantine
) -> None:
    events = [created("e1"), progress("e2", 5), created("e3", "ben")]
    give_up(quarantine, on_shard(events, stream=stream.arn))
    way = through_stream(stream.client)
    way.batch_size = 1
    with refusing(stream, is_first):
        assert done_of(redrive(way, quarantine)) == [2]
    assert stream.content() == [("ben", data_of(events[2]))]


def test_what_is_throttled_goes_again_and_what_went_does_not(
    stream: Stream, quarantine: MemoryQuarantine
) -> None:
    events = [created("e1"), created("e2", "ben"), progress("e3", 5)]
    give_up(quarantine, on_shard(events, stream=stream.arn))
    with refusing(stream, lambda request, key, _: request < 2 and key == "anna") as asked:
        sent = redrive(through_stream(stream.client), quarantine)
    assert asked == [["anna", "ben"], ["anna"], ["anna"], ["anna"]]
    assert (done_of(sent), open_in(quarantine)) == ([0, 1, 2], [])
    assert [data for _, data in stream.content()] == [data_of(events[place]) for place in (1, 0, 2)]


def test_a_stream_that_is_not_there_is_named_and_nothing_is_marked(
    client: "KinesisClient", quarantine: MemoryQuarantine
) -> None:
    give_up(quarantine, on_shard([created("e1")]))
    [(place, why)] = left_of(redrive(through_stream(client), quarantine))
    assert (place, "stream/limits': it does not exist" in why) == (0, True)
    assert open_in(quarantine) == [0]


def test_what_went_onto_a_stream_is_marked_though_another_is_not_there(
    stream: Stream, quarantine: MemoryQuarantine
) -> None:
    give_up(quarantine, on_shard([created("e1")], stream=stream.arn))
    give_up(quarantine, on_shard([created("e2")], stream=f"{stream.arn}-which-is-gone"))
    for _ in range(2):
        redrive(through_stream(stream.client), quarantine)
    assert stream.content() == [("anna", data_of(created("e1")))], "each time is once too often"


def test_a_part_whose_partition_key_kinesis_would_not_take_stays_and_the_rest_goes(
    stream: Stream, quarantine: MemoryQuarantine
) -> None:
    parts = [("", None, data_of(created("e1"))), ("ben", None, data_of(created("e2", "ben")))]
    records = on_shard([aggregate(parts)], stream=stream.arn)
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine)({"Records": records})
    sent = redrive(through_stream(stream.client), quarantine)
    assert [key for key, _ in stream.content()] == ["ben"]
    assert [place.sub_sequence_number for place in waiting_in([read_contents(quarantine)])] == [0]
    assert len(left_of(sent)) == 1


def test_a_part_of_an_aggregate_that_is_broken_is_not_taken_for_another() -> None:
    assert _parts(aggregate([("anna", None, b"1")])) == [("anna", b"1")]
    assert _parts(aggregate([("anna", None, b"1")])[:-1] + b"?") == []
    assert _parts(b"{}") == []


def test_of_what_is_put_onto_the_stream_no_more_is_reported_than_that(
    stream: Stream, client: "KinesisClient", quarantine: MemoryQuarantine
) -> None:
    give_up(quarantine, on_shard([created("e1"), progress("e2", 5)], stream=stream.arn))
    sent = redrive(through_stream(client), quarantine)
    assert results_of(sent) == [(0, "put onto the stream"), (1, "put onto the stream")]
    assert open_in(quarantine) == []


def test_a_record_without_a_partition_key_goes_under_its_sequence_number(
    stream: Stream, client: "KinesisClient", quarantine: MemoryQuarantine
) -> None:
    records = on_shard([created("e1"), b"{"], stream=stream.arn)
    for each in records:
        each["kinesis"]["partitionKey"] = None
    give_up(quarantine, records[:1])
    KinesisHandler([UserLimitEventProcessor(repository())], quarantine=quarantine)({"Records": records[1:]})
    assert left_of(redrive(through_stream(client), quarantine)) == []
    assert sorted(stream.content()) == [
        (records[0]["kinesis"]["sequenceNumber"], data_of(created("e1"))),
        (records[1]["kinesis"]["sequenceNumber"], b"{"),
    ]
