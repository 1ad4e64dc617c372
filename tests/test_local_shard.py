"""A shard in memory: whatever is put later has a higher sequence number."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from kinesis_handler import Event, KinesisHandler, Projection
from kinesis_handler.aggregate import Key
from kinesis_handler.local.shard import SequenceNumbers, lambda_record, put_on_shard
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, invocation


class Added(Struct):
    amount: int


class Sum(Struct, frozen=True):
    total: int


class Sums(Projection[Sum, Added]):
    event_types = {"ADDED": Added}

    def key(self, event: Event[Added]) -> Key:
        return "sum", event.type

    def apply(self, state: Sum | None, event: Event[Added]) -> Sum:
        return Sum((state.total if state else 0) + event.payload.amount)


def added(number: int) -> dict[str, Any]:
    return {"eventId": f"e{number}", "type": "ADDED", "createdAt": 1, "payload": {"amount": 1}}


def number_of(batch: dict[str, Any]) -> int:
    [record] = batch["Records"]
    return int(record["kinesis"]["sequenceNumber"])


def test_of_a_thousand_invocations_made_at_once_each_has_higher_numbers_than_the_one_before() -> None:
    numbers = [number_of(invocation([added(each)])) for each in range(1_000)]
    assert all(earlier < later for earlier, later in pairwise(numbers))


def test_two_threads_never_get_one_number_and_each_sees_them_rise() -> None:
    together = Barrier(4, timeout=20)

    def make(_: int) -> list[int]:
        together.wait()
        clock = FakeClock()  # which stands still
        return [number_of({"Records": list(put_on_shard([("k", b"{}")], clock=clock))}) for _ in range(250)]

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(make, range(4)))
    for numbers in made:
        assert numbers == sorted(numbers)
    assert len({number for numbers in made for number in numbers}) == 1_000


@given(st.lists(st.floats(0, 4e9), min_size=2, max_size=50))
def test_numbers_rise_whatever_the_clock_says(times: list[float]) -> None:
    numbers = SequenceNumbers()
    made = [numbers.next(now) for now in times]
    assert all(int(earlier) < int(later) for earlier, later in pairwise(made))
    assert {len(each) for each in made} == {56}, "as long as those of Kinesis"


def test_numbers_of_a_later_process_are_higher() -> None:
    earlier, later = SequenceNumbers(), SequenceNumbers()
    made = [earlier.next(1_800_000_000) for _ in range(1_000)]
    assert int(later.next(1_800_000_000.001)) > int(made[-1])


def test_numbers_of_ones_own_are_the_same_every_time() -> None:
    def numbers() -> list[str]:
        records = put_on_shard([("k", b"")] * 3, clock=FakeClock(), numbers=SequenceNumbers())
        return [record["kinesis"]["sequenceNumber"] for record in records]

    assert numbers() == numbers()


def test_the_events_of_two_invocations_behind_each_other_are_both_applied() -> None:
    for _ in range(100):
        repository = MemoryRepository[Sum]()
        handler = KinesisHandler([Sums(repository)])
        first, second = invocation([added(1)]), invocation([added(2)])
        handler(first)
        handler(second)
        [aggregate] = repository.scan()
        assert aggregate.state == Sum(2)


def test_what_is_put_while_another_is_still_being_put_is_in_the_order_in_which_it_was() -> None:
    first, second = (put_on_shard([("k", b"")] * 2) for _ in range(2))
    drawn = [next(first), next(second), next(first), next(second)]
    numbers = [int(record["kinesis"]["sequenceNumber"]) for record in drawn]
    assert numbers == sorted(set(numbers))


def test_a_record_may_lack_a_partition_key_and_a_time_of_arrival() -> None:
    record = lambda_record("", "shardId-0", "1", None, "", None)
    assert record["kinesis"] == {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": None,
        "sequenceNumber": "1",
        "data": "",
    }
