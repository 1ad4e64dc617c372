from collections.abc import Callable
from typing import Any

import pytest

from kinesis_handler import Key
from kinesis_handler.stores import Repository
from kinesis_handler.stores.dynamodb import DynamoDBRepository
from kinesis_handler.stores.upgrade import Upgrade
from kinesis_handler.testing import LawState, RepositoryLaws, StoredLaws
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables


class TestDynamoDBRepository(RepositoryLaws):
    @pytest.fixture(autouse=True)
    def _tables(self, tables: Tables) -> None:
        self.tables = tables

    def make_repository(self, clock: Callable[[], float], ttl: int) -> Repository[LawState]:
        return self.tables.repository(LawState, clock=clock, ttl=ttl)


class TestItems(StoredLaws):
    @pytest.fixture(autouse=True)
    def _table(self, tables: Tables) -> None:
        self.connection, self.name = tables.connection, tables.table().name

    def open_repository(self, state_type: type[Any], upgrade: Upgrade | None = None) -> Repository[Any]:
        return DynamoDBRepository(
            self.connection,
            self.name,
            state_type,
            partition_key=PARTITION_KEY,
            sort_key=SORT_KEY,
            upgrade=upgrade,
        )

    def damage(self, key: Key) -> None:
        self.connection.client.put_item(
            TableName=self.name, Item={PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}
        )


@pytest.mark.parametrize("partition", ["", "p" * 2049])
def test_of_a_partition_that_no_table_can_have_there_is_nothing(tables: Tables, partition: str) -> None:
    page = tables.repository(LawState).find(partition)
    assert (page.aggregates, page.cursor) == ([], None)
