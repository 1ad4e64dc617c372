import hashlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregates import aggregate
from kinesis_handler.errors import UndecodableRecordError
from kinesis_handler.ingest.kpl import MAGIC, USER_RECORD_OVERHEAD, disaggregate

LIMIT = 10 * 1024 * 1024

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5

partition_keys = st.sampled_from(["user-1", "user-2", "Jürgen"]) | st.text(min_size=1, max_size=20)
hash_keys = st.none() | st.integers(0, 2**128 - 1).map(str)
user_records = st.tuples(partition_keys, hash_keys, st.binary(max_size=40))


def seal(message: bytes) -> bytes:
    return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def varint(number: int) -> bytes:
    septets = []
    while number > 0b111_1111:
        septets.append(number & 0b111_1111 | 0b1000_0000)
        number >>= 7
    return bytes([*septets, number])


def tag(field: int, wire_type: int) -> bytes:
    return varint(field << 3 | wire_type)


def number_field(field: int, number: int) -> bytes:
    return tag(field, VARINT) + varint(number)


def bytes_field(field: int, value: bytes) -> bytes:
    return tag(field, LENGTH_DELIMITED) + varint(len(value)) + value


def key_in_table(partition_key: str) -> bytes:
    return bytes_field(1, partition_key.encode())


def user_record(*fields: bytes) -> bytes:
    return bytes_field(3, b"".join(fields))


def key_index(index: int) -> bytes:
    return number_field(1, index)


def data(content: bytes) -> bytes:
    return bytes_field(3, content)


def refusal(content: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(UndecodableRecordError) as raised:
        disaggregate(content, limit)
    return str(raised.value)


VALID = aggregate(
    [
        ("user-1", None, b'{"a":1}'),
        ("user-2", "340282366920938463463374607431768211455", b""),
        ("user-1", "0", b"b"),
    ]
)
MESSAGE = VALID[len(MAGIC) : -16]
ONE_KEY = key_in_table("k")
ONE_RECORD = user_record(key_index(0), data(b"d"))

strangers = st.one_of(
    st.builds(number_field, st.integers(1, 9), st.integers(0, 2**64 - 1)),
    st.builds(bytes_field, st.integers(1, 9), st.binary(max_size=20)),
    st.builds(lambda field: tag(field, FIXED64) + bytes(8), st.integers(1, 9)),
    st.builds(lambda field: tag(field, FIXED32) + bytes(4), st.integers(1, 9)),
    st.lists(st.builds(number_field, st.integers(1, 4), st.integers(0, 3))).map(
        lambda them: user_record(*them)
    ),
    st.sampled_from([ONE_KEY, ONE_RECORD, user_record(data(b"d")), user_record(key_index(1), data(b""))]),
)


@settings(deadline=None)
@given(records=st.lists(user_records, min_size=1, max_size=12))
def test_what_another_writer_aggregates_comes_back_unchanged_and_in_order(
    records: list[tuple[str, str | None, bytes]],
) -> None:
    assert disaggregate(aggregate(records), LIMIT) == [(key, content) for key, _, content in records]


def test_a_wrong_checksum_rejects_the_whole_record() -> None:
    wrong = hashlib.md5(b"another message", usedforsecurity=False).digest()

    assert refusal(VALID[:-16] + wrong) == "KPL record: the MD5 checksum does not match"


def test_every_changed_byte_behind_the_magic_number_fails_the_checksum() -> None:
    for position in range(len(MAGIC), len(VALID)):
        for change in range(1, 256):
            changed = bytearray(VALID)
            changed[position] ^= change

            assert "checksum" in refusal(bytes(changed))


def test_every_truncation_fails_the_checksum() -> None:
    for length in range(len(MAGIC), len(VALID)):
        assert "checksum" in refusal(VALID[:length])


def test_a_message_cut_short_under_a_valid_checksum_never_yields_a_changed_record() -> None:
    whole = disaggregate(VALID, LIMIT)
    for length in range(len(MESSAGE)):
        try:
            part = disaggregate(seal(MESSAGE[:length]), LIMIT)
        except UndecodableRecordError:
            continue

        assert part == whole[: len(part)]
        assert len(part) < len(whole)


@settings(deadline=None, max_examples=6 * settings().max_examples)
@given(message=st.binary() | st.lists(strangers, max_size=8).map(b"".join))
def test_no_message_raises_anything_but_its_rejection(message: bytes) -> None:
    try:
        taken_apart = disaggregate(seal(message), LIMIT)
    except UndecodableRecordError as error:
        assert str(error).startswith("KPL record: ")  # noqa: PT017 - either outcome is right
    else:
        assert taken_apart


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(bytes_field(2, b"0"), id="an explicit hash key"),
        pytest.param(number_field(9, 2**64 - 1), id="a number"),
        pytest.param(bytes_field(9, ONE_RECORD), id="bytes that look like a user record"),
        pytest.param(tag(1, FIXED64) + b"\xff" * 8, id="a fixed64 in the place of a partition key"),
        pytest.param(tag(3, FIXED32) + b"\xff" * 4, id="a fixed32 in the place of a record"),
        pytest.param(tag(9, FIXED32) + b"\xff" * 4, id="a fixed32"),
        pytest.param(tag(9, FIXED64) + b"\xff" * 8, id="a fixed64"),
        pytest.param(bytes_field(19, b"\xff"), id="a field whose tag takes two bytes"),
    ],
)
def test_fields_that_nothing_here_needs_are_passed_over(stranger: bytes) -> None:
    beside = stranger + ONE_KEY + stranger + ONE_RECORD + stranger
    within = ONE_KEY + user_record(stranger, key_index(0), stranger, data(b"d"), stranger)

    assert disaggregate(seal(beside), LIMIT) == [("k", b"d")]
    assert disaggregate(seal(within), LIMIT) == [("k", b"d")]


def test_tags_of_a_user_record_are_passed_over() -> None:
    tagged = user_record(
        key_index(0), data(b"d"), bytes_field(4, bytes_field(1, b"name") + bytes_field(2, b"x"))
    )

    assert disaggregate(seal(ONE_KEY + tagged), LIMIT) == [("k", b"d")]


def test_the_partition_key_table_may_stand_behind_the_records() -> None:
    message = user_record(key_index(1), data(b"d")) + key_in_table("first") + key_in_table("second")

    assert disaggregate(seal(message), LIMIT) == [("second", b"d")]


def test_the_fields_of_a_user_record_may_stand_in_any_order() -> None:
    assert disaggregate(seal(ONE_KEY + user_record(data(b"d"), key_index(0))), LIMIT) == [("k", b"d")]


def test_empty_data_is_not_missing_data() -> None:
    assert disaggregate(seal(ONE_KEY + user_record(key_index(0), data(b""))), LIMIT) == [("k", b"")]


def test_a_number_may_fill_64_bits() -> None:
    assert disaggregate(seal(ONE_KEY + ONE_RECORD + number_field(9, 2**64 - 1)), LIMIT) == [("k", b"d")]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(b"", "there is no user record in it", id="nothing is in it"),
        pytest.param(ONE_KEY, "there is no user record in it", id="only a partition key is in it"),
        pytest.param(
            ONE_RECORD,
            "a user record names a partition key that is not in the table",
            id="there is no partition key table",
        ),
        pytest.param(
            ONE_KEY + user_record(key_index(1), data(b"d")),
            "a user record names a partition key that is not in the table",
            id="the index is one too high",
        ),
        pytest.param(
            ONE_KEY + user_record(key_index(2**64 - 1), data(b"d")),
            "a user record names a partition key that is not in the table",
            id="the index would be -1 if signed",
        ),
        pytest.param(
            ONE_KEY + user_record(key_index(0)),
            "a user record lacks its partition key or its data",
            id="no data",
        ),
        pytest.param(
            ONE_KEY + user_record(data(b"d")),
            "a user record lacks its partition key or its data",
            id="no index",
        ),
        pytest.param(
            ONE_KEY + user_record(),
            "a user record lacks its partition key or its data",
            id="an empty user record",
        ),
        pytest.param(
            ONE_KEY + ONE_RECORD + user_record(key_index(0)),
            "a user record lacks its partition key or its data",
            id="only the second lacks its data",
        ),
        pytest.param(
            ONE_KEY + ONE_RECORD + bytes_field(1, b"\xff"),
            "a partition key is not UTF-8",
            id="a partition key is not UTF-8",
        ),
        pytest.param(
            ONE_RECORD + key_in_table("k" * 257),
            "a partition key is longer than 256 characters",
            id="a partition key is too long",
        ),
        pytest.param(
            ONE_RECORD + ONE_KEY[:-1], "the protobuf message is cut short", id="bytes end too early"
        ),
        pytest.param(
            ONE_KEY + ONE_RECORD + tag(9, FIXED32) + bytes(3),
            "the protobuf message is cut short",
            id="a fixed32 ends too early",
        ),
        pytest.param(
            ONE_KEY + ONE_RECORD + tag(9, FIXED64) + bytes(7),
            "the protobuf message is cut short",
            id="a fixed64 ends too early",
        ),
        pytest.param(
            ONE_KEY + ONE_RECORD + tag(9, VARINT),
            "the protobuf message is cut short",
            id="a tag stands without its value",
        ),
        pytest.param(
            ONE_KEY + ONE_RECORD + b"\x80", "the protobuf message is cut short", id="a number ends too early"
        ),
        pytest.param(
            ONE_KEY + tag(3, LENGTH_DELIMITED) + varint(2**64 - 1),
            "the protobuf message is cut short",
            id="a size of all the memory there is",
        ),
        pytest.param(ONE_KEY + ONE_RECORD + tag(9, 3), "the protobuf wire type 3 is not known", id="a group"),
        pytest.param(
            ONE_KEY + ONE_RECORD + tag(9, 7),
            "the protobuf wire type 7 is not known",
            id="a wire type that does not exist",
        ),
    ],
)
def test_a_broken_message_under_a_valid_checksum_is_rejected(message: bytes, reason: str) -> None:
    assert refusal(seal(message)) == f"KPL record: {reason}"


def test_a_partition_key_may_have_256_characters() -> None:
    assert disaggregate(seal(key_in_table("é" * 256) + ONE_RECORD), LIMIT) == [("é" * 256, b"d")]


@pytest.mark.parametrize(
    "before", [b"", tag(9, VARINT), tag(9, LENGTH_DELIMITED)], ids=["tag", "number", "size"]
)
def test_a_number_longer_than_64_bits_is_refused(before: bytes) -> None:
    endless = before + b"\x80" * 1_000_000

    reason = refusal(seal(ONE_KEY + ONE_RECORD + endless))
    assert reason == "KPL record: a protobuf number is longer than 64 bits"


def test_what_comes_to_exactly_the_limit_is_not_refused() -> None:
    size = len(b"k") + len(key_index(0) + data(b"d")) + 2 * USER_RECORD_OVERHEAD

    assert disaggregate(seal(ONE_KEY + ONE_RECORD), size) == [("k", b"d")]
    assert f"limit of {size - 1} bytes" in refusal(seal(ONE_KEY + ONE_RECORD), size - 1)


@pytest.mark.parametrize(
    "crumb",
    [user_record(key_index(0), data(b"")), key_in_table(""), bytes_field(9, b"")],
    ids=["user record", "partition key", "unknown field"],
)
def test_a_million_empty_entries_are_refused_before_they_fill_the_memory(crumb: bytes) -> None:
    content = seal(ONE_KEY + crumb * 1_000_000)
    tracemalloc.start()
    try:
        reason = refusal(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert f"limit of {LIMIT} bytes" in reason
    assert peak < len(content) + LIMIT
