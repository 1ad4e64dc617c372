import gzip
import hashlib
import tracemalloc
import zlib
from typing import Any, cast

import aws_kinesis_agg.aggregator  # noqa: F401 - it puts on the path what messages_pb2 imports
import pytest
from aws_kinesis_agg.messages_pb2 import AggregatedRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates import aggregate
from kinesis_handler.errors import InvalidInvocationError, OutOfTimeError, UndecodableRecordError
from kinesis_handler.ingest.kpl import MAGIC
from kinesis_handler.ingest.record import (
    DEFAULT_MAX_UNPACKED_BYTES,
    LOOK_EVERY_BYTES,
    Packing,
    Record,
    arrival_time,
    refuse_repeated_numbers,
    shard_of,
    unpack,
)
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import put_on_shard

EVENT = b'{"eventId":"evt-001"}'


def on_shard(*contents: bytes) -> list[LambdaRecord]:
    return list(put_on_shard(("user-123", content) for content in contents))


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def with_kinesis(**changes: object) -> LambdaRecord:
    """Return a record whose `kinesis` part is changed; what is changed to `...` is left out."""
    (record,) = on_shard(EVENT)
    kinesis = {name: value for name, value in (record["kinesis"] | changes).items() if value is not ...}
    return cast("LambdaRecord", record | {"kinesis": kinesis})


def aggregated(*user_records: bytes) -> bytes:
    """Put user records into one record's data, under the partition keys user-0, user-1, …"""
    return aggregate((f"user-{place}", None, data) for place, data in enumerate(user_records))


BOMB = gzipped(bytes(50 * 1024 * 1024))


def contents(records: list[LambdaRecord], limit: int = DEFAULT_MAX_UNPACKED_BYTES) -> list[bytes | str]:
    """Unpack the records, and give the reason for each that is rejected."""
    return [content if isinstance(content, bytes) else str(content) for _, content in unpack(records, limit)]


def record_at(sequence_number: str, sub_sequence_number: int = 0) -> Record:
    return Record(with_kinesis(), sequence_number, sub_sequence_number, "user-123")


def test_data_is_base64() -> None:
    assert contents([with_kinesis(data="eyJldmVudElkIjoiZXZ0LTAwMSJ9")]) == [EVENT]


def test_a_plain_record_is_its_data() -> None:
    (source,) = on_shard(EVENT)
    ((record, content),) = unpack([source])

    assert content == EVENT
    assert record.source is source
    assert record.sequence_number == source["kinesis"]["sequenceNumber"]
    assert record.sub_sequence_number == 0
    assert record.partition_key == "user-123"


@pytest.mark.parametrize("content", [b"", b" {}", b"not JSON", b"\x1f", b"\xf3\x89\x9a", bytes(range(256))])
def test_what_has_no_magic_number_comes_as_it_is(content: bytes) -> None:
    assert contents(on_shard(content)) == [content]


def test_each_user_record_of_an_aggregate_is_a_record_with_its_own_place_and_partition_key() -> None:
    (source,) = on_shard(aggregated(b"{}", b"", EVENT))
    unpacked = list(unpack([source]))

    assert [content for _, content in unpacked] == [b"{}", b"", EVENT]
    assert [record.sub_sequence_number for record, _ in unpacked] == [0, 1, 2]
    assert [record.partition_key for record, _ in unpacked] == ["user-0", "user-1", "user-2"]
    assert {record.sequence_number for record, _ in unpacked} == {source["kinesis"]["sequenceNumber"]}
    assert all(record.source is source for record, _ in unpacked)


def test_gzipped_data_is_decompressed() -> None:
    assert contents(on_shard(gzipped(EVENT))) == [EVENT]


def test_gzip_of_several_members_is_one_content() -> None:
    assert contents(on_shard(gzipped(EVENT[:7]) + gzipped(EVENT[7:]))) == [EVENT]


def test_gzipped_user_records_of_an_aggregate_are_decompressed() -> None:
    assert contents(on_shard(aggregated(gzipped(EVENT), b"{}"))) == [EVENT, b"{}"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("e30", id="the padding is missing"),
        pytest.param("e", id="one letter"),
        pytest.param("e30=\n", id="a newline behind it"),
        pytest.param("ey-_", id="the alphabet of URLs"),
        pytest.param("e30=é", id="a letter that is not ASCII"),
        pytest.param(None, id="null"),
        pytest.param(3, id="a number"),
        pytest.param(["e30="], id="a list"),
    ],
)
def test_data_that_is_not_base64_is_rejected(data: object) -> None:
    assert contents([with_kinesis(data=data)]) == ["data is not base64"]


def test_gzip_that_is_cut_short_is_rejected_wherever_the_cut() -> None:
    compressed = gzipped(EVENT)
    for length in range(2, len(compressed)):
        assert contents(on_shard(compressed[:length])) == ["gzip: the data is cut short"]


def test_gzip_with_a_changed_byte_never_yields_a_changed_content() -> None:
    compressed = gzipped(EVENT)
    allowed = {EVENT, "gzip: the data is broken", "gzip: the data is cut short"}
    for position in range(2, len(compressed)):
        for change in (0x01, 0x10, 0x80, 0xFF):
            changed = bytearray(compressed)
            changed[position] ^= change

            assert set(contents(on_shard(bytes(changed)))) <= allowed


@pytest.mark.parametrize("at", [-1, -8, 2], ids=["length", "checksum", "compression method"])
def test_gzip_that_contradicts_itself_is_rejected(at: int) -> None:
    changed = bytearray(gzipped(EVENT))
    changed[at] ^= 0xFF

    assert contents(on_shard(bytes(changed))) == ["gzip: the data is broken"]


def test_garbage_behind_gzip_is_rejected() -> None:
    assert contents(on_shard(gzipped(EVENT) + b"garbage")) == ["gzip: the data is broken"]


def test_a_broken_aggregate_comes_once_with_its_reason() -> None:
    (source,) = on_shard(aggregated(b"a", b"b")[:-1])
    ((record, content),) = unpack([source])

    assert isinstance(content, UndecodableRecordError)
    assert "checksum" in str(content)
    assert (record.sub_sequence_number, record.partition_key) == (0, "user-123")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(BOMB, id="alone"),
        pytest.param(aggregated(BOMB), id="in an aggregate"),
        pytest.param(
            aggregated(gzipped(bytes(DEFAULT_MAX_UNPACKED_BYTES)), b"more than is left", BOMB),
            id="behind user records that leave nothing of the allowance",
        ),
    ],
)
def test_a_gzip_bomb_is_rejected_before_it_fills_the_memory(content: bytes) -> None:
    records = on_shard(content)
    tracemalloc.start()
    try:
        *_, reason = contents(records)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert "gzip: it unpacks to more than the limit of" in str(reason)
    assert peak < 3 * DEFAULT_MAX_UNPACKED_BYTES


def test_what_unpacks_to_exactly_the_limit_is_kept() -> None:
    zeros = on_shard(gzipped(bytes(1_000)))

    assert contents(zeros, limit=1_000) == [bytes(1_000)]
    assert contents(zeros, limit=999) == ["gzip: it unpacks to more than the limit of 999 bytes"]


def test_a_bomb_of_many_gzip_members_is_rejected() -> None:
    members = on_shard(gzipped(bytes(100)) * 11)

    assert contents(members, limit=1_000) == ["gzip: it unpacks to more than the limit of 1000 bytes"]


def test_an_aggregate_of_too_much_is_rejected_naming_the_limit() -> None:
    (reason,) = contents(on_shard(aggregated(bytes(600), bytes(600))), limit=1_500)

    assert "limit of 1500 bytes" in str(reason)


def test_user_records_of_one_aggregate_share_one_allowance() -> None:
    compressed = gzipped(bytes(900))
    first, second, third, plain = contents(
        on_shard(aggregated(compressed, compressed, compressed, b"{}")), limit=2_500
    )

    assert first == second == bytes(900)
    assert "gzip: it unpacks to more than the limit" in str(third)
    assert plain == b"{}"


def test_what_was_refused_has_used_up_the_allowance_of_its_record() -> None:
    bomb, harmless, plain = contents(
        on_shard(aggregated(gzipped(bytes(5_000)), gzipped(b"{}"), b"{}")), limit=2_000
    )

    assert bomb == harmless == "gzip: it unpacks to more than the limit of 2000 bytes"
    assert plain == b"{}"


def test_each_record_has_an_allowance_of_its_own() -> None:
    records = on_shard(*[gzipped(bytes(900))] * 3)

    assert contents(records, limit=1_000) == [bytes(900)] * 3


def test_a_broken_record_does_not_hide_its_neighbours() -> None:
    first, cut, changed, last = on_shard(b"first", gzipped(EVENT)[:-1], aggregated(b"a")[:-1], b"last")
    not_base64 = with_kinesis(data="?")

    assert contents([first, cut, changed, not_base64, last]) == [
        b"first",
        "gzip: the data is cut short",
        "KPL record: the MD5 checksum does not match",
        "data is not base64",
        b"last",
    ]


def test_a_broken_user_record_does_not_hide_its_neighbours() -> None:
    unpacked = list(unpack(on_shard(aggregated(b"first", gzipped(EVENT)[:-1], b"last"))))

    assert [isinstance(content, UndecodableRecordError) for _, content in unpacked] == [False, True, False]
    assert [record.sub_sequence_number for record, _ in unpacked] == [0, 1, 2]
    assert [record.partition_key for record, _ in unpacked] == ["user-0", "user-1", "user-2"]


@settings(deadline=None)
@given(
    magic=st.sampled_from([b"", b"{", b"\x1f\x8b", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\xf3\x89\x9a\xc2"]),
    rest=st.binary(),
)
def test_whatever_the_data_is_it_comes_once_as_content_or_rejection(magic: bytes, rest: bytes) -> None:
    ((record, content),) = unpack(on_shard(magic + rest))

    assert record.sub_sequence_number == 0
    assert isinstance(content, bytes | UndecodableRecordError)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"eventSource": "aws:sqs", "messageId": "1", "body": "{}"}, id="SQS"),
        pytest.param({"eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "1"}}, id="DynamoDB"),
        pytest.param({"EventSource": "aws:sns", "Sns": {"Message": "{}"}}, id="SNS"),
        pytest.param({}, id="an empty object"),
        pytest.param(None, id="null"),
        pytest.param("e30=", id="a string"),
        pytest.param({"kinesis": None}, id="kinesis is null"),
        pytest.param({"kinesis": ["e30="]}, id="kinesis is a list"),
        pytest.param(with_kinesis(sequenceNumber="4959x"), id="a sequence number of letters"),
        pytest.param(with_kinesis(sequenceNumber="-1"), id="a negative sequence number"),
        pytest.param(with_kinesis(sequenceNumber=""), id="an empty sequence number"),
        pytest.param(with_kinesis(sequenceNumber=None), id="sequence number null"),
        pytest.param(with_kinesis(sequenceNumber=4959), id="a sequence number that is no string"),
    ],
)
def test_what_is_no_record_of_kinesis_stops_the_invocation_and_is_named(record: Any) -> None:
    with pytest.raises(InvalidInvocationError, match=r"Records\[3\]"):
        list(unpack([*on_shard(EVENT, EVENT, EVENT), record]))


@pytest.mark.parametrize("field", ["sequenceNumber", "data"])
def test_a_record_without_what_is_needed_stops_the_invocation_and_names_the_field(field: str) -> None:
    with pytest.raises(InvalidInvocationError, match=rf"Records\[0\].*{field}"):
        list(unpack([with_kinesis(**{field: ...})]))


def test_positions_compare_as_numbers_and_not_as_text() -> None:
    low, high = "9" * 55, "1" + "0" * 55

    assert record_at("9").position < record_at("10").position
    assert record_at(low).position < record_at(high).position
    assert record_at(low, 10).position > record_at(low, 9).position
    assert record_at(low, 10).position < record_at(high, 0).position


def test_the_shard_is_read_from_the_event_id() -> None:
    ((record, _),) = unpack(put_on_shard([("user-123", EVENT)], shard_id="shardId-000000000006"))

    assert record.shard_id == "shardId-000000000006"


def test_a_record_without_event_id_has_an_empty_shard() -> None:
    ((record, _),) = unpack([cast("LambdaRecord", {"kinesis": with_kinesis()["kinesis"]})])

    assert record.shard_id == ""


@pytest.mark.parametrize("partition_key", [None, ...], ids=["null", "absent"])
def test_a_record_may_have_no_partition_key(partition_key: object) -> None:
    [(record, content)] = unpack([with_kinesis(partitionKey=partition_key)])
    assert (record.partition_key, content) == (None, EVENT)


def large_aggregate(data: bytes) -> bytes:
    """Write one user record into an aggregate, larger than AWS's library lets it be."""
    message = AggregatedRecord()
    message.partition_key_table.append("a")
    message.records.add(partition_key_index=0, data=data)
    content: bytes = message.SerializeToString()
    return MAGIC + content + hashlib.md5(content, usedforsecurity=False).digest()


LARGEST = 10 * 1024 * 1024
"""Bytes of data that Kinesis takes in one record."""


@pytest.mark.parametrize(
    ("data", "holds"),
    [
        (b"{" + bytes(LARGEST - 1), 1),
        (gzip.compress(bytes(LARGEST - 2_000), compresslevel=0, mtime=0), 1),
        (large_aggregate(bytes(LARGEST - 100)), 1),
        # As large as the KPL makes one, of the smallest events, each with a partition key of its own.
        (aggregated(*[b"%0100d" % place for place in range(8_000)]), 8_000),
    ],
    ids=["plain", "gzip", "aggregated", "aggregated from small events"],
)
def test_the_largest_records_that_kinesis_takes_are_within_the_limit(data: bytes, holds: int) -> None:
    assert len(data) <= LARGEST
    unpacked = list(unpack(on_shard(data)))
    assert len(unpacked) == holds
    assert all(isinstance(content, bytes) for _, content in unpacked)


class Looks:
    """Counts how often the clock is looked at, and says that it is too late from some look on."""

    def __init__(self, too_late_from: int) -> None:
        self.count = 0
        self._too_late_from = too_late_from

    def __call__(self) -> bool:
        self.count += 1
        return self.count >= self._too_late_from


@pytest.mark.parametrize(
    "data",
    [
        gzipped(bytes(LOOK_EVERY_BYTES)),
        aggregated(*[gzipped(bytes(LOOK_EVERY_BYTES))] * 2),
        aggregated(*[b""] * 5_000),
        BOMB,
        b"\xf3\x89\x9a\xc2" + bytes(LOOK_EVERY_BYTES),
    ],
    ids=["gzip", "gzip in an aggregate", "an aggregate of empty records", "a bomb", "a broken aggregate"],
)
def test_what_is_not_unpacked_in_time_is_out_of_time_and_the_first_record_never_is(data: bytes) -> None:
    looks = Looks(3)
    unpacked = list(unpack(on_shard(*[data] * 6), out_of_time=looks))
    numbers = [record.sequence_number for record, content in unpacked if isinstance(content, OutOfTimeError)]
    assert len(numbers) == 3, "the first three records were unpacked, with two looks between them"
    assert numbers == [record["kinesis"]["sequenceNumber"] for record in on_shard_of(unpacked)][3:]
    late = Looks(1)
    [first, *others] = unpack(on_shard(*[gzipped(bytes(LOOK_EVERY_BYTES))] * 3), out_of_time=late)
    assert isinstance(first[1], bytes)
    assert all(isinstance(content, OutOfTimeError) for _, content in others)
    assert str(others[0][1]) == "the deadline of the invocation came near"


def on_shard_of(unpacked: list[tuple[Record, Any]]) -> list[LambdaRecord]:
    """Return the records that carried these, each once."""
    return list({id(record.source): record.source for record, _ in unpacked}.values())


def test_of_plain_records_the_clock_is_never_looked_at() -> None:
    looks = Looks(1)
    content = b"{" + bytes(LOOK_EVERY_BYTES)
    assert [each for _, each in unpack(on_shard(*[content] * 3), out_of_time=looks)] == [content] * 3
    assert looks.count == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1545084650.987, 1545084650.987),
        (1671562498449.0, 1671562498.449),
        (100_000_000_000, 100_000_000),
        (99_999_999_999, 99_999_999_999),
        (0, 0),
        (None, None),
        ("noon", None),
        (True, None),
        (..., None),
    ],
)
def test_the_time_of_arrival_is_seconds_or_seen_to_be_milliseconds(
    value: object, seconds: float | None
) -> None:
    assert arrival_time(with_kinesis(approximateArrivalTimestamp=value)) == seconds


def test_records_of_one_shard_with_one_number_are_refused_unless_they_are_the_same() -> None:
    first, second, third = on_shard(EVENT, b"{}", b"[]")
    again = with_kinesis(**first["kinesis"])
    refuse_repeated_numbers([first, second, third, again])
    twin = with_kinesis(**(second["kinesis"] | {"data": "W10="}))
    twin["eventID"] = second["eventID"]
    with pytest.raises(InvalidInvocationError, match=r"^Records\[1\] and Records\[3\] have the same"):
        refuse_repeated_numbers([first, second, third, twin])
    twin["eventID"] = twin["eventID"].replace("shardId-0", "shardId-1")
    refuse_repeated_numbers([first, second, third, twin])


def test_records_of_two_streams_may_have_one_number() -> None:
    [first] = on_shard(EVENT)
    other = with_kinesis(**(first["kinesis"] | {"data": "W10="}))
    refuse_repeated_numbers([first, cast("LambdaRecord", {**other, "eventSourceARN": "arn:other"})])
    with pytest.raises(InvalidInvocationError) as caught:
        refuse_repeated_numbers([first, other])
    assert str(caught.value) == (
        "Records[0] and Records[1] have the same sequence number, "
        f"{first['kinesis']['sequenceNumber']}, and hold different data: "
        "Kinesis never hands out a number twice"
    )


def test_what_is_no_record_is_not_refused_for_its_number() -> None:
    malformed: list[Any] = [{}, None, {"kinesis": None}, {"kinesis": {"sequenceNumber": []}}]
    for each in malformed:
        refuse_repeated_numbers([each, each])


def test_a_sequence_number_has_128_digits_at_most() -> None:
    [(record, _)] = unpack([with_kinesis(sequenceNumber="9" * 128)])
    assert record.sequence_number == "9" * 128
    with pytest.raises(
        InvalidInvocationError, match=r"^Records\[0\]\.kinesis\.sequenceNumber is not a number$"
    ):
        list(unpack([with_kinesis(sequenceNumber="9" * 129)]))


def test_the_clock_is_looked_at_as_soon_as_so_many_bytes_have_been_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bytes that are not JSON by their first letter count, and those of a KPL record with its overhead."""
    monkeypatch.setattr("kinesis_handler.ingest.record.LOOK_EVERY_BYTES", 600)
    packed = aggregated(b"a", b"b")  # two of them cost 512 bytes more
    for sizes, looks in (
        ([600, 1], 1),
        ([599, 1, 1], 1),
        ([300, 299, 1], 0),
        ([300, 300, 599, 1], 1),
        ([len(packed), 88 - len(packed), 1], 1),
        ([len(packed), 87 - len(packed), 1], 0),
        ([599, 1], 0),
    ):
        counted = Looks(too_late_from=100)
        data = [packed if size == len(packed) else b"x" * size for size in sizes]
        assert len(list(unpack(on_shard(*data), out_of_time=counted))) >= len(sizes)
        assert counted.count == looks, sizes


LINES = Packing("lines")


def test_each_document_of_a_kpl_record_has_a_number_of_its_own() -> None:
    unpacked = list(unpack(on_shard(aggregated(b"{}\n[]", EVENT)), packing=LINES))
    assert [content for _, content in unpacked] == [b"{}", b"[]", EVENT]
    assert [each.sub_sequence_number for each, _ in unpacked] == [0, 1, 2]
    assert {each.documents for each, _ in unpacked} == {"lines"}
    assert [content for _, content in unpack(on_shard(b"{}\n[]"), packing=LINES)] == [b"{}", b"[]"]
    [(broken, _)] = unpack(on_shard(aggregated(b"{}")[:-1]), packing=LINES)
    assert broken.documents == "lines"


def test_documents_beyond_the_limit_end_their_record_and_say_so() -> None:
    (holds,) = on_shard(aggregated(b"{}\n" * 99, b"{}"))
    first, second = (str(content) for _, content in unpack([holds], 2_000, packing=LINES))
    assert first == "it holds more documents than the limit of 2000 bytes allows"
    assert second == "an earlier part of its record unpacks to more than the limit"


def test_documents_beyond_the_limit_cost_the_limit_and_one_byte_more(monkeypatch: pytest.MonkeyPatch) -> None:
    data, limit = b"[]\n" * 100, 1_000
    for more, looks in ((1, 1), (2, 0)):
        monkeypatch.setattr("kinesis_handler.ingest.record.LOOK_EVERY_BYTES", len(data) + limit + more)
        counted = Looks(too_late_from=100)
        list(unpack(on_shard(data, b"{}"), limit, counted, LINES))
        assert counted.count == looks


@pytest.mark.parametrize(("undone", "content"), [(True, EVENT), (False, zlib.compress(EVENT))])
def test_zlib_is_undone_if_producers_pack_so(undone: bool, content: bytes) -> None:
    assert [each for _, each in unpack(on_shard(zlib.compress(EVENT)), packing=Packing(zlib=undone))] == [
        content
    ]


def test_the_shard_ends_at_the_first_colon() -> None:
    assert shard_of(cast("LambdaRecord", {"eventID": "shardId-000000000006:49:59"})) == "shardId-000000000006"
