"""What became of each record of a batch, and which of two outcomes counts."""

from itertools import permutations, product
from typing import Any

import pytest
from msgspec.structs import replace

from kinesis_handler import RejectedError, Remark
from kinesis_handler.errors import BusinessError, InvalidEventError, ParkedError, UnexpectedError
from kinesis_handler.key_outcomes import behind_change, broken_off, not_saved, to_quarantine
from kinesis_handler.outcome import (
    APPLIED,
    DUPLICATE,
    HELD_BACK,
    IGNORED,
    OUT_OF_TIME,
    SUPERSEDED,
    BatchResult,
    HandledRecord,
    Identity,
    Outcome,
    ReaderKey,
    Status,
    add_outcomes,
    not_applied,
    worst,
)
from made_events import KEY, event

REJECTED = Outcome(Status.REJECTED, RejectedError("never"))
FAILED = Outcome(Status.FAILED, BusinessError("not now"))
WHO, OTHER = ReaderKey("Letters", KEY), ReaderKey("Letters", ("letters", "b"))
PARKED = Outcome(Status.PARKED, BusinessError("not now"), parked=(WHO,))
WORST_FIRST = [FAILED, PARKED, REJECTED, SUPERSEDED, APPLIED, DUPLICATE, IGNORED]


def test_what_waits_says_why_in_words() -> None:
    assert str(OUT_OF_TIME.error) == "the deadline of the invocation came near"
    assert str(HELD_BACK.error) == "an earlier event of the same key failed"
    assert OUT_OF_TIME.status is HELD_BACK.status is Status.FAILED


@pytest.mark.parametrize(("better", "worse"), list(product(range(7), range(7))))
def test_of_two_outcomes_the_one_counts_that_calls_for_more(better: int, worse: int) -> None:
    found = worst(WORST_FIRST[better], WORST_FIRST[worse])
    assert found.status is WORST_FIRST[min(better, worse)].status
    assert found.error is WORST_FIRST[min(better, worse)].error


def test_of_two_outcomes_one_has_the_remarks_and_the_parked_keys_of_both() -> None:
    one = Outcome(Status.APPLIED, remarks=(Remark("one"),))
    other = Outcome(Status.DUPLICATE, remarks=(Remark("other"),))
    assert worst(one, other) == Outcome(Status.APPLIED, remarks=(Remark("one"), Remark("other")))
    assert worst(APPLIED, one).remarks == worst(one, APPLIED).remarks == (Remark("one"),)
    elsewhere = Outcome(Status.PARKED, ParkedError("behind"), parked=(OTHER,))
    assert worst(PARKED, elsewhere).parked == (WHO, OTHER)
    assert worst(elsewhere, PARKED).parked == (OTHER, WHO)
    assert worst(FAILED, PARKED) == worst(PARKED, FAILED) == FAILED


def test_who_rejected_an_event_is_not_forgotten_whatever_becomes_of_it_elsewhere() -> None:
    rejected = REJECTED.named(WHO)
    for outcomes in permutations((PARKED, rejected, APPLIED)):
        found = worst(worst(outcomes[0], outcomes[1]), outcomes[2])
        assert (found.status, found.error, found.parked, found.rejected) == (
            *(Status.PARKED, PARKED.error),
            *((WHO,), (WHO,)),
        )
    assert worst(rejected, REJECTED.named(OTHER)).rejected == (WHO, OTHER)


def test_an_outcome_names_who_rejected_or_parked_the_event_once() -> None:
    assert REJECTED.named(WHO) == replace(REJECTED, rejected=(WHO,))
    assert replace(PARKED, parked=()).named(WHO) == PARKED
    assert REJECTED.named(WHO).named(OTHER) == REJECTED.named(WHO)
    assert PARKED.named(OTHER) is PARKED
    for outcome in (APPLIED, FAILED, DUPLICATE):
        assert outcome.named(WHO) is outcome


def test_a_rejected_event_is_behind_a_change_if_one_before_it_is_applied_or_parked() -> None:
    assert behind_change([APPLIED, DUPLICATE, REJECTED, REJECTED]) == 2
    assert behind_change([REJECTED, PARKED, REJECTED]) == 2
    assert behind_change([DUPLICATE, REJECTED, APPLIED, FAILED]) is None
    assert behind_change([DUPLICATE, REJECTED]) is None


def test_outcomes_are_added_and_the_worse_one_stays_of_an_event_that_has_two() -> None:
    known = {"a": FAILED, "b": APPLIED, "c": DUPLICATE}
    add_outcomes(known, {"a": APPLIED, "b": REJECTED, "d": IGNORED})
    assert known == {"a": FAILED, "b": REJECTED, "c": DUPLICATE, "d": IGNORED}


def test_an_error_decides_whether_an_event_is_rejected_or_comes_again() -> None:
    never, later = RejectedError("never"), BusinessError("not now")
    assert not_applied(never) == Outcome(Status.REJECTED, never)
    assert not_applied(later) == Outcome(Status.FAILED, later)
    bug = not_applied(ZeroDivisionError())
    assert bug.status is Status.FAILED
    assert isinstance(bug.error, UnexpectedError)


def test_an_outcome_does_not_hold_the_frames_of_its_error() -> None:
    with pytest.raises(RejectedError) as raised:
        raise RejectedError("never")
    outcome = not_applied(raised.value)
    assert outcome.error is not None
    assert outcome.error.__traceback__ is None


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (0, [OUT_OF_TIME, HELD_BACK, HELD_BACK]),
        (1, [APPLIED, OUT_OF_TIME, HELD_BACK]),
        (2, [APPLIED, APPLIED, OUT_OF_TIME]),
        (3, [APPLIED, APPLIED, APPLIED]),
    ],
)
def test_what_is_broken_off_fails_at_its_first_open_event_and_holds_back_the_rest(
    known: int, expected: list[Outcome]
) -> None:
    assert broken_off([APPLIED] * known, OUT_OF_TIME, 3) == expected


@pytest.mark.parametrize("changed", [APPLIED, PARKED])
def test_what_is_not_saved_fails_from_the_first_change_on(changed: Outcome) -> None:
    error = BusinessError("the store is down")
    outcomes = not_saved([DUPLICATE, REJECTED, changed, DUPLICATE, REJECTED], error)
    assert outcomes == [DUPLICATE, REJECTED, Outcome(Status.FAILED, error), HELD_BACK, HELD_BACK]


def test_the_quarantine_gets_what_is_rejected_or_parked_and_nothing_else() -> None:
    events = [event(str(number)) for number in range(len(WORST_FIRST))]
    assert to_quarantine(events, WORST_FIRST, WHO) == {
        events[1]: PARKED,
        events[2]: REJECTED.named(WHO),
    }
    with pytest.raises(ValueError, match="zip"):
        to_quarantine(events, WORST_FIRST[1:], WHO)


def result(*outcomes: Outcome) -> BatchResult:
    """Make a batch; of its events the last is no event, but a record."""
    events = [event(str(number), (number, 0)) for number in range(len(outcomes))]
    in_order: list[Any] = [*events[:-1], events[-1].record]
    return BatchResult(in_order, dict(zip(in_order, outcomes, strict=True)))


def test_a_batch_has_one_outcome_each_in_stream_order_and_its_counts_add_up() -> None:
    batch = result(*WORST_FIRST, DUPLICATE, REJECTED)
    assert [each.outcome for each in batch] == [*WORST_FIRST, DUPLICATE, REJECTED]
    assert [each.record.sequence_number for each in batch] == [str(number) for number in range(9)]
    assert [each.event is None for each in batch] == [False] * 8 + [True]
    assert batch.counts() == {
        **dict.fromkeys(Status, 1),
        Status.DUPLICATE: 2,
        Status.REJECTED: 2,
    }
    assert list(batch.counts()) == list(Status)
    assert result(APPLIED).counts() == {**dict.fromkeys(Status, 0), Status.APPLIED: 1}
    assert [each.id for each in batch.applied()] == ["4"]
    assert batch.readers == {}


def test_what_is_notable_was_not_simply_applied() -> None:
    remarked = Outcome(Status.APPLIED, remarks=(Remark("odd"), Remark("odd"), Remark("late")))
    batch = result(APPLIED, remarked, DUPLICATE, FAILED, PARKED, REJECTED, APPLIED)
    assert [each.outcome for each in batch.notable] == [remarked, DUPLICATE, FAILED, PARKED, REJECTED]
    assert [each.outcome for each in batch.needs_attention()] == [remarked, FAILED, PARKED, REJECTED]
    assert result(remarked, remarked).remarks() == {"odd": 4, "late": 2}
    assert batch.counts()[Status.APPLIED] == 3


def test_what_one_reader_rejects_is_among_the_rejected_ones_whatever_becomes_of_it_elsewhere() -> None:
    events: list[Any] = [event(str(number), (number, 0)) for number in range(4)]
    outcomes = dict(zip(events, [REJECTED, PARKED, FAILED, APPLIED], strict=True))
    rejections = {events[1]: REJECTED.named(WHO), events[2]: REJECTED.named(OTHER)}
    found = BatchResult(events, outcomes, rejections=rejections).rejected()
    assert [each.outcome for each in found] == [REJECTED, REJECTED.named(WHO), REJECTED.named(OTHER)]
    assert [each.record.sequence_number for each in found] == ["0", "1", "2"]


def test_a_handled_record_has_what_became_of_it_for_each_reader_and_key_if_it_was_redriven() -> None:
    events: list[Any] = [event("a", (1, 0)), event("b", (2, 0))]
    parts = {events[0]: {WHO: APPLIED, OTHER: REJECTED}}
    batch = BatchResult(events, dict.fromkeys(events, REJECTED), parts=parts)
    assert [each.parts for each in batch] == [{WHO: APPLIED, OTHER: REJECTED}, {}]


def test_the_response_names_each_failed_record_once() -> None:
    failing: list[Any] = [
        event("a", (7, 0)),
        event("b", (7, 1)),
        event("c", (9, 0)),
        event("d", (8, 0)),
    ]
    outcomes = dict(zip(failing, [FAILED, HELD_BACK, REJECTED, OUT_OF_TIME], strict=True))
    response = BatchResult(failing, outcomes).response()
    assert response == {"batchItemFailures": [{"itemIdentifier": "7"}, {"itemIdentifier": "8"}]}
    assert result(APPLIED).response() == {"batchItemFailures": []}


def test_an_event_calls_itself_what_could_be_read_of_it() -> None:
    made = event("a")
    assert HandledRecord(made.record, made, APPLIED).identity == Identity("a", "LETTER", None)
    half = InvalidEventError("no payload", event_id="i", event_type="T", correlation_id="c")
    unread = HandledRecord(made.record, None, Outcome(Status.REJECTED, half))
    assert unread.identity == Identity("i", "T", "c")
    assert HandledRecord(made.record, None, REJECTED).identity == Identity(None, None, None)
