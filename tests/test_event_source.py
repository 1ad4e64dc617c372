"""The event source mapping does around a handler what Lambda does."""

from collections.abc import Callable
from threading import Barrier
from typing import Any

import pytest

from kinesis_handler.lambda_types import LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import (
    DiscardedBatch,
    EventSourceMapping,
    LambdaFunction,
    SequenceNumbers,
    first_failure,
    put_on_shard,
)
from kinesis_handler.testing import FakeClock


def shard(count: int, *, clock: Callable[[], float] | None = None, size: int = 1) -> list[LambdaRecord]:
    data = ((f"key-{place}", b"x" * size) for place in range(count))
    return list(put_on_shard(data, clock=clock or FakeClock(), numbers=SequenceNumbers()))


def numbers(records: list[LambdaRecord]) -> list[int]:
    """Return the places of records on their shard, which is easier to read than sequence numbers."""
    return [int(record["kinesis"]["sequenceNumber"][-33:]) for record in records]


def number(place: int) -> str:
    """Return the sequence number of the record at a place of a shard that begins as the clock does."""
    return f"496{int(FakeClock().now * 1_000_000):020d}{place:033d}"


class Recorder:
    """A function that notes what it gets, and fails at some records until it has seen them often enough."""

    def __init__(self, failures: dict[int, int], *, raises: bool = False) -> None:
        self.delivered: list[list[int]] = []
        self.given_up: list[DiscardedBatch] = []
        self.slept: list[float] = []
        self._failures = dict(failures)
        self._raises = raises

    def __call__(self, invocation: dict[str, Any], _context: LambdaContext) -> object:
        places = numbers(invocation["Records"])
        self.delivered.append(places)
        failed = [place for place in places if self._failures.get(place, 0)]
        for place in failed:
            self._failures[place] -= 1
        if failed and self._raises:
            raise RuntimeError
        return {"batchItemFailures": [{"itemIdentifier": number(place)} for place in failed]}

    def run(self, records: list[LambdaRecord], **options: Any) -> list[list[int]]:
        options = {"batch_size": 10, "sleep": self.slept.append, "clock": FakeClock(), **options}
        mapping = EventSourceMapping(self, on_failure=self.given_up.append, **options)
        return [numbers(batch) for batch in mapping.run(records)]


FOREVER = 1_000_000

COMPLETE_SUCCESS: dict[str, object] = {
    "null": None,
    "an empty object": {},
    "an empty list of failures": {"batchItemFailures": []},
    "a null list of failures": {"batchItemFailures": None},
    "another key at the top": {"batchItemFailure": [{"itemIdentifier": "1"}]},
    "an empty string": "",
}
COMPLETE_FAILURE: dict[str, object] = {
    "an empty identifier": {"batchItemFailures": [{"itemIdentifier": ""}]},
    "a null identifier": {"batchItemFailures": [{"itemIdentifier": None}]},
    "an identifier under another key": {"batchItemFailures": [{"sequenceNumber": "1"}]},
    "an identifier that is not in the batch": {"batchItemFailures": [{"itemIdentifier": "1"}]},
    "a good identifier beside a bad one": {
        "batchItemFailures": [{"itemIdentifier": number(2)}, {"itemIdentifier": ""}]
    },
    "failures that are no objects": {"batchItemFailures": ["1"]},
    "failures that are no list": {"batchItemFailures": 5},
    "a text": "done",
    "a list": [1],
}


@pytest.mark.parametrize("response", COMPLETE_SUCCESS.values(), ids=COMPLETE_SUCCESS)
def test_a_complete_success(response: object) -> None:
    assert first_failure(response, shard(3)) is None


@pytest.mark.parametrize("response", COMPLETE_FAILURE.values(), ids=COMPLETE_FAILURE)
def test_a_complete_failure(response: object) -> None:
    assert first_failure(response, shard(3)) == 0


def test_of_several_failures_the_lowest_sequence_number_is_the_checkpoint() -> None:
    failures = [{"itemIdentifier": number(place)} for place in (4, 2, 3)]
    assert first_failure({"batchItemFailures": failures}, shard(6)) == 2


def test_batches_are_filled_to_their_size_in_order() -> None:
    assert Recorder({}).run(shard(7), batch_size=3) == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_batch_ends_before_six_megabytes() -> None:
    settled = Recorder({}).run(shard(6, size=2_000_000), batch_size=100)
    assert settled == [[0, 1], [2, 3], [4, 5]]


def test_a_failed_record_and_all_behind_it_are_delivered_again() -> None:
    recorder = Recorder({2: 1})
    recorder.run(shard(5))
    assert recorder.delivered == [[0, 1, 2, 3, 4], [2, 3, 4]]
    assert recorder.given_up == []


def test_an_exception_delivers_the_whole_batch_again() -> None:
    recorder = Recorder({2: 1}, raises=True)
    recorder.run(shard(4))
    assert recorder.delivered == [[0, 1, 2, 3], [0, 1, 2, 3]]


def test_without_partial_responses_what_the_function_returns_is_not_read() -> None:
    recorder = Recorder({1: 1})
    recorder.run(shard(3), report_batch_item_failures=False)
    assert recorder.delivered == [[0, 1, 2]]


def test_the_next_batch_waits_until_the_one_before_is_settled() -> None:
    recorder = Recorder({1: 2})
    recorder.run(shard(4), batch_size=2)
    assert recorder.delivered == [[0, 1], [1], [1], [2, 3]]


def test_retries_are_bounded_and_what_is_left_is_given_up_whole() -> None:
    recorder = Recorder({1: FOREVER})
    records = shard(4)
    recorder.run(records, maximum_retry_attempts=2)
    assert recorder.delivered == [[0, 1, 2, 3], [1, 2, 3], [1, 2, 3]]
    assert recorder.given_up == [DiscardedBatch("RetryAttemptsExhausted", records[1:], 3)]


def test_each_retry_waits_twice_as_long_up_to_a_minute() -> None:
    recorder = Recorder({0: FOREVER})
    recorder.run(shard(1), maximum_retry_attempts=8, retry_wait=1)
    assert recorder.slept == [1, 2, 4, 8, 16, 32, 60, 60]


def test_bisect_splits_at_the_reported_number_and_then_in_halves_down_to_the_poison_record() -> None:
    recorder = Recorder({5: FOREVER})
    records = shard(10)
    recorder.run(records, bisect_batch_on_function_error=True, maximum_retry_attempts=1)
    assert recorder.delivered == [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [5, 6, 7, 8, 9],
        [5, 6],
        [5],
        [5],
        [6],
        [7, 8, 9],
    ]
    assert [numbers(each.records) for each in recorder.given_up] == [[5]]


def test_a_split_uses_up_no_retry() -> None:
    recorder = Recorder({0: FOREVER}, raises=True)
    recorder.run(shard(8), bisect_batch_on_function_error=True, maximum_retry_attempts=0)
    assert recorder.delivered == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 3],
        [0, 1],
        [0],
        [1],
        [2, 3],
        [4, 5, 6, 7],
    ]
    assert [numbers(each.records) for each in recorder.given_up] == [[0]]


def test_a_record_that_is_too_old_is_given_up_undelivered() -> None:
    clock = FakeClock()
    old = shard(2, clock=clock)
    clock.advance(100)
    recorder = Recorder({})
    mapping = EventSourceMapping(
        recorder, maximum_record_age=60, on_failure=recorder.given_up.append, clock=clock
    )
    assert len(list(mapping.run([*old, *put_on_shard([("k", b"x")] * 3, clock=clock)]))) == 1
    assert [len(batch) for batch in recorder.delivered] == [3]
    assert recorder.given_up == [DiscardedBatch("RecordAgeExceeded", old, 0)]


def test_a_record_that_grows_too_old_while_it_is_retried_is_given_up() -> None:
    clock = FakeClock()
    recorder = Recorder({0: FOREVER})
    records = shard(1, clock=clock)
    recorder.run(records, maximum_record_age=100, clock=clock, sleep=clock.advance)
    assert recorder.given_up == [DiscardedBatch("RecordAgeExceeded", records, 7)]


def test_without_a_destination_what_is_given_up_is_gone_and_the_shard_goes_on() -> None:
    recorder = Recorder({0: FOREVER})
    mapping = EventSourceMapping(recorder, batch_size=1, maximum_retry_attempts=0)
    assert len(list(mapping.run(shard(2)))) == 2


def test_the_function_sees_how_much_time_it_has() -> None:
    clock = FakeClock()
    left: list[int] = []

    def function(_invocation: dict[str, Any], context: LambdaContext) -> None:
        clock.advance(20)
        left.append(context.get_remaining_time_in_millis())
        clock.advance(100)
        left.append(context.get_remaining_time_in_millis())

    typed: LambdaFunction = function
    list(EventSourceMapping(typed, timeout=60, clock=clock).run(shard(1)))
    assert left == [40_000, 0]


def test_the_records_have_the_shape_that_lambda_delivers() -> None:
    [record] = put_on_shard([("key", b"{}")], clock=lambda: 12.5)
    assert record["eventID"] == "shardId-000000000000:" + record["kinesis"]["sequenceNumber"]
    assert record["eventSource"] == "aws:kinesis"
    assert record["kinesis"]["data"] == "e30="
    assert record["kinesis"]["approximateArrivalTimestamp"] == 12.5
    assert len(record["kinesis"]["sequenceNumber"]) == 56


def test_a_shard_that_is_begun_later_has_higher_numbers() -> None:
    clock = FakeClock()
    first = shard(100, clock=clock)[-1]
    clock.advance(1)
    later = shard(1, clock=clock)[0]
    assert int(later["kinesis"]["sequenceNumber"]) > int(first["kinesis"]["sequenceNumber"])


def test_with_a_parallelization_factor_batches_are_delivered_at_once_and_each_key_in_its_order() -> None:
    data = ((f"key-{place % 8}", b"x") for place in range(64))
    records = list(put_on_shard(data, clock=FakeClock(), numbers=SequenceNumbers()))
    both_there = Barrier(2, timeout=20)
    delivered: list[list[LambdaRecord]] = []

    def function(invocation: dict[str, Any], _context: LambdaContext) -> None:
        both_there.wait()  # for ever, if only one batch is delivered at a time
        delivered.append(invocation["Records"])

    mapping = EventSourceMapping(function, batch_size=100, parallelization_factor=2)
    [settled] = mapping.run(records)
    assert settled == records
    lanes = [{each["kinesis"]["partitionKey"] for each in batch} for batch in delivered]
    assert not lanes[0] & lanes[1]
    for batch in delivered:
        assert numbers(batch) == sorted(numbers(batch))
    assert sorted(numbers(delivered[0] + delivered[1])) == list(range(64))


def test_what_fails_beside_another_batch_is_given_up_by_itself() -> None:
    function = Recorder({5: FOREVER}, raises=True)
    options = {
        "parallelization_factor": 3,
        "maximum_retry_attempts": 1,
        "bisect_batch_on_function_error": True,
    }
    assert function.run(shard(100), **options) == [
        list(range(30 * n, min(30 * n + 30, 100))) for n in range(4)
    ]
    assert [numbers(each.records) for each in function.given_up] == [[5]]
    assert max(map(len, function.delivered)) <= 10


def test_what_it_gathers_for_itself_is_full_by_its_number_of_records_or_by_their_size() -> None:
    mapping = EventSourceMapping(
        lambda *_: None, batch_size=3, parallelization_factor=2, maximum_batching_window=1
    )
    for records, is_full in ((shard(5), False), (shard(6), True), (shard(5, size=1_000_000), True)):
        gathering = mapping.gathering(lambda: 0.0)
        gathering.add(records)
        assert (gathering.due_in() == 0) is is_full


def test_a_batch_may_be_larger_than_an_invocation_by_lambda() -> None:
    function = Recorder({})
    assert len(function.run(shard(5, size=2_000_000), batch_bytes=20_000_000)) == 1
    assert len(function.run(shard(5, size=2_000_000))) > 1
