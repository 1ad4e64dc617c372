"""How much time is left, as it is known below the handler."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kinesis_handler import Event, KinesisHandler
from kinesis_handler.batch import Batch
from kinesis_handler.deadline import Deadline, current_deadline, within
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.outcome import APPLIED
from kinesis_handler.testing import FakeClock, invocation


class Watch:
    """A processor that looks at the time."""

    event_types: Mapping[str, Any] = {"SEEN": dict}

    def __init__(self) -> None:
        self.seen: list[float] = []

    def process(self, events: Sequence[Event[Any]], batch: Batch) -> None:
        self.seen.append(current_deadline().seconds_left())
        batch.settle(dict.fromkeys(events, APPLIED))


SEEN = {"eventId": "e", "type": "SEEN", "createdAt": 1, "payload": {}}


def test_a_processor_knows_the_seconds_until_the_reserve() -> None:
    clock, watch = FakeClock(), Watch()
    KinesisHandler([watch], reserve_ms=1_500)(invocation([SEEN]), LocalContext(clock, clock() + 10))
    assert watch.seen == [8.5]


def test_without_a_context_there_is_no_end() -> None:
    watch = Watch()
    KinesisHandler([watch])(invocation([SEEN]))
    assert watch.seen == [math.inf]


def test_after_an_invocation_its_deadline_is_forgotten() -> None:
    clock = FakeClock()
    KinesisHandler([Watch()])(invocation([SEEN]), LocalContext(clock, clock() + 10))
    assert current_deadline().seconds_left() == math.inf


def test_the_time_left_runs_out_as_it_is_asked_for() -> None:
    clock = FakeClock(0)
    with within(Deadline(lambda: 5 - clock())):
        assert current_deadline().seconds_left() == 5
        clock.advance(3)
        assert current_deadline().seconds_left() == 2
