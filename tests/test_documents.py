"""Several documents in a record: each is an event with its own position, and a bad one is rejected alone."""

import gzip
import json
import zlib
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from aggregates import aggregate
from kinesis_handler import Event, KinesisHandler, Projection
from kinesis_handler.envelopes import CloudEvents, Native
from kinesis_handler.errors import UndecodableRecordError
from kinesis_handler.ingest.documents import Documents, find_documents
from kinesis_handler.ingest.kpl import USER_RECORD_OVERHEAD
from kinesis_handler.ingest.record import Packing, unpack
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import LocalContext, put_on_shard
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock

SEVERAL: tuple[Documents, ...] = ("lines", "concatenated", "array")
JOINED: dict[Documents, tuple[bytes, bytes, bytes]] = {
    "lines": (b"", b"\n", b"\n"),
    "concatenated": (b"", b"", b""),
    "array": (b"[", b",", b"]"),
}
"""What stands before, between and behind documents."""


class Paid(Struct):
    account: str
    cents: int


class Account(Struct, frozen=True):
    payments: tuple[int, ...]


class Accounts(Projection[Account, Paid]):
    event_types = {"PAID": Paid}

    def key(self, event: Event[Paid]) -> tuple[str, str]:
        return "accounts", event.payload.account

    def apply(self, account: Account | None, event: Event[Paid]) -> Account:
        return Account((*(account.payments if account else ()), event.payload.cents))


def paid(event_id: object, account: str = "a", cents: int = 1) -> bytes:
    payload = {"account": account, "cents": cents}
    return json.dumps(
        {"eventId": f"e-{event_id}", "type": "PAID", "createdAt": 1, "payload": payload}
    ).encode()


def joined(documents: Documents, *contents: bytes) -> bytes:
    before, between, behind = JOINED[documents]
    return before + between.join(contents) + behind


def on_shard(*contents: bytes) -> list[LambdaRecord]:
    return list(put_on_shard(("key", content) for content in contents))


def found(content: bytes, documents: Documents, limit: int = 1 << 24) -> list[bytes] | None:
    spans = find_documents(content, documents, limit)
    return None if spans is None else [content[begin:end] for begin, end in spans]


def handler_of(
    documents: Documents, repository: MemoryRepository[Account] | None = None, **options: Any
) -> KinesisHandler:
    accounts = Accounts(repository if repository is not None else MemoryRepository())
    return KinesisHandler([accounts], envelope=Native(documents=documents), **options)


@pytest.mark.parametrize("documents", SEVERAL)
def test_each_document_of_a_record_is_an_event_with_its_own_position(documents: Documents) -> None:
    repository: MemoryRepository[Account] = MemoryRepository()
    [record] = on_shard(joined(documents, paid(1, cents=1), paid(2, cents=2), paid(3, "b"), paid(4, cents=4)))
    result = handler_of(documents, repository).handle({"Records": [record]})

    assert [each.record.sub_sequence_number for each in result] == [0, 1, 2, 3]
    assert {each.record.sequence_number for each in result} == {record["kinesis"]["sequenceNumber"]}
    [first, second] = repository.find("accounts").aggregates
    assert (first.state, first.version, first.record_sub_sequence_number) == (Account((1, 2, 4)), 3, 3)
    assert (second.state, second.version) == (Account((1,)), 1)


@pytest.mark.parametrize("documents", SEVERAL)
def test_a_bad_document_is_rejected_alone(documents: Documents) -> None:
    bad = b'{"eventId":,"type":"PAID"}', b'{"eventId":"x"}', b'{"eventId":"\xff"}', b"nonsense"
    contents = [paid(1), bad[0], paid(2), bad[1], bad[2], paid(3), bad[3], paid(4)]
    result = handler_of(documents).handle({"Records": on_shard(joined(documents, *contents))})

    statuses = [each.outcome.status.value for each in result]
    assert [index for index, status in enumerate(statuses) if status == "rejected"] == [1, 3, 4, 6]
    assert statuses.count("applied") == 4


@pytest.mark.parametrize("documents", SEVERAL)
def test_numbers_run_over_all_documents_of_a_kpl_record(documents: Documents) -> None:
    user_records = [
        ("k-1", None, joined(documents, paid(1), paid(2))),
        ("k-2", None, gzip.compress(joined(documents, paid(3), paid(4), paid(5)), mtime=0)),
        ("k-1", None, gzip.compress(b"x", mtime=0)[:-1]),
        ("k-3", None, zlib.compress(joined(documents, paid(6)))),
        ("k-1", None, paid(7)),
    ]
    unpacked = list(unpack(on_shard(aggregate(user_records)), packing=Packing(documents)))

    assert [record.sub_sequence_number for record, _ in unpacked] == [*range(8)]
    assert [record.partition_key for record, _ in unpacked] == [
        *("k-1", "k-1", "k-2", "k-2", "k-2", "k-1", "k-3", "k-1")
    ]
    assert [isinstance(content, UndecodableRecordError) for _, content in unpacked].index(True) == 5


def test_one_document_a_record_has_the_numbers_of_the_user_records() -> None:
    [record] = on_shard(aggregate([("k", None, paid(1)), ("k", None, paid(2))]))
    numbers = [
        [each.sub_sequence_number for each, _ in unpack([record], packing=Packing(documents))]
        for documents in ("one", *SEVERAL)
    ]
    assert numbers == [[0, 1]] * 4


@pytest.mark.parametrize(
    ("documents", "content", "expected"),
    [
        ("lines", b"{}\r\n\n  {}\n \t\n{}", [b"{}\r", b"{}", b"{}"]),
        ("lines", b"\n\n", [b"\n\n"]),
        ("lines", b"", [b""]),
        ("concatenated", b' {"a":"}{"}\n[1,[2]]{}', [b'{"a":"}{"}', b"[1,[2]]", b"{}"]),
        ("concatenated", b'{"a":"\\"}{"}{}', [b'{"a":"\\"}{"}', b"{}"]),
        ("concatenated", b"1 {} 2", [b"1 ", b"{}", b" 2"]),
        ("concatenated", b'{}{"a":{', [b"{}", b'{"a":{']),
        ("concatenated", b'{}}{}"', [b"{}", b"}", b"{}", b'"']),
        ("concatenated", b" ", [b" "]),
        ("array", b' [{"a":[1,2]}, {"b":"],"} ,3]\n', [b'{"a":[1,2]}', b' {"b":"],"} ', b"3"]),
        ("array", b"{}", [b"{}"]),
        ("array", b"[]", [b"[]"]),
        ("array", b"[{},]", [b"{}", b""]),
        ("array", b"[{}", [b"{}", b""]),
        ("array", b'[{},{"a"', [b"{}", b'{"a"']),
        ("array", b"[{}]{}", [b"{}", b"{}"]),
        ("array", b"[{}}", [b"{}", b"}"]),
        ("array", b'[{"a":"\\', [b'{"a":"\\']),
        ("one", b"{}{}", [b"{}{}"]),
    ],
)
def test_documents_are_found_where_they_are(
    documents: Documents, content: bytes, expected: list[bytes]
) -> None:
    assert found(content, documents) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1, max_size=6), st.booleans())
def test_whatever_is_in_documents_they_are_found_again(values: list[object], ascii_only: bool) -> None:
    contents = [json.dumps(value, ensure_ascii=ascii_only).encode() for value in values]
    for documents in SEVERAL:
        assert found(joined(documents, *contents), documents) == contents


@settings(deadline=None)
@given(st.lists(st.sampled_from([*b'{}[],"\\ \n1']), max_size=40).map(bytes))
def test_nothing_of_a_content_is_lost_between_its_documents(content: bytes) -> None:
    for documents in SEVERAL:
        spans = find_documents(content, documents, 1 << 24) or []
        assert spans == sorted(spans)
        assert all(before[1] <= behind[0] for before, behind in pairwise(spans))
        covered = {each for begin, end in spans for each in range(begin, end)}
        left = bytes(byte for index, byte in enumerate(content) if index not in covered)
        assert set(left) <= set(b"[], \n" if documents == "array" else b" \n")


def test_quotes_without_end_are_read_once() -> None:
    content = b'{"' + b'\\"' * 1_000_000
    assert found(content, "concatenated") == [content]


class TestTheLimit:
    def test_documents_count_against_the_limit_of_their_record(self) -> None:
        content = joined("lines", *[b"{}"] * 11)
        allowed, refused = 10 * USER_RECORD_OVERHEAD, 10 * USER_RECORD_OVERHEAD - 1

        assert len(list(unpack(on_shard(content), allowed, packing=Packing("lines")))) == 11
        [(record, reason)] = unpack(on_shard(content), refused, packing=Packing("lines"))
        assert str(reason) == f"it holds more documents than the limit of {refused} bytes allows"
        assert record.sub_sequence_number == 0

    def test_decompressed_documents_share_one_allowance(self) -> None:
        packed = gzip.compress(b"{}\n" * 10, mtime=0)
        enough = 30 + 9 * USER_RECORD_OVERHEAD

        assert len(list(unpack(on_shard(packed), enough, packing=Packing("lines")))) == 10
        assert len(list(unpack(on_shard(packed), enough - 1, packing=Packing("lines")))) == 1

    def test_behind_what_is_too_large_no_user_record_is_divided_so_that_numbers_stay(self) -> None:
        user_records = [("k", None, b"{}\n{}"), ("k", None, b"{}\n" * 20), ("k", None, b"{}\n{}")]
        [record] = on_shard(aggregate(user_records))
        small = list(unpack([record], 4_000, packing=Packing("lines")))

        assert [content if isinstance(content, bytes) else str(content) for _, content in small] == [
            b"{}",
            b"{}",
            "it holds more documents than the limit of 4000 bytes allows",
            "an earlier part of its record unpacks to more than the limit",
        ]
        assert len(list(unpack([record], packing=Packing("lines")))) == 24


def test_near_the_deadline_no_further_record_is_divided() -> None:
    clock = FakeClock()

    def out_of_time() -> bool:
        return True

    contents = [joined("lines", *[paid(number) for number in range(4_000)])] * 2
    unpacked = list(unpack(on_shard(*contents), out_of_time=out_of_time, packing=Packing("lines")))
    assert len(unpacked) == 4_001
    assert type(unpacked[-1][1]).__name__ == "OutOfTimeError"

    handler = handler_of("lines")
    result = handler.handle({"Records": on_shard(*contents)}, LocalContext(clock, clock() + 0.5))
    assert [each["itemIdentifier"] for each in result.response()["batchItemFailures"]]


def test_after_a_failure_later_documents_of_the_key_are_held_back_and_the_record_comes_again_once() -> None:
    class Failing(Accounts):
        down = True

        def apply(self, account: Account | None, event: Event[Paid]) -> Account:
            if self.down and event.id == "e-2":
                raise TimeoutError
            return super().apply(account, event)

    repository: MemoryRepository[Account] = MemoryRepository()
    failing = Failing(repository)
    handler = KinesisHandler([failing], envelope=Native(documents="lines"))
    contents = [paid(1, cents=1), paid(2, cents=2), paid(3, "b"), paid(4, cents=4)]
    invocation = {"Records": on_shard(joined("lines", *contents))}

    assert len(handler(invocation)["batchItemFailures"]) == 1
    assert [each.state for each in repository.find("accounts").aggregates] == [Account((1,)), Account((1,))]
    failing.down = False
    assert handler(invocation) == {"batchItemFailures": []}
    assert [(each.state.payments, each.version) for each in repository.find("accounts").aggregates] == [
        ((1, 2, 4), 3),
        ((1,), 1),
    ]


def packed(contents: Sequence[bytes], documents: Documents, sizes: Sequence[int]) -> bytes:
    """Pack documents into a KPL record, so many into each user record, every other one of them compressed."""
    numbered = enumerate(size for size in sizes for _ in range(size))
    groups = [
        [contents[index] for index, _ in group] for _, group in groupby(numbered, key=lambda each: each[1])
    ]
    return aggregate(
        ("key", None, gzip.compress(content, mtime=0) if place % 2 else content)
        for place, group in enumerate(groups)
        for content in [joined(documents, *group)]
    )


@settings(deadline=None)
@given(st.data(), st.sampled_from(SEVERAL))
def test_any_part_of_a_stream_of_documents_may_come_again_in_any_cut(
    data: st.DataObject, documents: Documents
) -> None:
    count = data.draw(st.integers(1, 24))
    accounts = data.draw(st.lists(st.sampled_from("ab"), min_size=count, max_size=count))
    events = [paid(number, account, number) for number, account in enumerate(accounts)]
    records: list[bytes] = []
    left = list(events)
    while left:
        size = data.draw(st.integers(1, len(left)))
        part, left = left[:size], left[size:]
        sizes = data.draw(st.permutations([1, size - 1]) if size > 1 else st.just([1]))
        records.append(
            packed(part, documents, sizes) if data.draw(st.booleans()) else joined(documents, *part)
        )
    shard = on_shard(*records)
    clean: MemoryRepository[Account] = MemoryRepository()
    KinesisHandler([Accounts(clean)])({"Records": on_shard(*events)})

    repository: MemoryRepository[Account] = MemoryRepository()
    handler = handler_of(documents, repository)
    position = 0
    while position < len(shard):
        begin = data.draw(st.integers(0, position))
        position = data.draw(st.integers(position + 1, len(shard)))
        assert handler({"Records": shard[begin:position]}) == {"batchItemFailures": []}

    def seen(each: MemoryRepository[Account]) -> object:
        return [(one.key, one.state, one.version) for one in each.find("accounts").aggregates]

    assert seen(repository) == seen(clean)


def test_the_batch_format_of_cloudevents_is_an_array() -> None:
    event = {"specversion": "1.0", "source": "/bank", "type": "PAID", "data": {"account": "a", "cents": 1}}
    batch = json.dumps([{**event, "id": str(number)} for number in range(3)]).encode()
    repository: MemoryRepository[Account] = MemoryRepository()
    handler = KinesisHandler([Accounts(repository)], envelope=CloudEvents(documents="array"))

    assert handler({"Records": on_shard(batch)}) == {"batchItemFailures": []}
    [account] = repository.find("accounts").aggregates
    assert (account.state, account.version) == (Account((1, 1, 1)), 3)
