"""The peer on DynamoDB: powertools_peer.py, which reads the limit before each event and writes it after.

It writes if the version is still the one that was read. It uses one client of boto3 with its defaults, and
converts limits to items by hand: a Table resource, which does that by itself, takes about a fifth more time.
As in the peer in memory, what the measured stream does not need is left out: the last reset.
"""

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from benchmarks.powertools_models import Change, EventRecord
from benchmarks.powertools_peer import Limit, PowertoolsPeer, check_currency, on_change, on_creation

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Key = tuple[str, str]

_AMOUNTS = {"value", "progress"}
_NUMBERS = {
    *("active_from", "active_until", "next_reset_time", "drifted_at", "sequence_number", "version"),
    *_AMOUNTS,
}
_STORED = [each.name for each in fields(Limit)]


class LimitTable:
    """Limits in a table, one item each, read and written one by one."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def get(self, key: Key) -> Limit | None:
        answer = self._client.get_item(TableName=self._name, Key=_key(key), ConsistentRead=True)
        item = answer.get("Item")
        return _limit(item) if item else None

    def put(self, key: Key, limit: Limit, **condition: Any) -> None:
        self._client.put_item(TableName=self._name, Item={**_key(key), **_attributes(limit)}, **condition)

    def scan(self) -> dict[Key, Limit]:
        """Return all limits."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._name)
        items = [item for page in pages for item in page["Items"]]
        return {(item["userId"]["S"], item["limitId"]["S"]): _limit(item) for item in items}


class GetAndPut(PowertoolsPeer):
    """Reads and writes the limit of each event."""

    def __init__(self, table: LimitTable) -> None:
        super().__init__()
        self._table = table

    def _handle_record(self, record: EventRecord) -> None:
        self._apply(record)

    def _apply(self, record: EventRecord) -> None:
        event = record.kinesis.data
        payload, at = event.payload, event.created_at
        key = payload.user_id, payload.user_limit_id
        limit = self._table.get(key)
        if limit is not None:
            if event.sequence_number <= limit.sequence_number:
                return
            if payload.currency_code != limit.currency_code:
                check_currency(limit, payload)
        version = limit.version if limit is not None else 0
        if isinstance(payload, Change):
            limit = on_change(limit, payload, at)
        else:
            limit = on_creation(limit, payload, at)
        limit.sequence_number = event.sequence_number
        limit.version = version + 1
        self._put(key, limit, version)

    def _put(self, key: Key, limit: Limit, version: int) -> None:
        if version:
            condition = "version = :version"
            self._table.put(
                key,
                limit,
                ConditionExpression=condition,
                ExpressionAttributeValues={":version": {"N": str(version)}},
            )
        else:
            self._table.put(key, limit, ConditionExpression="attribute_not_exists(version)")


def _key(key: Key) -> dict[str, dict[str, str]]:
    return {"userId": {"S": key[0]}, "limitId": {"S": key[1]}}


def _attributes(limit: Limit) -> dict[str, dict[str, str]]:
    return {
        name: {"N": str(value)} if name in _NUMBERS else {"S": value}
        for name in _STORED
        if (value := getattr(limit, name)) is not None
    }


def _limit(item: Any) -> Limit:
    known: dict[str, Any] = {}
    for name in _STORED:
        if name in item:
            [value] = item[name].values()
            known[name] = Decimal(value) if name in _AMOUNTS else int(value) if name in _NUMBERS else value
    return Limit(**known)
