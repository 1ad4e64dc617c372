"""The peer on DynamoDB: powertools_peer.py, which reads the limit before each event and writes it after.

It writes if the version is still the one that was read. It uses one client of boto3 with its defaults, and
converts limits to items by hand: a Table resource, which does that by itself, takes about a fifth more time.
As in the peer in memory, what the measured stream does not need is left out: the last reset.
"""

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from benchmarks.powertools_models import EventRecord
from benchmarks.powertools_peer import Limit, PowertoolsPeer, after

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Key = tuple[str, str]

_AMOUNTS = {"value", "progress"}
_NUMBERS = {
    *("active_from", "active_until", "next_reset_time", "drifted_at", "sequence_number", "version"),
    *_AMOUNTS,
}
_STORED = [each.name for each in fields(Limit)]


class GetAndPut(PowertoolsPeer):
    """Reads and writes the limit of each event, in a table with an item for each limit."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        super().__init__()
        self.client, self.table = client, table

    def stored(self) -> dict[Key, Limit]:
        """Return all limits."""
        pages = self.client.get_paginator("scan").paginate(TableName=self.table)
        items = [item for page in pages for item in page["Items"]]
        return {(item["userId"]["S"], item["limitId"]["S"]): _limit(item) for item in items}

    def _handle_record(self, record: EventRecord) -> None:
        self._apply(record)

    def _apply(self, record: EventRecord) -> None:
        payload = record.kinesis.data.payload
        key = {"userId": {"S": payload.user_id}, "limitId": {"S": payload.user_limit_id}}
        answer = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True)
        item = answer.get("Item")
        limit = after(_limit(item) if item else None, record.kinesis.data)
        if limit is not None:
            self._put(key | _attributes(limit), limit.version - 1)

    def _put(self, item: Any, version: int) -> None:
        condition: Any = {"ConditionExpression": "attribute_not_exists(version)"}
        if version:
            condition = {
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": {":version": {"N": str(version)}},
            }
        self.client.put_item(TableName=self.table, Item=item, **condition)


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
