"""Redrive of records that hold several documents: each is sent again alone, and none is forgotten."""

import gzip
from functools import cache
from typing import TYPE_CHECKING

import pytest

from aggregates import aggregate
from kinesis_handler import KinesisHandler
from kinesis_handler.envelopes import Native
from kinesis_handler.ingest.record import DEFAULT_MAX_UNPACKED_BYTES
from kinesis_handler.local.redrive.through_handler import ThroughHandler
from kinesis_handler.local.redrive.through_stream import NOT_DIVIDED, ThroughStream
from kinesis_handler.local.stream.writer import StreamWriter
from kinesis_handler.quarantine.contents import read_contents, waiting_in
from kinesis_handler.stores import Repository
from redrive.stream import Stream
from redrive.waiting import (
    FailingProcessor,
    StrictProcessor,
    clean_pass,
    created,
    data_of,
    left_of,
    on_shard,
    progress,
    redrive,
    repository,
    results_of,
    state_of,
)
from testkit.quarantine import MemoryQuarantine
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

EVENTS = [
    created("e1"),
    created("e2", "ben", brandId="b"),
    progress("e3", 5, "ben"),
    created("e4", "carl"),
    progress("e5", 7, "ben"),
]
LINES = b"\n".join(map(data_of, EVENTS))
KPL = aggregate(
    [
        ("anna", None, data_of(EVENTS[0])),
        ("ben", None, gzip.compress(b"\n".join(map(data_of, EVENTS[1:4])), mtime=0)),
        ("ben", None, data_of(EVENTS[4])),
    ]
)
ENVELOPE = Native(documents="lines")


def strict(
    store: Repository[Limit], quarantine: MemoryQuarantine, limit: int = DEFAULT_MAX_UNPACKED_BYTES
) -> KinesisHandler:
    """Return a handler that rejects e1 and e4."""
    processors = [StrictProcessor(store)]
    return KinesisHandler(processors, envelope=ENVELOPE, quarantine=quarantine, max_unpacked_bytes=limit)


def mended(store: Repository[Limit], quarantine: MemoryQuarantine, *failing: str) -> ThroughHandler:
    processor = FailingProcessor(store, *failing)
    return ThroughHandler(KinesisHandler([processor], envelope=ENVELOPE, quarantine=quarantine), quarantine)


def through_stream(client: "KinesisClient") -> ThroughStream:
    return ThroughStream(cache(lambda arn: StreamWriter(client, arn, lambda _: None)))


def waiting(quarantine: MemoryQuarantine) -> list[int]:
    return [position.sub_sequence_number for position in waiting_in([read_contents(quarantine)])]


@pytest.mark.parametrize("data", [LINES, KPL], ids=["plain", "KPL"])
def test_documents_that_were_rejected_go_through_and_the_others_are_not_counted_twice(
    quarantine: MemoryQuarantine, data: bytes
) -> None:
    store = repository()
    strict(store, quarantine)({"Records": on_shard([data])})
    assert waiting(quarantine) == [0, 3]

    sent = redrive(mended(store, quarantine), quarantine)
    assert results_of(sent) == [(0, "applied"), (0, "applied")]
    assert waiting(quarantine) == []
    # The lineage has the number of the document: only the state and the version can be the same.
    assert {key: each[:2] for key, each in state_of(store).items()} == {
        key: each[:2] for key, each in clean_pass(on_shard(EVENTS)).items()
    }


def test_a_document_that_fails_again_stays_alone(quarantine: MemoryQuarantine) -> None:
    store = repository()
    strict(store, quarantine)({"Records": on_shard([LINES])})

    sent = redrive(mended(store, quarantine, "e4"), quarantine)
    assert left_of(sent) == [(0, "e4 is refused for now")]
    assert waiting(quarantine) == [3]


def test_what_is_divided_only_now_is_not_forgotten(quarantine: MemoryQuarantine) -> None:
    store = repository()
    KinesisHandler([UserLimitEventProcessor(store)], quarantine=quarantine)({"Records": on_shard([LINES])})
    assert waiting(quarantine) == [0]

    failing = mended(store, quarantine, "e4")
    assert left_of(redrive(failing, quarantine)) == [(0, "e4 is refused for now")]
    assert waiting(quarantine) == [0]
    assert results_of(redrive(mended(store, quarantine), quarantine)) == [(0, "duplicate")]
    assert len(state_of(store)) == 3


def test_what_is_rejected_of_it_gets_an_entry_of_its_own(quarantine: MemoryQuarantine) -> None:
    store = repository()
    with_bad = LINES + b"\n{"
    KinesisHandler([UserLimitEventProcessor(store)], quarantine=quarantine)({"Records": on_shard([with_bad])})

    redrive(mended(store, quarantine), quarantine)
    assert waiting(quarantine) == [5]
    without = ThroughHandler(KinesisHandler([UserLimitEventProcessor(store)], envelope=ENVELOPE))
    assert left_of(redrive(without, quarantine)) != []


def test_what_was_too_large_is_divided_when_the_limit_is_higher(quarantine: MemoryQuarantine) -> None:
    store = repository()
    many = [created("e2", "ben", brandId="b"), *(progress(f"p{number}", 1, "ben") for number in range(20))]
    user_records = [[created("e1", brandId="b")], many, [progress("e5", 7, "ben")]]
    data = aggregate(
        (each[-1]["payload"]["userId"], None, gzip.compress(b"\n".join(map(data_of, each)), mtime=0))
        for each in user_records
    )
    handler = strict(store, quarantine, limit=4_000)
    assert handler({"Records": on_shard([data])}) == {"batchItemFailures": []}
    assert waiting(quarantine) == [1, 2]

    assert results_of(redrive(mended(store, quarantine), quarantine)) == [(0, "applied"), (0, "applied")]
    assert waiting(quarantine) == []
    assert {key: each[:2] for key, each in state_of(store).items()} == {
        key: each[:2]
        for key, each in clean_pass(on_shard([e for each in user_records for e in each])).items()
    }


class TestThroughTheStream:
    @pytest.mark.parametrize("data", [LINES, KPL], ids=["plain", "KPL"])
    def test_only_the_document_is_put_under_the_key_of_its_user_record(
        self, stream: Stream, client: "KinesisClient", quarantine: MemoryQuarantine, data: bytes
    ) -> None:
        strict(repository(), quarantine)({"Records": on_shard([data], stream=stream.arn)})

        sent = redrive(through_stream(client), quarantine)
        assert results_of(sent) == [(0, "put onto the stream")] * 2
        assert [data for _, data in stream.content()] == [data_of(EVENTS[0]), data_of(EVENTS[3])]

    def test_a_record_that_was_not_known_to_hold_several_is_put_whole(
        self, stream: Stream, client: "KinesisClient", quarantine: MemoryQuarantine
    ) -> None:
        handler = KinesisHandler([UserLimitEventProcessor(repository())], quarantine=quarantine)
        handler({"Records": on_shard([LINES], stream=stream.arn)})

        redrive(through_stream(client), quarantine)
        assert [data for _, data in stream.content()] == [LINES]

    def test_a_single_document_is_put_as_it_came(
        self, stream: Stream, client: "KinesisClient", quarantine: MemoryQuarantine
    ) -> None:
        packed = gzip.compress(data_of(EVENTS[0]), mtime=0)
        strict(repository(), quarantine)({"Records": on_shard([packed], stream=stream.arn)})

        redrive(through_stream(client), quarantine)
        assert [data for _, data in stream.content()] == [packed]

    def test_a_part_that_cannot_be_unpacked_is_left_to_the_handler(
        self, stream: Stream, client: "KinesisClient", quarantine: MemoryQuarantine
    ) -> None:
        broken = gzip.compress(data_of(EVENTS[0]), mtime=0)[:-1]
        data = aggregate([("anna", None, data_of(EVENTS[1])), ("anna", None, broken)])
        strict(repository(), quarantine)({"Records": on_shard([data], stream=stream.arn)})

        assert left_of(redrive(through_stream(client), quarantine)) == [(0, NOT_DIVIDED)]
        assert [data for _, data in stream.content()] == []
