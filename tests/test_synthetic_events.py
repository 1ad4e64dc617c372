"""The events of users who do not exist: repeatable, of Zipf's law, and never odd."""

from collections import Counter
from itertools import count

from kinesis_handler import KinesisHandler
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.outcome import BatchResult, Status
from kinesis_handler.stores.memory import MemoryRepository
from testkit.synthetic_users import SyntheticEvent, SyntheticUsers
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

AT = 1_764_000_000_000


def made(seed: int, users: int, events: int, *, begin: int = AT) -> list[SyntheticEvent]:
    producer = SyntheticUsers(seed, users)
    return [producer.event(begin + number) for number in range(events)]


def handled(limits: MemoryRepository[Limit], events: list[SyntheticEvent]) -> BatchResult:
    handler = KinesisHandler([UserLimitEventProcessor(limits)])
    return handler.handle({"Records": list(put_on_shard((each.partition_key, each.data) for each in events))})


def test_the_same_seed_makes_the_same_events_and_another_one_others() -> None:
    assert made(1, 10, 200) == made(1, 10, 200)
    assert {each.key for each in made(1, 10, 200)}.isdisjoint({each.key for each in made(2, 10, 200)})


def test_the_first_user_has_twice_the_events_of_the_second_and_ten_times_those_of_the_tenth() -> None:
    events = Counter(each.partition_key for each in made(1, 100, 50_000))
    first, second, tenth = (events[f"load-1-{rank}"] for rank in (1, 2, 10))
    assert 1.8 < first / second < 2.2
    assert 8 < first / tenth < 12
    assert len(events) == 100


def test_all_types_are_made_and_all_events_are_applied_and_none_is_odd() -> None:
    limits: MemoryRepository[Limit] = MemoryRepository()
    result = handled(limits, made(1, 5, 2_000))
    assert result.counts()[Status.APPLIED] == 2_000
    assert result.remarks() == {}
    assert any(each.state.last_reset for each in limits.scan())


def test_an_aggregate_has_the_number_of_its_last_event() -> None:
    limits: MemoryRepository[Limit] = MemoryRepository()
    events = made(1, 5, 100)
    handled(limits, events)
    last = {each.key: each.sequence_number for each in events}
    assert {each.key: each.sequence_number for each in limits.scan()} == last


def test_a_later_run_is_applied_to_what_an_earlier_one_has_left() -> None:
    limits: MemoryRepository[Limit] = MemoryRepository()
    handled(limits, made(1, 5, 500))
    again = handled(limits, made(1, 5, 500, begin=AT + 500))
    assert again.counts()[Status.APPLIED] == 500
    assert again.remarks() == {}


def test_many_events_of_one_millisecond_have_numbers_of_their_own() -> None:
    producer, numbers = SyntheticUsers(1, 1), count(AT)
    assert [producer.event(AT).sequence_number for _ in range(10)] == [next(numbers) for _ in range(10)]
