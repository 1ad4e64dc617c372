from collections.abc import Callable

import pytest

from kinesis_handler.repository import Repository
from kinesis_handler.testing import LawState, RepositoryLaws
from tables import Tables


class TestDynamoDBRepository(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _tables(self, tables: Tables) -> None:
        self.tables = tables

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        return self.tables.repository(LawState, clock=clock, ttl=ttl)
