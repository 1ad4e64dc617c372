"""What is gathered of a shard: until a time, a number or a size is reached; each record once, in order."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesis_handler import ConfigurationError
from kinesis_handler.cli.gather import gather_bounds
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.local.gathering import Bounds, Gathering
from kinesis_handler.testing import FakeClock


def records(*sizes: int) -> list[LambdaRecord]:
    """Return records whose data have these sizes in base64, which are multiples of four."""
    return list(put_on_shard((None, b"x" * (size // 4 * 3)) for size in sizes))


def test_records_are_due_when_the_first_of_them_has_waited_long_enough() -> None:
    clock = FakeClock()
    gathering = Gathering(Bounds(30, 100, 1_000), clock)
    assert gathering.due_in() == math.inf
    first, second = records(4, 4)
    gathering.add([first])
    clock.advance(20)
    gathering.add([second])
    assert gathering.due_in() == 10
    clock.advance(11)
    assert gathering.due_in() == 0
    assert gathering.take() == [first, second]
    assert gathering.due_in() == math.inf


@pytest.mark.parametrize("bounds", [Bounds(30, 3, 1_000), Bounds(30, 100, 24)])
def test_records_are_due_at_once_when_there_are_enough_and_the_rest_waits_on_for_its_own_time(
    bounds: Bounds,
) -> None:
    clock = FakeClock()
    gathering = Gathering(bounds, clock)
    all_of_them = records(8, 8, 8, 8)
    gathering.add(all_of_them[:2])
    assert gathering.due_in() == 30
    clock.advance(10)
    gathering.add(all_of_them[2:])
    assert gathering.due_in() == 0
    assert gathering.take() == all_of_them[:3]
    assert (len(gathering), gathering.data_bytes, gathering.due_in()) == (1, 8, 30)


def test_without_a_time_to_wait_whatever_there_is_is_due() -> None:
    gathering = Gathering(Bounds(0, 100, 1_000), FakeClock())
    gathering.add(records(4))
    assert gathering.due_in() == 0


def test_a_record_that_is_larger_than_the_bound_is_a_batch_of_its_own() -> None:
    gathering = Gathering(Bounds(30, 100, 40), FakeClock())
    small, large, last = records(8, 400, 8)
    gathering.add([small, large, last])
    assert [gathering.take() for _ in range(4)] == [[small], [large], [last], []]


@given(
    pages=st.lists(st.lists(st.integers(0, 30).map(lambda n: 4 * n), max_size=8), max_size=8),
    most=st.integers(1, 6),
    largest=st.integers(1, 200),
    seconds=st.integers(0, 5),
    steps=st.data(),
)
def test_each_record_is_in_one_batch_in_its_order_and_each_batch_is_within_the_bounds(
    pages: Sequence[Sequence[int]], most: int, largest: int, seconds: int, steps: st.DataObject
) -> None:
    clock = FakeClock()
    gathering = Gathering(Bounds(seconds, most, largest), clock)
    added: list[LambdaRecord] = []
    taken: list[LambdaRecord] = []
    since: dict[str, float] = {}
    for page in pages:
        clock.advance(steps.draw(st.integers(0, 3)))
        new = records(*page)
        gathering.add(new)
        added += new
        since |= {each["eventID"]: clock() for each in new}
        while not gathering.due_in():
            batch = gathering.take()
            assert batch
            assert len(batch) <= most
            size = sum(len(each["kinesis"]["data"]) for each in batch)
            assert size <= largest or len(batch) == 1
            taken += batch
        waiting = added[len(taken) :]
        assert len(gathering) == len(waiting) < most
        assert gathering.data_bytes == sum(len(each["kinesis"]["data"]) for each in waiting)
        assert all(clock() - since[each["eventID"]] < seconds for each in waiting)
    while batch := gathering.take():
        taken += batch
    assert taken == added


@pytest.mark.parametrize("gather", ["", "30", "0s", "6m", "1h", "-1s"])
def test_a_time_to_gather_that_is_none_or_too_long_is_refused(gather: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--gather is .*; allowed: from 1s to 5m"):
        gather_bounds(gather, 10)


def test_nothing_is_gathered_unless_it_is_asked_for() -> None:
    assert gather_bounds(None, 10) is None
    assert gather_bounds("5m", 10) == Bounds(300, 10, 64 * 1_024 * 1_024)
