from collections.abc import Callable

from kinesis_handler.repository import Repository
from kinesis_handler.repository.memory import MemoryRepository
from kinesis_handler.testing import LawState, RepositoryLaws


class TestMemoryRepository(RepositoryLaws):
    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        return MemoryRepository(ttl=ttl, clock=clock)
