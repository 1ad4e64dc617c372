"""The set-up of the contenders of dynamodb.py: clients, and new tables for each; what they send is counted.

DynamoDB Local does not report the units of PartiQL, which the handler writes by. But each item is smaller
than a unit of either kind, which `dynamodb.py` checks: a key that is read, found or not, and an item that is
written take one each.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped] # it has none
from boto3.dynamodb.types import TypeDeserializer  # type: ignore[import-untyped]

from benchmarks.dynamodb_peer import GetAndPut, Key
from benchmarks.idempotent_peer import KEY_OF_EVENT, Idempotent
from benchmarks.records import Invocation
from kinesis_handler import KinesisHandler
from kinesis_handler.aggregate import Aggregate
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.stores import Repository
from kinesis_handler.stores.dynamodb import DynamoDBRepository, dynamodb_connection
from kinesis_handler.stores.memory import MemoryRepository
from testkit.emulators.wire import Call, Tap
from testkit.tables import PARTITION_KEY, SORT_KEY, Tables
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Limits = Mapping[Key, tuple[object, ...]]
"""(progress, value, version) of each limit."""


@dataclass
class Running:
    """A contender with tables of its own: its Lambda function, and access to its results."""

    handle: Callable[[Invocation, LocalContext], Any]
    limits: Callable[[], Limits]
    table: str = ""


class Lab:
    """Sets contenders up in new tables, and counts what they send, if this is not timed.

    Requests are listed as their read and write units.
    """

    def __init__(self, tables: Tables, *, counts: bool = False) -> None:
        self.sent: list[tuple[int, int]] = []  # a list, because threads append to it concurrently
        self._tables = tables
        self._connection = dynamodb_connection(endpoint=tables.endpoint)
        self._peers_client: DynamoDBClient = boto3.client("dynamodb", endpoint_url=tables.endpoint)
        if counts:
            Tap(self._connection, self._count)
            self._peers_client.meta.events.register("before-send.dynamodb", self._count_a_peers)

    def handler(self) -> Running:
        table = self._tables.table().name
        repository = DynamoDBRepository(
            self._connection, table, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY
        )
        return _running(repository, table)

    def memory(self) -> Running:
        return _running(MemoryRepository[Limit]())

    def get_and_put(self) -> Running:
        peer = GetAndPut(self._peers_client, self._tables.table().name)
        return Running(peer, lambda: _limits_of_peer(peer), peer.table)

    def idempotent(self) -> Running:
        table = self._tables.table().name
        self._tables.client.create_table(
            TableName=f"{table}-events",
            KeySchema=[{"AttributeName": KEY_OF_EVENT, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY_OF_EVENT, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        peer = Idempotent(self._peers_client, table, f"{table}-events")
        return Running(peer, lambda: _limits_of_peer(peer), table)

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return the items of a table, their attributes as Python's values."""
        pages, value = self._tables.client.get_paginator("scan").paginate(TableName=table), TypeDeserializer()
        items = [item for page in pages for item in page["Items"]]
        return [{name: value.deserialize(each) for name, each in item.items()} for item in items]

    def _count(self, call: Call) -> None:
        keys = [key for table in call.body.get("RequestItems", {}).values() for key in table["Keys"]]
        self.sent.append((len(keys), len(call.body.get("Statements", ()))))

    def _count_a_peers(self, *, event_name: str, **_: object) -> None:
        reads = event_name.endswith(".GetItem")
        self.sent.append((reads, not reads))


def _running(repository: Repository[Limit], table: str = "") -> Running:
    handler = KinesisHandler([UserLimitEventProcessor(repository)])
    return Running(handler, lambda: _limits_of(repository.scan()), table)


def _limits_of(aggregates: Iterable[Aggregate[Limit]]) -> Limits:
    return {each.key: (each.state.progress, each.state.value, each.version) for each in aggregates}


def _limits_of_peer(peer: GetAndPut) -> Limits:
    return {key: (each.progress, each.value, each.version) for key, each in peer.stored().items()}
