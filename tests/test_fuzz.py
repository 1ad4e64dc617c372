"""Bad input: whatever comes, no exception, one outcome each, good records applied, memory bounded."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import encode

from bad_input import (
    BOMB,
    ODD_VALUES,
    aggregates_with_wrong_checksum,
    arbitrary,
    event_with,
    near_valid_aggregates,
    near_valid_events,
    near_valid_gzip,
    odd_base64,
    parts,
)
from fuzz.carriers import NATIVE
from fuzz.facts import LIMIT, Batch, Nowhere, check, check_in_every_wrapping
from fuzz.samples import CREATED, EVENTS, PAYLOADS, aggregated, gzipped, key_in_table, sealed, user_record
from kinesis_handler import configure_logging
from kinesis_handler.ingest.kpl import USER_RECORD_OVERHEAD
from kinesis_handler.outcome import Status
from kinesis_handler.quarantine.contents import read_contents, waiting_in

MOST_MEMORY = 16
"""Times what a record may unpack to. The worst that is known takes 14: a value that msgspec quotes in its
message, where each ASCII letter has four bytes because one character is an emoji."""

# How many examples there are is left to the profile: `make fuzz` may load another one.
search = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# It warns at a failure whose input is long.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@pytest.fixture(autouse=True)
def log_everything() -> None:
    """Write each line, for that may raise too, and keep none, for that would count as memory."""
    configure_logging("tests", "debug", Nowhere())


@search
@given(st.lists(arbitrary | odd_base64, max_size=6))
def test_arbitrary_data_has_one_outcome_each(data: list[bytes | str]) -> None:
    assert len(check(*data)) >= len(data) + 2


@search
@given(arbitrary)
def test_arbitrary_data_may_stand_anywhere_in_a_record(data: bytes) -> None:
    check_in_every_wrapping(data)


@search
@given(near_valid_events)
def test_a_near_valid_event_has_one_outcome(event: bytes) -> None:
    assert len(check(event)) == 3


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in EVENTS for name in dict.fromkeys([*EVENTS[kind], *PAYLOADS[kind]])],
)
def test_whatever_the_value_of_a_field_its_event_has_one_outcome(kind: str, name: str) -> None:
    events = [
        event for number, value in enumerate(ODD_VALUES) for event in event_with(kind, name, value, number)
    ]

    assert len(check(*events)) == len(events) + 2


@search
@given(st.lists(near_valid_gzip(), min_size=1, max_size=3))
def test_near_valid_gzip_has_one_outcome_each(data: list[bytes]) -> None:
    assert len(check(*data)) == len(data) + 2


@search
@given(near_valid_aggregates)
def test_a_near_valid_aggregate_has_one_outcome_for_each_user_record(aggregate: bytes) -> None:
    check(aggregate)


@search
@given(aggregates_with_wrong_checksum)
def test_an_aggregate_that_was_damaged_on_its_way_is_rejected_as_a_whole(aggregate: bytes) -> None:
    [_, damaged, _] = check(aggregate)

    assert damaged.outcome.status is Status.REJECTED


@search
@given(st.lists(parts, max_size=6), st.integers(0, 6))
def test_a_good_user_record_beside_bad_ones_in_an_aggregate_is_applied(bad: list[bytes], at: int) -> None:
    inside = [*bad[:at], NATIVE.good("inside"), *bad[at:]]
    assume(sum(len(each) + USER_RECORD_OVERHEAD + 16 for each in inside) < LIMIT)

    assert len(check(aggregated(*inside), good_inside=("inside",))) == len(inside) + 2


@search
@given(
    st.lists(
        arbitrary | odd_base64 | near_valid_events | near_valid_gzip() | near_valid_aggregates, max_size=12
    )
)
def test_good_records_beside_bad_ones_of_all_kinds_are_applied(data: list[bytes | str]) -> None:
    check(*data)


# What Lambda never sends, as far as is known: `data` that is no text. It is rejected, so it must be kept.
@pytest.mark.parametrize(
    ("data", "kept"),
    [(None, "None"), (3, "3"), (["e30="], "['e30=']"), ({}, "{}"), ("\ud800", "?")],
    ids=["null", "number", "list", "object", "surrogate"],
)
def test_what_is_rejected_for_its_data_is_kept_so_that_it_can_be_read(data: Any, kept: str) -> None:
    batch = Batch(b"")
    batch.records[1]["kinesis"]["data"] = data
    result = batch.handle()

    assert result.counts()[Status.REJECTED] == 1
    [(_, _, entry)] = waiting_in([read_contents(batch.quarantine)]).values()
    assert entry.data == kept


# Memory, at its worst.


def filled(make: Callable[[str], bytes], text: str = "a", end: str = "\U0001f600") -> bytes:
    """Make something as large as the limit. One emoji, and each letter of the text takes four bytes."""
    length = LIMIT - len(make(end))
    return gzipped(make(text * (length // len(text.encode())) + end))


def created(**changes: object) -> bytes:
    return encode({**EVENTS[CREATED], "payload": {**PAYLOADS[CREATED], **changes}})


def envelope(**changes: object) -> bytes:
    return encode({**EVENTS[CREATED], **changes})


def largest_ignored_event(number: int) -> bytes:
    """Return an event of which as much is remembered as can be: each text as long as it may be."""
    longest = f"{number:06}" + "a" * 1_017 + "\U0001f600"
    return envelope(
        eventId=longest,
        type=longest,
        aggregateId=longest,
        source=longest,
        context={"correlationId": longest},
        payload={},
    )


BOMBS: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: BOMB,
    "zeros up to the limit": lambda: gzipped(bytes(LIMIT)),
    "members": lambda: gzipped(bytes(1_000)) * 2_000,
    "empty members": lambda: gzipped(b"") * 5_000,
    "a bomb in an aggregate": lambda: aggregated(b"{}", BOMB, gzipped(bytes(LIMIT)), BOMB),
    "a gzip that holds a bomb": lambda: gzipped(BOMB),
    "an aggregate of bombs": lambda: aggregated(*[BOMB] * 20),
    "the event's id": lambda: filled(lambda text: envelope(eventId=text)),
    "the event's type": lambda: filled(lambda text: envelope(type=text)),
    "a field that is not known": lambda: filled(lambda text: envelope(x=text)),
    "a field that is not known, with escapes": lambda: filled(lambda text: envelope(x=text), '"', ""),
    "the name of a field": lambda: filled(lambda text: encode({text: 1})),
    "the name of a payload's field": lambda: filled(lambda text: created(**{text: 1})),
    "a text": lambda: filled(lambda text: created(name=text)),
    "a value that is not one of the allowed ones": lambda: filled(lambda text: created(status=text)),
    "digits": lambda: filled(lambda text: created(value=text), "9", ""),
    "other digits": lambda: filled(lambda text: created(value=text), "\uff19", ""),
    "a number": lambda: filled(lambda text: created(value=Raw(text.encode())), "9", ""),
    "a whole number": lambda: filled(lambda text: envelope(createdAt=Raw(text.encode())), "9", ""),
    "an exponent": lambda: filled(lambda text: created(value=Raw(b"1e" + text.encode())), "9", ""),
    "empty arrays": lambda: filled(lambda text: envelope(x=Raw(b"[" + text.encode() + b"1]")), "[],", ""),
    "deep arrays": lambda: filled(lambda text: envelope(x=Raw(text.encode())), "[", ""),
    "a partition key": lambda: sealed(key_in_table(b"k" * (LIMIT - 1_000)) + user_record(0, b"")),
    "a partition key that is not rejected": lambda: sealed(
        key_in_table(b"k" * (LIMIT // 2)) + user_record(0, encode(EVENTS["FOREIGN"])) * 200
    ),
    "events of which much is remembered": lambda: aggregated(
        *[gzipped(largest_ignored_event(number)) for number in range(LIMIT // len(largest_ignored_event(0)))]
    ),
    "millions of empty user records": lambda: sealed(key_in_table(b"key") + user_record(0, b"") * 3_000_000),
}


def memory_for(*data: bytes) -> float:
    """Handle a batch, and return how much memory it took: times the limit, or a record that is larger."""
    batch = Batch(*data)
    tracemalloc.start()
    try:
        result = batch.handle()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    batch.check(result)
    return peak / max(LIMIT, *map(len, data))


@pytest.mark.parametrize("bomb", BOMBS)
def test_the_worst_that_a_record_can_hold_takes_a_bounded_part_of_memory(bomb: str) -> None:
    assert memory_for(BOMBS[bomb]()) < MOST_MEMORY


@pytest.mark.parametrize(
    "aggregate",
    [
        pytest.param(
            lambda: aggregated(*[b""] * (LIMIT // (USER_RECORD_OVERHEAD + 4) - 1)),
            id="as many as there can be",
        ),
        pytest.param(
            lambda: sealed(key_in_table(b"k" * (LIMIT // 2)) + user_record(0, b"") * 100),
            id="of one long partition key",
        ),
    ],
)
def test_what_is_kept_of_rejected_user_records_is_a_bounded_part_of_memory(
    aggregate: Callable[[], bytes],
) -> None:
    assert memory_for(aggregate()) < MOST_MEMORY


def test_many_bombs_in_a_batch_take_no_more_memory_than_one() -> None:
    bombs = [bomb for make in BOMBS.values() if len(bomb := make()) < 10_000]

    assert memory_for(*bombs * 3) < MOST_MEMORY
