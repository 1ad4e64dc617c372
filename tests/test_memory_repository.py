from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesis_handler.errors import RepositoryError
from kinesis_handler.stores import Change, Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock, FaultyRepository, LawState, RepositoryLaws
from kinesis_handler.testing.law_states import aggregate
from kinesis_handler.testing.laws import TTL

SORTS = st.sampled_from("abcdefg")
STEPS = st.one_of(
    st.tuples(st.just("save"), SORTS),
    st.tuples(st.just("delete"), SORTS),
    st.tuples(st.just("wait"), st.integers(1, TTL)),
    st.tuples(st.just("page"), st.integers(1, 3)),
)


class TestMemoryRepository(RepositoryLaws):
    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        return MemoryRepository(ttl=ttl, clock=clock)


class TestFaultyRepositoryWithoutFaults(RepositoryLaws):
    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        return FaultyRepository(MemoryRepository(ttl=ttl, clock=clock), Random(0), budget=0)


def test_a_faulty_repository_fails_until_its_budget_is_spent() -> None:
    repository: FaultyRepository[LawState] = FaultyRepository(MemoryRepository(), Random(0), rate=1, budget=2)
    calls: list[Callable[[], object]] = [
        lambda: repository.find("a"),
        lambda: repository.delete([("a", "1")]),
        repository.scan,
        lambda: repository.save([]),
    ]
    for call in calls:
        with pytest.raises(RepositoryError, match="injected"):
            call()
    for call in calls:
        call()


@given(st.lists(STEPS, max_size=40))
def test_whatever_came_went_or_expired_since_the_page_before_the_next_one_is_in_order(
    steps: list[tuple[str, Any]],
) -> None:
    clock = FakeClock()
    repository: MemoryRepository[LawState] = MemoryRepository(TTL, clock)
    expiries: dict[str, float] = {}
    cursor, last = None, ""
    for step, argument in steps:
        key = ("a", argument)
        if step == "save":
            repository.save([Change(repository.load([key]).found.get(key), aggregate(key))])
            expiries[argument] = clock.now + TTL
        elif step == "delete":
            repository.delete([key])
            expiries.pop(argument, None)
        elif step == "wait":
            clock.advance(argument)
        else:
            page = repository.find("a", limit=argument, cursor=cursor)
            behind = sorted(sort for sort, at in expiries.items() if at > clock.now and sort > last)
            assert [each.key[1] for each in page.aggregates] == behind[:argument]
            assert (page.cursor is not None) == (len(behind) > argument)
            cursor, last = page.cursor, behind[argument - 1] if page.cursor is not None else ""


def test_a_repository_that_lacks_a_method_cannot_be_made() -> None:
    class WithoutDelete(MemoryRepository[LawState]):
        delete = Repository.delete

    with pytest.raises(TypeError, match=r"abstract method.*delete"):
        WithoutDelete()
