"""The set-up of the contenders of dynamodb.py: clients, and new tables for each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped] # it has none

from benchmarks.dynamodb_peers import GetAndPut, Key, LimitTable
from benchmarks.dynamodb_units import PARTITION_KEY, SORT_KEY, Meter, WeighedRepository
from benchmarks.idempotent_peer import KEY_OF_EVENT, Idempotent
from benchmarks.records import Invocation
from kinesis_handler import KinesisHandler
from kinesis_handler.aggregate import Aggregate
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.stores.dynamodb import DynamoDBRepository, DynamoDBTable, dynamodb_connection
from kinesis_handler.stores.memory import MemoryRepository
from testkit.emulators.wire import Tap
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Limits = Mapping[Key, tuple[object, ...]]
"""(progress, value, version) of each limit."""

_numbers = count(1)


def new_name() -> str:
    return f"Table-{next(_numbers)}"


@dataclass
class Running:
    """A contender with tables of its own: its Lambda function, and access to its results."""

    handle: Callable[[Invocation, LocalContext], Any]
    limits: Callable[[], Limits]
    table: str


class Lab:
    """Sets contenders up at an endpoint. A meter, if there is one, counts their requests."""

    def __init__(self, endpoint: str, meter: Meter | None = None) -> None:
        self._owner = dynamodb_connection(endpoint=endpoint)
        self._connection = dynamodb_connection(endpoint=endpoint)
        self._peers_client: DynamoDBClient = boto3.client("dynamodb", endpoint_url=endpoint)
        self._meter = meter
        if meter:
            Tap(self._connection, meter.meet)
            meter.listen(self._peers_client)

    def handler(self) -> Running:
        table = self._limits_table()
        if self._meter:
            repository: DynamoDBRepository[Limit] = WeighedRepository(
                self._connection, table, self._meter, self._owner, self._limits_table()
            )
        else:
            repository = DynamoDBRepository(
                self._connection, table, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY
            )
        handler = KinesisHandler([UserLimitEventProcessor(repository)])
        return Running(handler, lambda: limits_of(repository.scan()), table)

    def memory(self) -> Running:
        repository = MemoryRepository[Limit]()
        handler = KinesisHandler([UserLimitEventProcessor(repository)])
        return Running(handler, lambda: limits_of(repository.scan()), "")

    def get_and_put(self) -> Running:
        table, name = self._peers_table()
        return Running(GetAndPut(table), lambda: _limits_of_peer(table), name)

    def idempotent(self) -> Running:
        table, name = self._peers_table()
        events = new_name()
        self._owner.client.create_table(
            TableName=events,
            KeySchema=[{"AttributeName": KEY_OF_EVENT, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY_OF_EVENT, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return Running(Idempotent(table, self._peers_client, events), lambda: _limits_of_peer(table), name)

    def items(self, table: str) -> list[Any]:
        """Return the items of a table as they are stored."""
        pages = self._owner.client.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def _limits_table(self) -> str:
        table = DynamoDBTable(self._owner, new_name(), partition_key=PARTITION_KEY, sort_key=SORT_KEY)
        table.create()
        return table.name

    def _peers_table(self) -> tuple[LimitTable, str]:
        name = self._limits_table()
        return LimitTable(self._peers_client, name), name


def limits_of(aggregates: Iterable[Aggregate[Limit]]) -> Limits:
    return {each.key: (each.state.progress, each.state.value, each.version) for each in aggregates}


def _limits_of_peer(table: LimitTable) -> Limits:
    return {key: (each.progress, each.value, each.version) for key, each in table.scan().items()}
