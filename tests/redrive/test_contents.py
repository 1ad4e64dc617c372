"""A quarantine is read as a whole: each record once, without those that are done with."""

import json
from pathlib import Path
from typing import Any

import pytest

from kinesis_handler import KinesisHandler
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.quarantine.contents import DONE, Done, marks, read_contents, remove_finished, waiting_in
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.quarantine.entry import WHOLE
from redrive.documents import KEY, whole
from redrive.waiting import (
    ARRIVED_AT,
    StrictProcessor,
    created,
    give_up,
    on_shard,
    open_in,
    repository,
)
from testkit.quarantine import MemoryQuarantine

RECORDS = on_shard([created(f"e{number}") for number in range(4)])


def reject(quarantine: ReadableQuarantine, records: Any) -> None:
    """Let a handler reject records: they go into one object."""
    KinesisHandler([StrictProcessor(repository())], quarantine=quarantine).handle({"Records": records})


def mark(quarantine: ReadableQuarantine, *places: int) -> None:
    """Mark records as done with, each in the object that it is open in."""
    numbers = [int(RECORDS[place]["kinesis"]["sequenceNumber"]) for place in places]
    for place, waiting in waiting_in([read_contents(quarantine)]).items():
        if place.sequence_number in numbers:
            waiting.contents.mark(
                waiting.name, {place: Done("applied", waiting.entry.parts)}, "handler", ARRIVED_AT
            )


def test_entries_and_documents_lie_side_by_side(quarantine: MemoryQuarantine) -> None:
    reject(quarantine, RECORDS[:2])
    quarantine.keep(KEY, whole(RECORDS[2:]))
    assert open_in(quarantine) == [0, 1, 2, 3]
    assert len(read_contents(quarantine).objects) == 2


def test_a_whole_bucket_is_a_quarantine_of_what_its_function_rejected_and_what_lambda_gave_up(
    tmp_path: Path,
) -> None:
    bucket = DirectoryQuarantine(tmp_path)
    reject(DirectoryQuarantine(tmp_path / "quarantine"), RECORDS[:2])
    bucket.keep(KEY, whole(RECORDS[2:]))
    mark(bucket, 1, 2)
    reject(bucket, RECORDS[:1])  # once more, by a redrive
    assert open_in(bucket) == [0, 3]
    assert read_contents(bucket).unreadable == {}


def test_what_is_marked_is_not_open_any_more_and_its_object_is_untouched(kept: ReadableQuarantine) -> None:
    reject(kept, RECORDS[:2])
    kept.keep(KEY, whole(RECORDS[2:]))
    before = {name: kept.read(name) for name in kept.names()}
    mark(kept, 1, 2)
    assert open_in(kept) == [0, 3]
    assert {name: kept.read(name) for name in before} == before


def test_a_mark_says_which_record_went_which_way_and_when(quarantine: MemoryQuarantine) -> None:
    give_up(quarantine, RECORDS[:1])
    [(place, (_, name, _))] = waiting_in([read_contents(quarantine)]).items()
    mark_name, content = marks(name, {place: Done("put onto the stream")}, "stream", ARRIVED_AT)
    number = RECORDS[0]["kinesis"]["sequenceNumber"]
    assert mark_name == f"{DONE}{name}/{number}-{WHOLE}.jsonl"
    assert json.loads(content) == {
        "stream": RECORDS[0]["eventSourceARN"],
        "shardId": "shardId-000000000000",
        "sequenceNumber": number,
        "subSequenceNumber": WHOLE,
        "through": "stream",
        "at": "2026-11-18T11:06:40.250Z",
        "outcome": "put onto the stream",
    }


def test_a_record_in_two_objects_is_open_once_and_done_with_by_one_mark(quarantine: MemoryQuarantine) -> None:
    for start in (1, 0):  # as when it comes again in another cut
        reject(quarantine, RECORDS[start:2])
    assert open_in(quarantine) == [0, 1]
    mark(quarantine, 1)
    assert open_in(quarantine) == [0]


def test_an_object_is_finished_when_all_its_records_are_done_with(kept: ReadableQuarantine) -> None:
    reject(kept, RECORDS[:2])
    give_up(kept, RECORDS[2:])
    mark(kept, 1, 2, 3)
    [name] = [each for each in kept.names() if each.endswith(".on-failure.json") and DONE not in each]
    assert remove_finished([read_contents(kept)]) == 1
    assert not [each for each in kept.names() if name in each], "its marks are gone too"
    assert open_in(kept) == [0]
    mark(kept, 0)
    assert remove_finished([read_contents(kept)]) == 1
    assert list(kept.names()) == []


def test_who_is_interrupted_between_an_object_and_its_marks_leaves_nothing_open(
    quarantine: MemoryQuarantine,
) -> None:
    reject(quarantine, RECORDS[:2])
    mark(quarantine, 0, 1)
    [name] = read_contents(quarantine).objects
    quarantine.delete(name)
    assert open_in(quarantine) == []
    assert remove_finished([read_contents(quarantine)]) == 0
    assert quarantine.objects == {}, "and the next one takes the marks away"


@pytest.mark.parametrize(("cuts", "done"), [((1, 0), (1, 2, 3)), ((2, 1, 0), (3, 2)), ((0, 1), (0, 1))])
def test_a_record_in_two_objects_stays_done_with_when_one_of_them_is_removed(
    quarantine: MemoryQuarantine, cuts: tuple[int, ...], done: tuple[int, ...]
) -> None:
    for start in cuts:
        reject(quarantine, RECORDS[start:])
    mark(quarantine, *done)
    before = open_in(quarantine)
    remove_finished([read_contents(quarantine)])
    assert open_in(quarantine) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{DONE}a.jsonl/1-0.jsonl", b"{}\n"),
        (f"{DONE}a.jsonl/1-0.jsonl", b"nonsense"),
        (KEY, b'{"KinesisBatchInfo": 1}'),
        ("a.jsonl", b"\xff"),
        ("notes.txt", b"to be looked at on Monday"),
    ],
)
def test_something_else_is_named_and_the_others_are_read(
    quarantine: MemoryQuarantine, name: str, content: bytes
) -> None:
    reject(quarantine, RECORDS[:2])
    quarantine.keep(name, content)
    contents = read_contents(quarantine)
    assert contents.unreadable.keys() == {name}
    assert contents.unreadable[name].startswith("it holds something else, or is damaged (")
    assert contents.unreadable[name].endswith("): see what it is, and repair it or move it away")
    assert open_in(quarantine) == [0, 1]


@pytest.mark.parametrize(("field", "value"), [("sequenceNumber", "many"), ("arrivedAt", "noon")])
def test_an_entry_that_no_handler_wrote_is_named(
    quarantine: MemoryQuarantine, field: str, value: str
) -> None:
    reject(quarantine, RECORDS[:1])
    [(name, content)] = quarantine.objects.items()
    quarantine.keep(name, json.dumps(json.loads(content) | {field: value}).encode())
    assert read_contents(quarantine).unreadable.keys() == {name}


@pytest.mark.parametrize("field", ["eventId", "partitionKey"])
def test_no_producer_makes_an_entry_look_like_a_document(quarantine: MemoryQuarantine, field: str) -> None:
    [record] = on_shard([created("KinesisBatchInfo" if field == "eventId" else "e1")])
    if field == "partitionKey":
        record["kinesis"]["partitionKey"] = "KinesisBatchInfo"
    reject(quarantine, [record])
    assert open_in(quarantine) == [0]
