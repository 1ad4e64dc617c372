"""The rule by which each event is applied once, in order: each of its cases by itself."""

from decimal import Decimal
from typing import Any

import pytest

from kinesis_handler import DELETED, Deleted, Event, Remark, Remarked
from kinesis_handler.aggregate import Aggregate
from kinesis_handler.errors import InvalidEventError, ProcessingError, UnexpectedError
from kinesis_handler.fold import Rules, fold, is_new, is_past, repeated
from kinesis_handler.outcome import APPLIED, Outcome, Status
from kinesis_handler.results import StateCheck
from made_events import CREATED, KEY, aggregate, checked, event


def apply(state: str | None, event: Event[str]) -> str | Deleted | Remarked[str | Deleted]:
    match checked(event.payload):
        case "-":
            return DELETED
        case "~":
            return Remarked((state or "") + "~", (Remark("wavy"),))
    return (state or "") + event.payload


def folded(
    known: Aggregate[str | None] | None, *events: Event[str], recent: int = 16
) -> tuple[Aggregate[str | None] | None, list[Outcome]]:
    return fold(known, KEY, events, Rules(apply, StateCheck("Letters", str), recent))


def statuses(outcomes: list[Outcome]) -> list[Status]:
    return [outcome.status for outcome in outcomes]


@pytest.mark.parametrize(
    ("number", "highest", "past"),
    [(4, 5, True), (5, 5, True), (6, 5, False), (1, None, False)],
)
def test_a_numbered_event_is_past_up_to_the_highest_number_and_its_record_does_not_matter(
    number: int, highest: int | None, *, past: bool
) -> None:
    known = aggregate(number=highest)
    for position in ((9, 0), (11, 0)):
        assert is_past(known, event("b", position, number)) is past
        assert is_new(known, event("b", position, number)) is not past
        _, outcomes = folded(known, event("b", position, number))
        assert statuses(outcomes) == [Status.SUPERSEDED if past else Status.APPLIED]


@pytest.mark.parametrize(
    ("position", "past"),
    [((9, 9), True), ((10, 4), True), ((10, 5), True), ((10, 6), False), ((11, 0), False)],
)
def test_an_event_without_a_number_is_past_up_to_the_last_applied_record_and_numbers_do_not_matter(
    position: tuple[int, int], *, past: bool
) -> None:
    for known in (aggregate(), aggregate(number=5)):
        assert is_past(known, event("b", position)) is past
        assert is_new(known, event("b", position)) is not past
        after, outcomes = folded(known, event("b", position))
        assert statuses(outcomes) == [Status.SUPERSEDED if past else Status.APPLIED]
        assert after is not None
        assert after.sequence_number == known.sequence_number


def test_a_recent_id_shows_a_repeat_of_an_event_that_has_no_number_and_of_no_other() -> None:
    known = aggregate(number=5, ids=("a", "b"))
    for id_ in ("a", "b"):
        assert not is_new(known, event(id_, (11, 0)))
        assert not is_past(known, event(id_, (11, 0)))
        assert is_new(known, event(id_, (11, 0), 6))
        assert not is_new(known, event(id_, (11, 0), 5))


@pytest.mark.parametrize(("id_", "status"), [("a", Status.DUPLICATE), ("z", Status.SUPERSEDED)])
def test_what_is_not_new_is_a_duplicate_if_its_id_is_recent_and_superseded_otherwise(
    id_: str, status: Status
) -> None:
    known = aggregate()
    assert repeated(known, event(id_)).status is status
    after, outcomes = folded(known, event(id_))
    assert (after, statuses(outcomes)) == (known, [status])


def test_an_id_that_is_remembered_but_no_longer_asked_for_is_not_recent() -> None:
    known = aggregate(ids=("old", "a", "b"))
    events = event("old", (11, 0)), event("a", (12, 0)), event("b", (13, 0), 1), event("old", (1, 0), 1)
    after, outcomes = folded(known, *events, recent=2)
    assert statuses(outcomes) == [Status.APPLIED, Status.APPLIED, Status.APPLIED, Status.SUPERSEDED]
    assert after is not None
    assert after.recent_event_ids == ("a", "b")
    _, outcomes = folded(known, event("b", (11, 0)), event("b", (1, 0)), recent=2)
    assert statuses(outcomes) == [Status.DUPLICATE, Status.DUPLICATE]


def test_behind_a_repeat_and_behind_a_rejected_event_the_next_ones_are_applied() -> None:
    after, outcomes = folded(
        aggregate(), event("a", (11, 0)), event("#", (12, 0)), event("b", (13, 0)), event("c", (13, 0))
    )
    assert statuses(outcomes) == [Status.DUPLICATE, Status.REJECTED, Status.APPLIED, Status.SUPERSEDED]
    assert after == Aggregate(
        key=KEY,
        state="ab",
        version=4,
        updated_at=CREATED + 13,
        sequence_number=None,
        record_sequence_number="13",
        record_sub_sequence_number=0,
        recent_event_ids=("a", "b"),
    )


def test_behind_a_failed_event_all_are_held_back_and_what_came_before_is_applied() -> None:
    after, outcomes = folded(aggregate(), event("b", (11, 2), 7), *(event(each, (12, 0)) for each in "!cd"))
    assert statuses(outcomes) == [Status.APPLIED, Status.FAILED, Status.FAILED, Status.FAILED]
    assert [str(each.error) for each in outcomes[1:]] == [
        "not now",
        *["an earlier event of the same key failed"] * 2,
    ]
    assert after is not None
    assert (after.state, after.version, after.sequence_number) == ("ab", 4, 7)
    assert (after.record_sequence_number, after.record_sub_sequence_number) == ("11", 2)


@pytest.mark.parametrize("known", [None, aggregate()])
def test_where_nothing_is_applied_the_aggregate_is_the_very_same(known: Aggregate[str | None] | None) -> None:
    for none_of_them in ((), (event("#", (11, 0)),), (event("!", (11, 0)),)):
        after, outcomes = folded(known, *none_of_them)
        assert after is known
        assert len(outcomes) == len(none_of_them)


def test_the_first_event_of_all_begins_with_version_one_of_its_key_wherever_it_lies() -> None:
    after, [outcome] = folded(None, event("b", (0, 0)))
    assert outcome == Outcome(Status.APPLIED)
    assert after is not None
    assert (after.key, after.state, after.version, after.recent_event_ids) == (KEY, "b", 1, ("b",))


def test_remarks_are_in_the_outcome_and_what_is_deleted_leaves_no_state() -> None:
    after, outcomes = folded(aggregate(), event("~", (11, 0)), event("-", (12, 0)))
    assert outcomes == [Outcome(Status.APPLIED, remarks=(Remark("wavy"),)), APPLIED]
    assert outcomes[1] is APPLIED  # by which a batch knows what there is nothing to say about
    assert after is not None
    assert (after.state, after.version) == (None, 5)


@pytest.mark.parametrize(
    ("payload", "error", "expected"),
    [
        (Decimal("NaN"), ZeroDivisionError("s3cr3t"), InvalidEventError),
        (Decimal("NaN"), ValueError("s3cr3t"), InvalidEventError),
        (Decimal("NaN"), TypeError("s3cr3t"), UnexpectedError),
        (Decimal(1), ValueError("s3cr3t"), UnexpectedError),
    ],
)
def test_what_apply_stumbles_over_is_rejected_if_it_is_a_number_of_the_payload(
    payload: Decimal, error: Exception, expected: type[ProcessingError]
) -> None:
    def stumble(_state: Any, _event: Event[Any]) -> str:
        raise error

    made: Event[Any] = Event("e", "T", CREATED, payload, event("e").record)
    _, [outcome] = fold(None, KEY, [made], Rules(stumble, StateCheck("Letters", str)))
    assert type(outcome.error) is expected
    if expected is InvalidEventError:
        text = f"`$` of the payload is not a finite number: {type(error).__name__} raised"
        assert str(outcome.error) == text
