"""The list of shards, asked for once by all who need it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from kinesis_handler.errors import StreamUnavailableError
from kinesis_handler.local.stream.listing import INTERVAL, ShardListing
from kinesis_handler.local.stream.shards import Shard, is_closed
from kinesis_handler.testing import FakeClock

OPEN, CLOSED = Shard("0"), Shard("0", closed=True)


class Listed:
    """A stream whose shards may be listed, and how often they were."""

    def __init__(self, *shards: Shard) -> None:
        self.shards = list(shards)
        self.times = 0
        self.down = False
        self.clock = FakeClock()
        self.listing = ShardListing(self._list, self.clock)

    def _list(self) -> list[Shard]:
        self.times += 1
        if self.down:
            raise StreamUnavailableError("injected")
        return list(self.shards)


def test_within_the_interval_all_share_one_list_and_then_there_is_a_new_one() -> None:
    listed = Listed(OPEN)
    with ThreadPoolExecutor(50) as threads:
        assert list(threads.map(lambda _: listed.listing.shards(), range(200))) == [[OPEN]] * 200
    assert listed.times == 1
    listed.shards.append(Shard("1"))
    assert listed.listing.shards() == [OPEN]
    listed.clock.advance(INTERVAL)
    assert listed.listing.shards() == [OPEN, Shard("1")]
    assert listed.times == 2


def test_that_a_shard_is_closed_is_known_for_ever_and_that_it_is_open_for_the_interval() -> None:
    listed = Listed(OPEN)
    assert not listed.listing.is_closed("0")
    listed.shards = [CLOSED]
    assert not listed.listing.is_closed("0")
    assert listed.times == 1
    listed.clock.advance(INTERVAL)
    assert listed.listing.is_closed("0")
    listed.clock.advance(10 * INTERVAL)
    assert listed.listing.is_closed("0")
    assert listed.times == 2


def test_a_list_that_could_not_be_had_is_asked_for_again_at_once() -> None:
    listed = Listed(OPEN)
    listed.down = True
    for _ in range(2):
        with pytest.raises(StreamUnavailableError):
            listed.listing.shards()
    listed.down = False
    assert listed.listing.shards() == [OPEN]
    assert listed.times == 3


@pytest.mark.parametrize(
    ("shards", "expected"),
    [
        ([CLOSED, Shard("1", ("0",))], True),
        ([OPEN], False),
        ([Shard("1", ("0",))], True),
        ([Shard("2"), Shard("3", closed=True)], False),
        ([], False),
    ],
    ids=[
        "it has an end",
        "it has none",
        "gone, with a child",
        "not known",
        "nothing",
    ],
)
def test_a_shard_is_closed_if_it_has_an_end_or_a_child(shards: list[Shard], expected: bool) -> None:
    assert is_closed(shards, "0") is expected
