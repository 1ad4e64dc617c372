"""What Lambda gives up, and what our own event source mapping does, is one kind of document."""

import json
from pathlib import Path
from typing import Any

import pytest

from kinesis_handler import KinesisHandler
from kinesis_handler.local.event_source import DiscardedBatch
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.quarantine.on_failure import decode, failed_batch
from redrive.documents import KEY, document, payload, whole
from redrive.waiting import (
    ARRIVED_AT,
    SHARD,
    STREAM,
    FailingProcessor,
    created,
    deliver,
    give_up,
    left_of,
    on_shard,
    open_in,
    progress,
    redrive,
    repository,
    through_handler,
)
from testkit.quarantine import MemoryQuarantine

RECORDS = on_shard([created("e1"), progress("e2", 5)])


def keys(document: Any) -> Any:
    """Return which fields a document has, and which they have."""
    return {name: keys(each) for name, each in document.items()} if isinstance(document, dict) else None


def test_a_document_of_lambda_is_read_record_by_record(kept: ReadableQuarantine) -> None:
    kept.keep(KEY, whole(RECORDS))
    contents = read_contents(kept)
    assert list(contents.objects) == [KEY]
    first, second = contents.objects[KEY]
    assert (first.reason, first.error) == ("given up after 3 deliveries", "RetryAttemptsExhausted")
    assert (first.stream, first.shard_id, first.sub_sequence_number) == (STREAM, SHARD, None)
    assert (first.partition_key, first.data) == ("anna", RECORDS[0]["kinesis"]["data"])
    assert (first.handler_version, first.event_id) == ("$LATEST", None)
    assert [each.arrived_at for each in (first, second)] == [
        "2026-11-18T11:06:40.250Z",
        "2026-11-18T11:06:41.250Z",
    ]
    assert [each.sequence_number for each in (first, second)] == [
        record["kinesis"]["sequenceNumber"] for record in RECORDS
    ]


@pytest.mark.parametrize("response", [{"responseContext": None}, {}])
def test_a_batch_that_was_too_old_to_be_delivered_has_no_response(response: dict[str, Any]) -> None:
    content = document(RECORDS, payload=payload(RECORDS))
    content["requestContext"] |= {"condition": "RecordAgeExceeded", "approximateInvokeCount": 1}
    del content["responseContext"]
    entry, _ = decode(json.dumps(content | response)).entries()
    assert (entry.error, entry.reason) == ("RecordAgeExceeded", "given up after 1 delivery")
    assert entry.handler_version == ""


def test_what_our_own_event_source_mapping_gives_up_has_the_shape_of_lambdas() -> None:
    discarded = DiscardedBatch("RetryAttemptsExhausted", RECORDS, 3)
    ours = json.loads(failed_batch(discarded, ARRIVED_AT).object()[1])
    lambdas = json.loads(whole(RECORDS))
    assert ours.pop("responseContext") is None
    del lambdas["responseContext"]
    assert keys(ours) == keys(lambdas)
    assert json.loads(ours["payload"]) == json.loads(lambdas["payload"])
    assert ours["timestamp"] == "2026-11-18T11:06:40.250Z"
    for name in ("shardId", "startSequenceNumber", "endSequenceNumber", "batchSize", "streamArn"):
        assert ours["KinesisBatchInfo"][name] == lambdas["KinesisBatchInfo"][name]
    assert ours["requestContext"]["approximateInvokeCount"] == 3


def test_what_is_given_up_is_kept_and_the_same_batch_once(tmp_path: Path) -> None:
    quarantine = DirectoryQuarantine(tmp_path)
    processor = FailingProcessor(repository(), "e1")
    for _ in range(2):
        deliver(KinesisHandler([processor]), RECORDS, quarantine)
    [name] = quarantine.names()
    first, last = (record["kinesis"]["sequenceNumber"] for record in RECORDS)
    assert name == f"2026-11-18/limits/{SHARD}/{first}-{last}.on-failure.json"
    assert open_in(quarantine) == [0, 1]


def test_batches_that_begin_alike_and_end_apart_are_two_objects(quarantine: MemoryQuarantine) -> None:
    for records in (RECORDS, RECORDS[:1]):
        give_up(quarantine, records)
    assert len(quarantine.objects) == 2
    assert open_in(quarantine) == [0, 1]


@pytest.mark.parametrize(
    "broken",
    [
        "nonsense",
        "",
        "[]",
        "{}",
        '{"Records": 1}',
        '{"Records": [{}]}',
        '{"Records": [{"kinesis": {"sequenceNumber": 1, "partitionKey": "a", "data": ""}}]}',
        {"Records": []},
    ],
)
def test_a_payload_that_is_no_invocation_is_named(quarantine: MemoryQuarantine, broken: object) -> None:
    quarantine.keep(KEY, json.dumps(document(RECORDS, payload=broken)).encode())
    assert read_contents(quarantine).unreadable.keys() == {KEY}


def test_a_sequence_number_that_is_none_is_named(quarantine: MemoryQuarantine) -> None:
    [record] = on_shard([created("e1")])
    record["kinesis"]["sequenceNumber"] = "4959x"
    quarantine.keep(KEY, whole([record]))
    assert read_contents(quarantine).unreadable.keys() == {KEY}


def test_a_time_that_is_none_is_not_known(quarantine: MemoryQuarantine) -> None:
    [record] = on_shard([created("e1")])
    record["kinesis"]["approximateArrivalTimestamp"] = "noon"  # type: ignore[typeddict-item]
    quarantine.keep(KEY, whole([record]))
    [(_, _, entry)] = waiting_in([read_contents(quarantine)]).values()
    assert entry.arrived_at is None
    assert left_of(redrive(through_handler(repository(), quarantine), quarantine)) == []


def test_a_document_that_says_less_than_lambda_does_is_named(quarantine: MemoryQuarantine) -> None:
    content = document(RECORDS)
    del content["KinesisBatchInfo"]["streamArn"]
    quarantine.keep(KEY, json.dumps(content).encode())
    assert "`streamArn` - at `$.KinesisBatchInfo`" in read_contents(quarantine).unreadable[KEY]


def test_a_document_without_its_records_is_distinguished_from_the_others(
    quarantine: MemoryQuarantine,
) -> None:
    quarantine.keep(KEY, json.dumps(document(RECORDS)).encode())
    contents = read_contents(quarantine)
    assert waiting_in([contents]) == {}
    assert contents.unfetched[KEY].info.batch_size == 2
