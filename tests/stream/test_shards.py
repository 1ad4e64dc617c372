"""In which order shards are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesis_handler.local.stream.shards import Shard, readable

ROOT, OTHER = Shard("0"), Shard("1")
LEFT, RIGHT = Shard("2", ("0",)), Shard("3", ("0",))
MERGED = Shard("4", ("2", "1"))

FACTS = {
    "shards without parents may be read at once": ([ROOT, OTHER], set(), ["0", "1"]),
    "the children of a split wait for their parent": ([ROOT, LEFT, RIGHT], set(), ["0"]),
    "both children of a split may be read when it has ended": ([ROOT, LEFT, RIGHT], {"0"}, ["2", "3"]),
    "a merged shard waits for both of its parents": ([OTHER, LEFT, MERGED], {"2"}, ["1"]),
    "a merged shard may be read when both have ended": ([OTHER, LEFT, MERGED], {"1", "2"}, ["4"]),
    "a parent that is no longer listed has nothing left": ([LEFT, RIGHT], set(), ["2", "3"]),
    "of a merged shard's parents one may be gone": ([OTHER, MERGED], set(), ["1"]),
    "a shard that has ended is not read again": ([ROOT, OTHER], {"0", "1"}, []),
    "a shard may have ended and be gone": ([MERGED], {"1", "2"}, ["4"]),
    "a grandchild waits for its parent, whatever became of its grandparent": (
        [ROOT, LEFT, Shard("5", ("2",))],
        {"0"},
        ["2"],
    ),
    "no shard": ([], set(), []),
}


@pytest.mark.parametrize(("shards", "ended", "expected"), FACTS.values(), ids=FACTS)
def test_what_may_be_read(shards: list[Shard], ended: set[str], expected: list[str]) -> None:
    assert [each.id for each in readable(shards, ended)] == expected


@st.composite
def lineages(draw: st.DrawFn) -> list[Shard]:
    """Draw what became of a few shards: some were split, some merged, and some have left the stream."""
    alive = [str(number) for number in range(draw(st.integers(1, 4)))]
    shards = [Shard(each) for each in alive]
    for _ in range(draw(st.integers(0, 12))):
        place = draw(st.integers(0, len(alive) - 1))
        if draw(st.booleans()) or place + 1 == len(alive):
            parents, children = alive[place : place + 1], 2
        else:
            parents, children = alive[place : place + 2], 1
        born = [Shard(str(len(shards) + number), tuple(parents)) for number in range(children)]
        shards += born
        alive[place : place + len(parents)] = [each.id for each in born]
    gone = draw(st.integers(0, len(shards) - 1))
    return draw(st.permutations(shards[gone:]))


@given(shards=lineages(), data=st.data())
def test_no_child_is_begun_before_its_parents_have_ended_and_all_get_read(
    shards: list[Shard], data: st.DataObject
) -> None:
    listed = {each.id for each in shards}
    begun: set[str] = set()
    ended: set[str] = set()
    while ended != listed:
        due = [each for each in readable(shards, ended) if each.id not in begun]
        assert all(set(each.parents) & listed <= ended for each in due)
        begun |= {each.id for each in due}
        running = sorted(begun - ended)
        assert running, "there is always one that may be read"
        ended |= set(data.draw(st.lists(st.sampled_from(running), min_size=1)))
