"""The peers on DynamoDB: the handler of powertools_peer.py, with what people do there to keep each event.

* GetAndPut reads the limit before each event and writes it after, if its version is still the one read.
* Idempotent has the idempotency utility of Powertools remember each event by its id, in a table of its own,
  and reads and writes the limit too: https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/

Both use one client of boto3 with its defaults, and turn limits into items by hand: a Table resource, which
does that by itself, takes about a fifth more time. Powertools is given the bare id of the event; given the
record, it would first turn all of its model into dictionaries. What the measured stream does not call for is
left out here too: the last reset.
"""

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from powertools_models import Change, EventRecord, Reset
from powertools_peer import Limit, PowertoolsPeer, check_currency, on_change, on_creation, on_reset

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Key = tuple[str, str]

KEY_OF_EVENT = "id"
"""The partition key of the table that the idempotency utility keeps events in."""

_AMOUNTS = {"value", "progress"}
_NUMBERS = {
    *("active_from", "active_until", "next_reset_time", "drifted_at", "sequence_number", "version"),
    *_AMOUNTS,
}
_KEPT = [each.name for each in fields(Limit) if each.name != "last_reset"]


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
        elif isinstance(payload, Reset):
            limit = on_reset(limit, payload, at)
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


class Idempotent(GetAndPut):
    """Has Powertools see to it that an event is handled once, and then puts without a condition."""

    def __init__(self, table: LimitTable, client: "DynamoDBClient", events_table: str) -> None:
        super().__init__(table)
        self._config = IdempotencyConfig()
        self._once = idempotent_function(
            self._apply_once,
            data_keyword_argument="event_id",
            persistence_store=DynamoDBPersistenceLayer(
                events_table, key_attr=KEY_OF_EVENT, boto3_client=client
            ),
            config=self._config,
        )

    def __call__(self, invocation: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        self._config.register_lambda_context(context)
        return super().__call__(invocation, context)

    def _handle_record(self, record: EventRecord) -> None:
        self._once(event_id=record.kinesis.data.event_id, record=record)

    def _apply_once(self, *, event_id: str, record: EventRecord) -> None:  # noqa: ARG002 - Powertools reads it
        self._apply(record)

    def _put(self, key: Key, limit: Limit, version: int) -> None:  # noqa: ARG002 - no condition
        self._table.put(key, limit)


def _key(key: Key) -> dict[str, dict[str, str]]:
    return {"userId": {"S": key[0]}, "limitId": {"S": key[1]}}


def _attributes(limit: Limit) -> dict[str, dict[str, str]]:
    return {
        name: {"N": str(value)} if name in _NUMBERS else {"S": value}
        for name in _KEPT
        if (value := getattr(limit, name)) is not None
    }


def _limit(item: Any) -> Limit:
    known: dict[str, Any] = {}
    for name in _KEPT:
        if name in item:
            [value] = item[name].values()
            known[name] = Decimal(value) if name in _AMOUNTS else int(value) if name in _NUMBERS else value
    return Limit(**known)
