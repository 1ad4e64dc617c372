"""The pauses between attempts."""

import pytest

from kinesis_handler.deadline import ENDLESS, Deadline, current_deadline, within
from kinesis_handler.retry import ATTEMPTS, Backoff, Pauses
from kinesis_handler.testing import FakeClock


def test_each_pause_is_twice_as_long_as_the_one_before_up_to_the_longest() -> None:
    pauses = Pauses(0.5, 3)
    assert [pauses.after(failures) for failures in range(1, 6)] == [0.5, 1, 2, 3, 3]


@pytest.mark.parametrize("failures", [1_000, 1_000_000])
def test_after_however_many_failures_the_pause_is_the_longest(failures: int) -> None:
    assert Pauses(1, 60).after(failures) == 60


def test_a_backoff_waits_before_every_attempt_but_the_first() -> None:
    slept: list[float] = []
    backoff = Backoff(slept.append, lambda _, high: high)
    attempts = 1
    while backoff.wait():
        attempts += 1
    assert attempts == ATTEMPTS
    assert len(slept) == ATTEMPTS - 1


def test_a_backoff_begins_no_pause_that_would_end_behind_the_deadline() -> None:
    clock = FakeClock(0)
    with within(ENDLESS.or_sooner(1, clock)):
        backoff = Backoff(clock.advance, lambda _, high: high)
        while backoff.wait():
            pass
        assert 0 < current_deadline().seconds_left() < 1


def test_of_two_deadlines_the_earlier_one_counts() -> None:
    clock = FakeClock(0)
    outer = Deadline(lambda: 5 - clock())
    assert outer.or_sooner(2, clock).seconds_left() == 2
    assert outer.or_sooner(20, clock).seconds_left() == 5
    clock.advance(5)
    assert outer.has_passed()


def test_work_that_begins_too_late_has_no_deadline_and_other_work_has_its_own() -> None:
    clock = FakeClock(0)
    deadline = Deadline(lambda: 5 - clock())
    assert deadline.for_a_first_attempt() is deadline
    clock.advance(5)
    assert deadline.for_a_first_attempt() is ENDLESS
