"""G1 (one outcome each), G4 (the response fails closed), G6 (before the deadline); registration."""

import gzip
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec import Struct
from msgspec.json import encode

from aggregates import aggregate
from kinesis_handler import ConfigurationError, Event, KinesisHandler, RejectedError, event_processor
from kinesis_handler.batch import Batch
from kinesis_handler.errors import InvalidInvocationError
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.outcome import APPLIED, BatchResult, Status
from kinesis_handler.testing import FakeClock, invocation


class Payload(Struct):
    ok: bool = True


class Taking:
    """A processor made of a `process` of one's own."""

    def __init__(self, process: Any, *types: str) -> None:
        self.event_types: dict[str, type[Struct]] = dict.fromkeys(types or ("A",), Payload)
        self._process = process

    def process(self, events: Sequence[Event[Any]], batch: Batch) -> None:
        self._process(events, batch)


def one_by_one(events: Sequence[Event[Any]], batch: Batch) -> None:
    for each in events:
        if batch.has_time:
            batch.settle({each: APPLIED})


def event(number: int, event_type: str = "A", payload: object = None) -> dict[str, Any]:
    return {"eventId": f"e{number}", "type": event_type, "createdAt": number, "payload": payload or {}}


def statuses(result: BatchResult) -> list[str]:
    return [handled.outcome.status.value for handled in result]


def reasons(result: BatchResult) -> set[str]:
    return {str(handled.outcome.error) for handled in result if handled.outcome.error is not None}


def identifiers(response: Mapping[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def test_every_record_ends_as_one_outcome_in_stream_order() -> None:
    @event_processor({"B": Payload})
    def strict(event: Event[Payload]) -> None:
        if not event.payload.ok:
            raise RejectedError("not ok")

    handler = KinesisHandler([Taking(one_by_one), strict])
    batch = invocation([event(1), b"{", event(2, "foreign"), event(3, "B", {"ok": False}), event(4, "B")])
    result = handler.handle(batch)
    assert statuses(result) == ["applied", "rejected", "ignored", "rejected", "applied"]
    assert sum(result.counts().values()) == len(result) == 5
    assert result.counts()[Status.DUPLICATE] == 0


def test_an_empty_batch_is_a_success() -> None:
    assert KinesisHandler()({"Records": []}) == {"batchItemFailures": []}


def test_the_identifiers_are_the_numbers_of_the_failed_records_once_each_in_stream_order() -> None:
    @event_processor({"A": Payload}, key=lambda event: event.id)
    def picky(event: Event[Payload]) -> None:
        if not event.payload.ok:
            raise ConnectionError

    batch = invocation([event(n, payload={"ok": n % 2 == 0}) for n in range(5)])
    expected = [batch["Records"][n]["kinesis"]["sequenceNumber"] for n in (1, 3)]
    assert identifiers(KinesisHandler([picky])(batch)) == expected


@pytest.mark.parametrize(
    "not_a_batch",
    [
        None,
        [],
        "Records",
        {},
        {"Records": None},
        {"Records": {}},
        {"records": []},
        {"Records": [{"body": ""}]},
    ],
)
def test_what_is_no_kinesis_batch_is_raised_so_that_lambda_retries_it(not_a_batch: object) -> None:
    with pytest.raises(InvalidInvocationError):
        KinesisHandler()(not_a_batch)


def test_nothing_is_processed_of_a_batch_with_a_record_that_could_not_be_reported() -> None:
    seen: list[str] = []

    @event_processor({"A": Payload})
    def note(event: Event[Payload]) -> None:
        seen.append(event.id)

    batch = invocation([event(1), event(2)])
    del batch["Records"][1]["kinesis"]["sequenceNumber"]
    with pytest.raises(InvalidInvocationError, match=r"Records\[1\]"):
        KinesisHandler([note])(batch)
    assert seen == []


def test_a_processor_that_raises_fails_its_own_open_events_and_no_others() -> None:
    def raising(events: Sequence[Event[Any]], batch: Batch) -> None:
        batch.settle({events[0]: APPLIED})
        raise RuntimeError("s3cr3t")

    handler = KinesisHandler([Taking(raising), Taking(one_by_one, "B")])
    result = handler.handle(invocation([event(1), event(2), event(3, "B")]))
    assert statuses(result) == ["applied", "failed", "applied"]
    [reason] = reasons(result)
    assert reason.startswith("RuntimeError raised at test_handler.py:")


def test_an_event_that_its_processor_forgets_is_failed() -> None:
    def forgetful(events: Sequence[Event[Any]], batch: Batch) -> None:
        batch.settle({events[0]: APPLIED})

    result = KinesisHandler([Taking(forgetful)]).handle(invocation([event(1), event(2)]))
    assert statuses(result) == ["applied", "failed"]
    assert reasons(result) == {"the processor gave it no outcome"}


def test_near_the_deadline_no_further_slice_is_begun_and_the_rest_fails() -> None:
    clock = FakeClock()

    def slow(events: Sequence[Event[Any]], batch: Batch) -> None:
        for each in events:
            if batch.has_time:
                clock.advance(2)
                batch.settle({each: APPLIED})

    handler = KinesisHandler([Taking(slow), Taking(slow, "B")], reserve_ms=1_000)
    context = LocalContext(clock, clock() + 10)
    result = handler.handle(invocation([*(event(n) for n in range(6)), event(6, "B")]), context)
    # after the fourth slice 2 seconds are left: too few for one that took 2, with half as much on top
    assert statuses(result) == [*["applied"] * 4, "failed", "failed", "failed"]
    assert reasons(result) == {"the deadline of the invocation came near"}
    assert context.get_remaining_time_in_millis() > 0


def test_the_reserve_is_kept_however_fast_the_slices_are() -> None:
    clock = FakeClock()

    def quick(events: Sequence[Event[Any]], batch: Batch) -> None:
        for each in events:
            if batch.has_time:
                clock.advance(0.5)
                batch.settle({each: APPLIED})

    handler = KinesisHandler([Taking(quick)], reserve_ms=3_000)
    result = handler.handle(invocation([event(n) for n in range(20)]), LocalContext(clock, clock() + 10))
    assert result.counts()[Status.APPLIED] == 15


def test_one_slice_is_done_even_when_the_time_is_short_from_the_start() -> None:
    clock = FakeClock()
    handler = KinesisHandler([Taking(one_by_one)], reserve_ms=5_000)
    result = handler.handle(invocation([event(1), event(2)]), LocalContext(clock, clock() + 1))
    assert statuses(result) == ["applied", "failed"]


def test_without_a_context_there_is_no_deadline() -> None:
    assert KinesisHandler([Taking(one_by_one)])(invocation([event(1)])) == {"batchItemFailures": []}


def test_a_processor_that_takes_no_type_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="takes no event type"):
        KinesisHandler([event_processor({})(lambda _event: None)])


def test_a_processor_can_be_registered_later() -> None:
    handler = KinesisHandler()
    assert statuses(handler.handle(invocation([event(1)]))) == ["ignored"]
    handler.register(Taking(one_by_one))
    assert statuses(handler.handle(invocation([event(1)]))) == ["applied"]


def test_one_failed_user_record_fails_the_record_that_carried_it_once() -> None:
    @event_processor({"A": Payload}, key=lambda event: event.id)
    def picky(event: Event[Payload]) -> None:
        if not event.payload.ok:
            raise ConnectionError

    user_records = [encode(event(number, payload={"ok": number in (0, 3)})) for number in range(4)]
    batch = invocation([event(8), aggregate(("key", None, data) for data in user_records), event(9)])
    result = KinesisHandler([picky]).handle(batch)
    assert statuses(result) == ["applied", "applied", "failed", "failed", "applied", "applied"]
    assert identifiers(result.response()) == [batch["Records"][1]["kinesis"]["sequenceNumber"]]


class Running:
    """A context whose time runs down by some milliseconds whenever it is asked for."""

    aws_request_id = "r"

    def __init__(self, left_ms: int, each_ms: int) -> None:
        self._left_ms = left_ms
        self._each_ms = each_ms

    def get_remaining_time_in_millis(self) -> int:
        self._left_ms -= self._each_ms
        return self._left_ms


def test_what_is_not_unpacked_before_the_deadline_fails_and_comes_again_until_all_is_applied() -> None:
    done: list[str] = []

    @event_processor({"A": Payload})
    def apply(event: Event[Payload]) -> None:
        done.append(event.id)

    handler = KinesisHandler([apply])
    padding = b" " * 2 * 1024 * 1024
    records = invocation([gzip.compress(encode(event(each)) + padding, 1) for each in range(12)])["Records"]
    deliveries = 0
    while records:
        deliveries += 1
        result = handler.handle({"Records": records}, Running(3_000, 400))
        late = [each for each in result if each.outcome.status is Status.FAILED]
        assert {str(each.outcome.error) for each in late} <= {"the deadline of the invocation came near"}
        assert len(result) == len(records)
        failed = identifiers(result.response())
        assert failed == [each["kinesis"]["sequenceNumber"] for each in records[len(records) - len(failed) :]]
        assert len(failed) < len(records), "each delivery gets on"
        records = records[len(records) - len(failed) :]
    assert deliveries > 1
    assert done == [f"e{each}" for each in range(12)]


def test_with_no_time_left_the_first_record_is_done_all_the_same() -> None:
    handler = KinesisHandler([Taking(one_by_one)])
    padded = [gzip.compress(encode(event(each)) + b" " * 2 * 1024 * 1024, 1) for each in range(3)]
    assert statuses(handler.handle(invocation(padded), Running(0, 0))) == ["applied", "failed", "failed"]


def test_the_time_that_unpacking_took_is_not_taken_for_that_of_a_slice() -> None:
    clock = FakeClock()
    unpacking = True

    def process(events: Sequence[Event[Any]], batch: Batch) -> None:
        nonlocal unpacking
        unpacking = False
        one_by_one(events, batch)

    class Context(LocalContext):
        def get_remaining_time_in_millis(self) -> int:
            clock.advance(2 if unpacking else 0)
            return super().get_remaining_time_in_millis()

    padded = [gzip.compress(encode(event(each)) + b" " * 2 * 1024 * 1024, 1) for each in range(2)]
    handler = KinesisHandler([Taking(process)], reserve_ms=1_000)
    assert statuses(handler.handle(invocation(padded), Context(clock, clock() + 6))) == ["applied"] * 2


def test_two_records_with_one_number_are_refused_as_a_whole() -> None:
    batch = invocation([event(1), event(2)])
    first, second = batch["Records"]
    second["kinesis"]["sequenceNumber"] = first["kinesis"]["sequenceNumber"]
    with pytest.raises(InvalidInvocationError, match=r"Records\[0\] and Records\[1\] have the same"):
        KinesisHandler([Taking(one_by_one)])(batch)


@pytest.mark.parametrize("absent", [False, True])
def test_a_record_without_a_partition_key_fails_nothing(*, absent: bool) -> None:
    batch = invocation([event(1), b"{", event(2)], partition_key=None)
    if absent:
        for each in batch["Records"]:
            del each["kinesis"]["partitionKey"]
    result = KinesisHandler([Taking(one_by_one)]).handle(batch)
    assert statuses(result) == ["applied", "rejected", "applied"]
