from collections.abc import Callable
from random import Random

import pytest

from kinesis_handler.errors import RepositoryError
from kinesis_handler.repository import Repository
from kinesis_handler.repository.memory import MemoryRepository
from kinesis_handler.testing import FaultyRepository, LawState, RepositoryLaws


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
