"""What version 0.2 writes, byte by byte: later versions read it, and SECURITY.md says how a format changes.

A change that makes one of these fail changes a format. Do not edit the text of a version that was released:
add that of the new version beside it, keep the old one as what has to be read, and announce it.
"""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from kinesis_handler.aggregate import Aggregate
from kinesis_handler.local.stream.checkpoint_store import Checkpoint
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.contents import Done, done_in, read_contents
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.quarantine.entry import Position, decode_entries, parts_of
from kinesis_handler.stores import Change
from kinesis_handler.stores.dynamodb.attributes import to_attribute
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.sqlite import SQLiteRepository
from kinesis_handler.testing import LawState

ENTRY = (
    b'{"reason":"eventId is missing","error":"InvalidEventError","eventId":null,'
    b'"eventType":"USER_LIMIT_CREATED","correlationId":null,"stream":"arn:aws:kinesis:eu-west-1:123456789012:stream/limits",'
    b'"shardId":"shardId-000000000006","sequenceNumber":"49590338271490256608559692538361571095921575989136588898",'
    b'"subSequenceNumber":0,"partitionKey":"anna","arrivedAt":"2026-11-22T09:59:04.835Z",'
    b'"handlerVersion":"0.2.0","data":"e30="}\n'
)
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/limits"
NUMBER = 49590338271490256608559692538361571095921575989136588898
OBJECT = f"2026-11-22/limits/shardId-000000000006/{NUMBER}-0.752e303ac764.jsonl"
MARK = (
    b'{"stream":"arn:aws:kinesis:eu-west-1:123456789012:stream/limits","shardId":"shardId-000000000006",'
    b'"sequenceNumber":"49590338271490256608559692538361571095921575989136588898","subSequenceNumber":0,'
    b'"through":"handler","at":"2026-11-23T08:00:00.000Z","outcome":"applied"}\n'
)
AGGREGATE = Aggregate(
    key=("anna", "daily"),
    state=LawState(count=2, amount=Decimal("9800.10"), tags=("a",)),
    version=2,
    updated_at=1_763_800_000_000,
    sequence_number=7,
    record_sequence_number="4959",
    record_sub_sequence_number=1,
    recent_event_ids=("e-1", "e-2"),
)
DOCUMENT = (
    b'{"key":["anna","daily"],"state":{"count":2,"amount":"9800.10","note":null,"tags":["a"],"ratio":null},'
    b'"version":2,"updatedAt":1763800000000,"sequenceNumber":7,"recordSequenceNumber":"4959",'
    b'"recordSubSequenceNumber":1,"recentEventIds":["e-1","e-2"]}'
)
ITEM: dict[str, Any] = {
    "userId": {"S": "anna"},
    "limitId": {"S": "daily"},
    "version": {"N": "2"},
    "updatedAt": {"N": "1763800000000"},
    "sequenceNumber": {"N": "7"},
    "recordSequenceNumber": {"S": "4959"},
    "recordSubSequenceNumber": {"N": "1"},
    "recentEventIds": {"L": [{"S": "e-1"}, {"S": "e-2"}]},
    "decimals": {"M": {"amount": {"N": "2"}}},
    "count": {"N": "2"},
    "amount": {"N": "9800.10"},
    "note": {"NULL": True},
    "tags": {"L": [{"S": "a"}]},
    "ratio": {"NULL": True},
}
CHECKPOINT = b'{"after":"4959","since":null,"ended":false,"owner":"host:1:ab","arrived_at":1763800000000}'


def test_a_quarantined_record_is_written_as_in_version_0_2_and_read() -> None:
    [entry] = decode_entries(ENTRY)
    assert entry.position == Position(STREAM, "shardId-000000000006", NUMBER, 0)
    assert msgspec.json.encode(entry) + b"\n" == ENTRY


def test_an_entry_and_a_mark_that_name_readers_are_those_of_version_0_2_with_two_more_fields(
    tmp_path: Path,
) -> None:
    parked, rejected = b'{"reader":"Activity","key":["anna","bets"]}', b'{"reader":"Limits"}'
    names = b',"parked":[%b],"rejected":[%b],"data":"e30="}' % (parked, rejected)
    [entry] = decode_entries(ENTRY.replace(b',"data":"e30="}', names))
    whom = parts_of([ReaderKey("Activity", ("anna", "bets"))], [ReaderKey("Limits")])
    assert entry.parts == whom
    assert msgspec.json.encode(entry).endswith(names)
    quarantine = DirectoryQuarantine(tmp_path)
    quarantine.keep(OBJECT, msgspec.json.encode(entry))
    position = Position(STREAM, "shardId-000000000006", NUMBER, 0)
    read_contents(quarantine).mark(OBJECT, {position: Done("applied", whom)}, "handler", 1_795_420_800)
    [name] = [each for each in quarantine.names() if each.startswith("done/")]
    assert quarantine.read(name) == MARK.replace(b"}\n", names.removesuffix(b',"data":"e30="}') + b"}\n")
    assert done_in([read_contents(quarantine)]) == {position}


def test_a_field_that_a_later_version_adds_to_a_quarantined_record_is_passed_over() -> None:
    later = {**json.loads(ENTRY), "addedLater": {"any": "thing"}}
    assert decode_entries(json.dumps(later).encode()) == decode_entries(ENTRY)


def test_a_mark_of_redrive_is_written_as_in_version_0_2_and_read(tmp_path: Path) -> None:
    quarantine = DirectoryQuarantine(tmp_path)
    quarantine.keep(OBJECT, ENTRY)
    contents = read_contents(quarantine)
    contents.mark(
        OBJECT,
        {Position(STREAM, "shardId-000000000006", NUMBER, 0): Done("applied")},
        "handler",
        1_795_420_800,
    )
    [name] = [each for each in quarantine.names() if each.startswith("done/")]
    assert name == f"done/{OBJECT}/{NUMBER}-0.jsonl"
    assert quarantine.read(name) == MARK
    assert done_in([read_contents(quarantine)]) == {Position(STREAM, "shardId-000000000006", NUMBER, 0)}


def test_a_row_of_sqlite_is_written_as_in_version_0_2_and_read(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    repository = SQLiteRepository(path, LawState)
    repository.save([Change(None, AGGREGATE)])
    with closing(sqlite3.connect(path)) as connection:
        [row] = connection.execute("SELECT * FROM aggregates")
        [[version]] = connection.execute("PRAGMA user_version")
    assert row == ("anna", "daily", 2, None, DOCUMENT.decode())
    assert version == 1
    assert repository.load([AGGREGATE.key]).found == {AGGREGATE.key: AGGREGATE}


def test_an_item_of_dynamodb_is_written_as_in_version_0_2_and_read() -> None:
    codec = ItemCodec(LawState, "userId", "limitId")
    written = {name: to_attribute(value) for name, value in codec.attributes(AGGREGATE).items()}
    assert codec.key(AGGREGATE.key) | written == ITEM
    from_the_service = {**ITEM, "amount": {"N": "9800.1"}}  # it drops zeros at the end
    assert codec.aggregate(from_the_service) == AGGREGATE


def test_a_checkpoint_is_written_as_in_version_0_2_and_read() -> None:
    checkpoint = msgspec.json.decode(CHECKPOINT, type=Checkpoint)
    assert msgspec.json.encode(checkpoint) == CHECKPOINT
