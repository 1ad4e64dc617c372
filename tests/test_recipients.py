"""For whom a redriven record is: each rule by itself."""

import pytest
from msgspec.structs import replace

from kinesis_handler.ingest.record import Record
from kinesis_handler.outcome import ReaderKey
from kinesis_handler.quarantine.entry import Position, position_of
from kinesis_handler.recipients import EVERYONE, OTHERS, Recipients
from made_events import event

A, B, C = (("letters", key) for key in "abc")
AT = Position("", "", 7, 3)
ALL = Position("", "", 7, OTHERS)


def record(position: tuple[int, int] = (7, 3), **source: str) -> Record:
    made = event("1", position).record
    return replace(made, source={**made.source, **source})


def test_a_record_is_found_by_its_stream_shard_and_numbers() -> None:
    assert position_of(record()) == AT
    source = {"eventSourceARN": "arn:limits", "eventID": "shardId-000000000006:7"}
    assert position_of(record((8, 0), **source)) == ("arn:limits", "shardId-000000000006", 8, 0)


def test_what_is_not_redriven_is_for_each_key_of_all() -> None:
    assert EVERYONE.include(record(), "sums")
    assert EVERYONE.keys(record(), "sums", [A, B]) == [A, B]
    assert not EVERYONE.counts(record())


def test_a_record_is_for_the_readers_that_are_named_and_their_keys() -> None:
    recipients = Recipients({AT: [ReaderKey("sums", A), ReaderKey("sums", C), ReaderKey("logs", B)]})
    assert [recipients.include(record(), name) for name in ("sums", "logs", "mails")] == [True, True, False]
    assert recipients.keys(record(), "sums", [A, B, C]) == [A, C]
    assert recipients.keys(record(), "logs", [A, B, C]) == [B]
    assert recipients.include(record((8, 0)), "mails"), "of another record nothing is said"


@pytest.mark.parametrize(
    ("of", "keys"),
    [
        ({ALL: [ReaderKey("sums", B)]}, [B]),
        ({ALL: [ReaderKey("sums", B)], AT: [ReaderKey("sums", A)]}, [A]),
        ({ALL: [ReaderKey("sums", B)], AT: None}, [A, B]),
        ({Position("", "", 7, 2): [ReaderKey("sums", B)]}, [A, B]),
    ],
    ids=["one of the others", "named", "named for all", "another is named"],
)
def test_what_is_said_of_the_others_is_for_those_that_are_not_named(
    of: dict[Position, list[ReaderKey] | None], keys: list[tuple[str, str]]
) -> None:
    assert Recipients(of).keys(record(), "sums", [A, B]) == keys


def test_a_record_whose_keys_are_not_named_any_more_is_for_all_keys_of_its_reader() -> None:
    recipients = Recipients({AT: [ReaderKey("sums", C)]})
    assert recipients.keys(record(), "sums", [A, B]) == [A, B]


def test_a_record_of_a_reader_without_a_key_is_for_all_its_keys() -> None:
    recipients = Recipients({AT: [ReaderKey("sums"), ReaderKey("sums", A)]})
    assert recipients.keys(record(), "sums", [A, B]) == [A, B]


def test_a_released_key_is_what_all_records_are_for_and_no_other_takes_its_turn() -> None:
    recipients = Recipients({AT: [ReaderKey("logs", B)]}, released=ReaderKey("sums", A), parked={AT})
    assert [recipients.include(record(), name) for name in ("sums", "logs")] == [True, False]
    assert recipients.keys(record(), "sums", [A, B]) == [A]
    assert recipients.keys(record(), "sums", [B]) == []
    assert [recipients.counts(record(each)) for each in ((7, 3), (7, 2))] == [True, False]


def test_who_has_dealt_with_a_record_in_this_redrive_does_not_get_it_again() -> None:
    recipients = Recipients(settled={AT: [ReaderKey("sums", A), ReaderKey("logs", B)]})
    assert recipients.keys(record(), "sums", [A, B]) == [B]
    assert recipients.keys(record(), "logs", [A, B]) == [A]
    assert recipients.keys(record((8, 0)), "sums", [A, B]) == [A, B]
