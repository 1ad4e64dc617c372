"""What a processor of one's own has in its batch: settle, quarantine, has_time."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import Struct

from kinesis_handler import BusinessError, Event, KinesisHandler, RejectedError
from kinesis_handler.batch import Batch, Source, put_into
from kinesis_handler.deadline import ENDLESS
from kinesis_handler.errors import QuarantineError
from kinesis_handler.ingest.record import unpack
from kinesis_handler.outcome import (
    APPLIED,
    BatchResult,
    HandledRecord,
    Outcome,
    ReaderKey,
    Status,
    not_applied,
)
from kinesis_handler.quarantine.entry import decode_entries
from kinesis_handler.recipients import EVERYONE
from kinesis_handler.testing import FakeClock, invocation
from testkit.quarantine import MemoryQuarantine

REJECTED = not_applied(RejectedError("never"))
KEY = ("words", "a")
WHO = ReaderKey("Words", KEY)


class Sent(Struct):
    pass


def sent(*ids: str) -> dict[str, Any]:
    return invocation({"eventId": each, "type": "SENT", "createdAt": 1, "payload": {}} for each in ids)


def event(name: str) -> Event[Sent]:
    [(record, _)] = unpack(sent(name)["Records"])
    return Event(name, "SENT", 1, Sent(), record)


class Quarantine:
    """Writes down the ids of what it takes, unless something is wrong with it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.ids: list[str | None] = []
        self.error = error

    def keep(self, name: str, content: bytes) -> None:  # noqa: ARG002 - what is in it is what counts
        if self.error is not None:
            raise self.error
        self.ids += [entry.event_id for entry in decode_entries(content)]


class RejectsTheFirst:
    """Has its first event quarantined before it goes on."""

    event_types = {"SENT": Sent}

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self.went_on = False

    def process(self, events: Sequence[Event[Sent]], batch: Batch) -> None:
        first, *others = events
        batch.quarantine({first: REJECTED})
        self.went_on = True
        assert self._quarantine.ids == [first.id], "it is there when the call returns"
        batch.settle({first: REJECTED} | dict.fromkeys(others, APPLIED))


def statuses(result: BatchResult) -> list[str]:
    return [handled.outcome.status.value for handled in result]


def test_what_a_processor_quarantines_is_there_before_it_goes_on() -> None:
    quarantine = Quarantine()
    handler = KinesisHandler([RejectsTheFirst(quarantine)], quarantine=quarantine)
    assert statuses(handler.handle(sent("a", "b"))) == ["rejected", "applied"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(QuarantineError("down"), "down"), (ZeroDivisionError("s3cr3t"), "it raised ZeroDivisionError")],
)
def test_where_the_quarantine_does_not_take_it_the_processor_does_not_go_on_and_its_events_fail(
    error: Exception, reason: str
) -> None:
    quarantine = Quarantine(error)
    processor = RejectsTheFirst(quarantine)
    result = KinesisHandler([processor], quarantine=quarantine).handle(sent("a", "b"))
    assert not processor.went_on
    assert statuses(result) == ["failed", "failed"]
    assert {str(each.outcome.error) for each in result} == {reason}


def test_without_a_quarantine_nothing_is_done_and_a_test_can_make_a_batch_of_its_own() -> None:
    batch, rejected = Batch(), {event("a"): REJECTED}
    batch.quarantine(rejected)
    assert batch.outcomes == {}
    batch.settle(rejected)
    assert batch.outcomes == rejected
    assert batch.has_time


def test_a_batch_of_its_own_is_of_a_stream_that_goes_on() -> None:
    batch = Batch()
    assert (batch.source, batch.recipients, batch.reader) == (Source.STREAM, EVERYONE, "")
    assert not batch.is_last_delivery
    assert not batch.is_rebuild
    assert not batch.may_park


def test_what_is_parked_waits_for_the_processor_at_work() -> None:
    quarantine = MemoryQuarantine()
    batch = Batch(quarantine=quarantine)
    batch.reader = "Words"
    parked = Outcome(Status.PARKED, BusinessError("not now"), parked=(WHO,))
    batch.quarantine({event("a"): parked})
    [content] = quarantine.objects.values()
    [entry] = decode_entries(content)
    assert (entry.parked, entry.rejected) == ((WHO,), ())


def test_what_the_processor_at_work_rejects_names_it_in_the_quarantine() -> None:
    quarantine = MemoryQuarantine()
    batch = Batch(quarantine=quarantine)
    batch.reader = "Words"
    batch.quarantine({event("a"): REJECTED})
    [content] = quarantine.objects.values()
    [entry] = decode_entries(content)
    assert entry.rejected == (ReaderKey("Words"),)


def test_what_is_put_into_a_quarantine_for_no_reader_in_particular_names_nobody() -> None:
    quarantine, of_all = MemoryQuarantine(), event("a")
    put_into(quarantine, [HandledRecord(of_all.record, of_all, REJECTED)])
    [content] = quarantine.objects.values()
    [entry] = decode_entries(content)
    assert entry.rejected == ()


def at_work(source: Source) -> Batch:
    batch = Batch(source=source)
    batch.reader = "Words"
    return batch


def test_what_a_key_rejects_of_the_stream_names_it_and_its_reader() -> None:
    batch, events = at_work(Source.STREAM), [event("a"), event("b")]
    assert batch.of_key(KEY, events, [APPLIED, REJECTED]) == [APPLIED, REJECTED.named(WHO)]
    assert batch.rejections == {events[1]: REJECTED.named(WHO)}
    assert batch.parts == {}


def test_a_key_of_the_stream_of_which_all_is_applied_costs_no_more_than_a_look_at_it() -> None:
    outcomes = [APPLIED, APPLIED]
    assert at_work(Source.STREAM).of_key(KEY, [event("a"), event("b")], outcomes) is outcomes


@pytest.mark.parametrize("source", [Source.QUARANTINE, Source.PARKED])
@pytest.mark.parametrize("outcome", [APPLIED, REJECTED])
def test_what_became_of_a_redriven_event_is_known_for_each_of_its_keys(
    source: Source, outcome: Outcome
) -> None:
    batch, redriven, other = at_work(source), event("a"), ReaderKey("Words", ("words", "b"))
    batch.of_key(KEY, [redriven], [APPLIED])
    batch.of_key(("words", "b"), [redriven], [outcome])
    assert batch.parts == {redriven: {WHO: APPLIED, other: outcome.named(other)}}


def test_a_key_has_one_outcome_for_each_of_its_events() -> None:
    with pytest.raises(ValueError, match="zip"):
        at_work(Source.STREAM).of_key(KEY, [event("a"), event("b")], [REJECTED])


def test_a_redriven_event_that_a_processor_settles_without_a_key_is_settled_for_all_of_it() -> None:
    batch, keyed, whole = at_work(Source.QUARANTINE), event("a"), event("b")
    batch.parts[whole] = {ReaderKey("Other", KEY): APPLIED}
    batch.settle({keyed: REJECTED.named(WHO), whole: REJECTED})
    batch.of_key(KEY, [keyed], [REJECTED])
    batch.complete_parts([keyed, whole])
    named = REJECTED.named(ReaderKey("Words"))
    assert batch.parts == {
        keyed: {WHO: REJECTED.named(WHO)},
        whole: {ReaderKey("Other", KEY): APPLIED, ReaderKey("Words"): named},
    }
    assert batch.outcomes == {keyed: REJECTED.named(WHO), whole: named}


def test_what_the_processor_at_work_rejected_says_so_unless_a_key_has() -> None:
    batch, keyed, whole, applied = at_work(Source.STREAM), event("a"), event("b"), event("c")
    unread = event("d").record
    batch.settle({keyed: REJECTED.named(WHO), whole: REJECTED, applied: APPLIED})
    batch.outcomes[unread] = REJECTED
    batch.name_rejections()
    named = REJECTED.named(ReaderKey("Words"))
    assert batch.outcomes == {keyed: REJECTED.named(WHO), whole: named, applied: APPLIED, unread: REJECTED}
    assert batch.rejections == {whole: named}


def test_after_a_slice_there_is_time_for_one_that_takes_half_as_long_again_or_there_is_none() -> None:
    clock = FakeClock(0)
    batch = Batch(ENDLESS.or_sooner(10, clock))
    clock.advance(4)
    batch.settle({})
    assert batch.has_time, "6 seconds are left, and 4 seconds and half of that are needed"
    clock.advance(0.5)
    batch.settle({})
    assert not batch.has_time


def test_the_reserve_counts_as_time_for_a_slice_that_is_longer_than_it() -> None:
    clock = FakeClock(0)
    batch = Batch(ENDLESS.or_sooner(10, clock), reserve=1)
    clock.advance(4)
    batch.settle({})
    clock.advance(1)
    batch.settle({})
    assert batch.has_time, "5 seconds and the reserve are left"
    clock.advance(0.5)
    batch.settle({})
    assert not batch.has_time
