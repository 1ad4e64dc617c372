"""What is down is waited for, and the log says since when, again and again, and when it is back."""

from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from kinesis_handler.errors import (
    BusinessError,
    ConfigurationError,
    ConflictError,
    QuarantineError,
    RepositoryError,
    StoreUnavailableError,
    StreamError,
    StreamUnavailableError,
    UnreadableError,
)
from kinesis_handler.local.stream.outages import FIRST_WAIT, LONGEST_WAIT, Outages, is_outage
from kinesis_handler.testing import FakeClock

Lines = list[tuple[Any, Any]]


def lines(logged: list[MutableMapping[str, Any]]) -> Lines:
    return [(each["log_level"], each["event"]) for each in logged]


def failing(*errors: Exception) -> Callable[[], str]:
    """Return what raises these, one after the other, and then works."""
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


class Waiting:
    """Waits by a clock that it moves."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.waits: list[tuple[float, str]] = []
        self.outages = Outages(self.clock)

    def __call__(self, seconds: float, why: str = "") -> None:
        self.waits.append((seconds, why))
        self.clock.advance(seconds)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RepositoryError("down"), True),
        (ConflictError("others keep winning"), True),
        (UnreadableError("of one key"), False),
        (QuarantineError("down"), True),
        (StreamUnavailableError("throttled"), True),
        (StreamError("not for you"), False),
        (StoreUnavailableError("does not answer"), True),
        (ConfigurationError("no such table"), False),
        (BusinessError("not known"), False),
        (None, False),
    ],
)
def test_an_outage_is_what_says_nothing_of_the_record(error: Exception | None, expected: bool) -> None:
    assert is_outage(error) is expected


def test_what_works_is_not_waited_for_and_leaves_no_line() -> None:
    waiting = Waiting()
    with capture_logs() as logged:
        assert waiting.outages.wait_out(failing(), waiting) == "done"
    assert (waiting.waits, logged) == ([], [])


def test_what_is_no_outage_is_raised_at_once() -> None:
    waiting = Waiting()
    for error in (StreamError("not for you"), BusinessError("not known"), ZeroDivisionError()):
        with pytest.raises(type(error)):
            waiting.outages.wait_out(failing(error), waiting)
    assert waiting.waits == []


def test_the_waits_grow_to_half_a_minute_and_say_what_for() -> None:
    waiting = Waiting()
    waiting.outages.wait_out(failing(*[RepositoryError("down")] * 8), waiting)
    assert waiting.waits == [(min(FIRST_WAIT * 2**each, LONGEST_WAIT), "down") for each in range(8)]


def test_a_long_outage_is_reported_at_once_then_ever_more_rarely_and_at_its_end() -> None:
    waiting = Waiting()
    begun = waiting.clock()
    with capture_logs() as logged:
        waiting.outages.wait_out(failing(*[RepositoryError("down")] * 1_000), waiting, "shard-1")
    assert waiting.clock() - begun > 8 * 3_600
    first, *reminders, last = lines(logged)
    assert first == ("warning", "the store is down: waiting for it")
    assert set(reminders) == {("error", "the store is still down: waiting for it")}
    assert len(reminders) == 13, "1, 2, 4, 8, 16, 32 minutes, and then an hour"
    assert last == ("warning", "the store is back")
    assert {each["since"] for each in logged} == {logged[0]["since"]}
    assert logged[0]["reason"] == logged[5]["reason"] == "down"
    assert logged[-1]["seconds"] == round(waiting.clock() - begun)


def test_one_outage_of_many_shards_is_reported_once_and_is_over_when_the_last_goes_on() -> None:
    waiting = Waiting()
    with capture_logs() as logged:

        def while_another_waits(seconds: float, why: str = "") -> None:
            del seconds, why
            waiting.outages.wait_out(failing(RepositoryError("down")), waiting, "shard-2")
            logged.append({"log_level": "", "event": "the other goes on"})

        waiting.outages.wait_out(failing(RepositoryError("down")), while_another_waits, "shard-1")
    assert [event for _, event in lines(logged)] == [
        "the store is down: waiting for it",
        "the other goes on",
        "the store is back",
    ]


def test_each_thing_that_is_down_has_lines_of_its_own() -> None:
    waiting = Waiting()
    with capture_logs() as logged:
        waiting.outages.wait_out(
            failing(RepositoryError("a"), QuarantineError("b"), StreamUnavailableError("c")), waiting
        )
    assert [event for _, event in lines(logged)] == [
        "the store is down: waiting for it",
        "the store is back",
        "the quarantine is down: waiting for it",
        "the quarantine is back",
        "the stream is down: waiting for it",
        "the stream is back",
    ]
