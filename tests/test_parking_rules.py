"""G10: when an event is parked, what its key's note says, and what becomes of what lies behind."""

from typing import Any

import pytest
from msgspec.structs import replace

from kinesis_handler import BusinessError, Event
from kinesis_handler.aggregate import Aggregate, Parked
from kinesis_handler.fold import Rules
from kinesis_handler.outcome import APPLIED, DUPLICATE, HELD_BACK, Outcome, Status
from kinesis_handler.parking import MAX_REASON, NOWHERE, REDRIVEN, Parking, fold_or_park, shortened
from kinesis_handler.results import StateCheck
from made_events import CREATED, KEY, aggregate, checked, event

NOW = 1_000.5
AT_ONCE = Parking(0, lambda: NOW)
NOTE = Parked(
    count=2,
    since=999_000,
    reason="BusinessError: first",
    sequence_number=None,
    record_sequence_number="20",
    record_sub_sequence_number=3,
)
PARKED = aggregate(parked=NOTE)


def apply(state: str | None, event: Event[str]) -> str:
    return (state or "") + checked(event.payload)


def is_snapshot(event: Event[str], state: Any) -> bool:
    return event.payload.endswith("S") and state == "a"


RULES = Rules(apply, StateCheck("Letters", str), is_snapshot=is_snapshot)


def parked(
    known: Aggregate[str | None] | None, *events: Event[str], parking: Parking = AT_ONCE
) -> tuple[Aggregate[str | None] | None, list[Outcome]]:
    return fold_or_park(known, KEY, events, RULES, parking)


def statuses(outcomes: list[Outcome]) -> list[Status]:
    return [outcome.status for outcome in outcomes]


@pytest.mark.parametrize(
    ("park_after", "arrived", "parks"),
    [
        (None, 0.0, False),
        (0, None, True),
        (0, NOW, True),
        (60, NOW - 60, True),
        (60, NOW - 59.9, False),
        (60, None, False),
    ],
)
def test_an_event_is_parked_that_fails_so_many_seconds_after_its_arrival(
    park_after: float | None, arrived: float | None, *, parks: bool
) -> None:
    parking = Parking(park_after, lambda: NOW)
    assert parking.parks(event("!", arrived=arrived)) is parks
    _, [outcome] = parked(aggregate(), event("!", (11, 0), arrived=arrived), parking=parking)
    assert outcome.status is (Status.PARKED if parks else Status.FAILED)


@pytest.mark.parametrize("parking", [NOWHERE, REDRIVEN])
def test_where_nothing_can_be_parked_what_fails_holds_back_the_rest(parking: Parking) -> None:
    known = aggregate()
    after, outcomes = parked(known, event("!", (11, 0)), event("b", (12, 0)), parking=parking)
    assert after is known
    assert outcomes[1] is HELD_BACK
    assert str(outcomes[0].error) == "not now"


def test_the_note_says_since_when_how_many_why_and_up_to_where() -> None:
    after, outcomes = parked(
        aggregate(), event("b", (11, 0)), event("!", (12, 1), 7), event("c", (13, 0), 8), event("d", (14, 2))
    )
    assert statuses(outcomes) == [Status.APPLIED, Status.PARKED, Status.PARKED, Status.PARKED]
    assert [outcome.parked for outcome in outcomes] == [(), (), (), ()], "the batch names for whom"
    assert [str(outcome.error) for outcome in outcomes[1:]] == [
        "not now",
        "an earlier event of the same key is parked",
        "an earlier event of the same key is parked",
    ]
    assert after is not None
    assert (after.state, after.version) == ("ab", 4)
    assert after.parked == Parked(
        count=3,
        since=1_000_500,
        reason="BusinessError: not now",
        sequence_number=8,
        record_sequence_number="14",
        record_sub_sequence_number=2,
    )


def test_a_key_of_which_nothing_is_known_is_parked_without_a_state_or_a_version() -> None:
    after, [outcome] = parked(None, event("!", (12, 1), 7))
    assert outcome.status is Status.PARKED
    assert after == Aggregate(
        key=KEY,
        state=None,
        version=0,
        updated_at=1_000_500,
        record_sequence_number=None,
        record_sub_sequence_number=0,
        recent_event_ids=(),
        parked=Parked(1, 1_000_500, "BusinessError: not now", 7, "12", 1),
    )


def test_a_rejected_event_before_one_that_is_parked_stays_rejected() -> None:
    _, outcomes = parked(aggregate(), event("#", (11, 0)), event("!", (12, 0)), event("b", (13, 0)))
    assert statuses(outcomes) == [Status.REJECTED, Status.PARKED, Status.PARKED]


@pytest.mark.parametrize("parking", [AT_ONCE, NOWHERE, REDRIVEN])
def test_what_lies_at_or_before_the_last_applied_event_of_a_parked_key_is_no_longer_new(
    parking: Parking,
) -> None:
    after, outcomes = parked(PARKED, event("a", (9, 0)), event("z", (10, 5)), parking=parking)
    assert after is PARKED
    assert statuses(outcomes) == [Status.DUPLICATE, Status.SUPERSEDED]


@pytest.mark.parametrize("position", [(11, 0), (20, 3)])
def test_what_waits_is_a_duplicate_when_it_is_delivered_again_and_fails_when_redriven_alone(
    position: tuple[int, int],
) -> None:
    assert parked(PARKED, event("b", position), parking=AT_ONCE) == (PARKED, [DUPLICATE])
    assert parked(PARKED, event("b", position), parking=NOWHERE) == (PARKED, [DUPLICATE])
    after, outcomes = parked(PARKED, event("b", position), event("c", (21, 0)), parking=REDRIVEN)
    assert after is PARKED
    assert str(outcomes[0].error) == "its key is parked, and nothing can be parked here: redrive it first"
    assert statuses(outcomes) == [Status.FAILED, Status.FAILED]
    assert outcomes[1] is HELD_BACK


def test_where_events_have_numbers_these_say_what_waits_and_not_the_records() -> None:
    known = replace(PARKED, parked=replace(NOTE, sequence_number=9))
    assert parked(known, event("b", (25, 0), 9)) == (known, [DUPLICATE])
    _, [outcome] = parked(known, event("b", (11, 0), 10))
    assert outcome.status is Status.PARKED


def test_what_comes_behind_a_note_fails_where_nothing_can_be_parked() -> None:
    after, outcomes = parked(PARKED, *(event("b", (21, n)) for n in range(3)), parking=NOWHERE)
    assert after is PARKED
    assert str(outcomes[0].error) == "its key is parked, and nothing can be parked here: redrive it first"
    assert outcomes[1:] == [HELD_BACK, HELD_BACK]


def test_a_repeat_of_a_recent_id_is_not_counted_and_where_nothing_can_wait_it_is_a_duplicate() -> None:
    repeat = event("a", (21, 0))
    assert parked(PARKED, repeat, parking=NOWHERE) == (PARKED, [DUPLICATE])
    after, [outcome] = parked(PARKED, repeat)
    assert outcome.status is Status.PARKED
    assert after is not None
    assert after.parked == replace(NOTE, record_sequence_number="21", record_sub_sequence_number=0)


def test_a_repeat_is_no_snapshot() -> None:
    known = replace(PARKED, recent_event_ids=("aS",))
    after, [outcome] = parked(known, event("aS", (21, 0)))
    assert outcome.status is Status.PARKED
    assert after is not None
    assert after.is_parked


@pytest.mark.parametrize("parking", [AT_ONCE, NOWHERE])
def test_a_snapshot_behind_a_note_releases_its_key_and_goes_beyond_the_highest_number_that_waits(
    parking: Parking,
) -> None:
    known = replace(PARKED, parked=replace(NOTE, sequence_number=9))
    after, outcomes = parked(known, event("bS", (21, 0)), event("c", (22, 0)), parking=parking)
    assert outcomes == [APPLIED, APPLIED]
    assert after == Aggregate(
        key=KEY,
        state="abSc",
        version=5,
        updated_at=CREATED + 22,
        sequence_number=9,
        record_sequence_number="22",
        record_sub_sequence_number=0,
        recent_event_ids=("a", "bS", "c"),
    )


def test_what_fails_behind_a_snapshot_that_released_its_key_is_parked_again() -> None:
    events = [event(letter, (21 + number, 0)) for number, letter in enumerate(("bS", "c", "!f", "d"))]
    after, outcomes = parked(PARKED, *events)
    assert statuses(outcomes) == ["applied", "applied", "parked", "parked"]
    assert after is not None
    assert (after.key, after.state, after.version) == (KEY, "abSc", 5)
    assert after.parked is not None
    assert (after.parked.count, after.parked.since) == (2, int(NOW * 1_000))
    assert after.parked.position == (24, 0)
    known, outcomes = parked(PARKED, *events, parking=NOWHERE)
    assert statuses(outcomes) == ["applied", "applied", "failed", "failed"]
    assert known is not None
    assert known.parked is None


def test_a_snapshot_above_the_highest_number_that_waits_keeps_its_own() -> None:
    known = replace(PARKED, parked=replace(NOTE, sequence_number=9))
    after, outcomes = parked(known, event("bS", (21, 0), 12))
    assert outcomes == [APPLIED]
    assert after is not None
    assert after.sequence_number == 12


def test_a_snapshot_is_one_by_the_state_that_is_stored() -> None:
    _, [outcome] = parked(replace(PARKED, state="other"), event("bS", (21, 0)))
    assert outcome.status is Status.PARKED


def test_a_snapshot_that_is_rejected_changes_nothing_and_one_that_fails_waits_with_its_own_reason() -> None:
    after, [outcome] = parked(PARKED, event("#S", (21, 0)))
    assert after is PARKED
    assert (outcome.status, str(outcome.error)) == (Status.REJECTED, "never")
    after, [outcome] = parked(PARKED, event("!S", (21, 0)))
    assert (outcome.status, str(outcome.error)) == (Status.PARKED, "not now")
    assert after is not None
    assert after.parked == replace(NOTE, count=3, record_sequence_number="21", record_sub_sequence_number=0)
    after, [outcome] = parked(PARKED, event("!S", (21, 0)), parking=NOWHERE)
    assert (after, outcome.status) == (PARKED, Status.FAILED)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (MAX_REASON - len("BusinessError: "), "BusinessError: " + "x" * (MAX_REASON - 15)),
        (MAX_REASON - len("BusinessError: ") + 1, "BusinessError: " + "x" * (MAX_REASON - 16) + "…"),
    ],
)
def test_a_reason_is_as_long_as_a_note_has_room_for(length: int, expected: str) -> None:
    assert shortened(Outcome(Status.FAILED, BusinessError("x" * length))) == expected
    assert len(expected) == MAX_REASON
