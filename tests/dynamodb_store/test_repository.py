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


@pytest.mark.parametrize("partition", ["", "p" * 2049])
def test_of_a_partition_that_no_table_can_have_there_is_nothing(tables: Tables, partition: str) -> None:
    page = tables.repository(LawState).find(partition)
    assert (page.aggregates, page.cursor) == ([], None)
