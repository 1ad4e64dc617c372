"""A table with faults in wait, and what tests do with it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from kinesis_handler import Key
from kinesis_handler.aggregate import Aggregate
from kinesis_handler.retry import (
    Backoff,
)
from kinesis_handler.stores import Change
from kinesis_handler.stores.dynamodb import DynamoDBRepository
from kinesis_handler.testing import FakeClock, LawState
from kinesis_handler.testing.law_states import aggregate
from testkit.emulators.wire import Wire, cut, server_error, timeout
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables

READ, WRITE, DELETE = "BatchGetItem", "BatchExecuteStatement", "BatchWriteItem"


KEY = ("a", "1")


TTL = 3_600


LONGEST_PATIENCE = 6.0


THROTTLED = ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]


LOST_ANSWERS = pytest.mark.parametrize("lost", [cut, timeout, server_error])
"""The request has been done, and nobody says so."""


class Store:
    """A table, and what works on it: one repository that faults lie in wait for, and another without."""

    def __init__(self, tables: Tables, wire: Wire, *, ttl: int = 0) -> None:
        self.clock = FakeClock()
        self.pauses: list[float] = []
        self.table = tables.table().name
        self._tables = tables
        self.faulty = self.repository(wire, ttl=ttl)
        self.other = self.repository(ttl=ttl)

    def repository(self, wire: Wire | None = None, *, ttl: int = 0) -> DynamoDBRepository[LawState]:
        """Make one more repository in the same table."""
        return DynamoDBRepository(
            wire.connection if wire else self._tables.connection,
            self.table,
            LawState,
            partition_key=PARTITION_KEY,
            sort_key=SORT_KEY,
            ttl=ttl,
            clock=self.clock,
            make_backoff=lambda: Backoff(self._pause, lambda _, high: high),
        )

    def item(self, key: Key = KEY) -> dict[str, Any]:
        """Return an item as it is stored."""
        answer = self._tables.client.get_item(TableName=self.table, Key=place(key), ConsistentRead=True)
        return dict(answer.get("Item", {}))

    def put(self, attributes: dict[str, Any], key: Key = KEY) -> None:
        """Store an item as another program would."""
        self._tables.client.put_item(TableName=self.table, Item={**place(key), **attributes})

    def is_taken(self, item: dict[str, Any]) -> bool:
        """Store an item whole; return whether it was small enough."""
        try:
            self._tables.client.put_item(TableName=self.table, Item=item)
        except ClientError as error:
            if "Item size has exceeded" in str(error):
                return False
            raise
        return True

    def set(self, name: str, value: Any, key: Key = KEY) -> None:
        """Set one attribute of an item as another program would."""
        self._tables.client.update_item(
            TableName=self.table,
            Key=place(key),
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": value},
        )

    def remove(self, key: Key = KEY) -> None:
        """Remove an item."""
        self._tables.client.delete_item(TableName=self.table, Key=place(key))

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)


def place(key: Key) -> dict[str, Any]:
    return {PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}


def new(key: Key = KEY, **state: Any) -> Change[LawState]:
    return Change(None, aggregate(key, **state))


def many(number: int, **state: Any) -> list[Change[LawState]]:
    return [new(("a", f"k{each:03d}"), **state) for each in range(number)]


def keys(changes: list[Change[LawState]]) -> set[Key]:
    return {change.key for change in changes}


def save(store: Store, *changes: Change[LawState]) -> None:
    """Save, past whatever faults there are, and see that all went well."""
    saved = store.faulty.save(changes)
    assert not saved.conflicts
    assert not saved.failed


def stored(store: Store, *wanted: Key) -> dict[Key, Aggregate[LawState]]:
    """Return what is stored, whatever the faults."""
    return store.other.load(wanted or [KEY]).found
