"""The peer: the same projection with the batch processor of Powertools for AWS Lambda, and Pydantic models.

The models follow the documentation of Powertools for Kinesis: a record whose `data` is `Json[...]`, which
Pydantic parses and validates in one step. A validator that calls `json.loads` or `validate_json` is slower.
Only a peer that does not validate the record itself is faster: its parsing takes about a fifth less.
https://docs.powertools.aws.dev/lambda/python/latest/utilities/batch/#pydantic-integration

The peer leaves out what the measured stream does not need, and is faster for it: other types of events,
fields that no event has, events without a number, KPL records and gzipped records, upper bounds of texts and
numbers, holding back events after a failure, the deadline, the log, and a repository with its conflicts.

It stores the limits in a dictionary, or reads and writes the limit of each event in a table: GetAndPut.
"""

import decimal
from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamRecord,
    KinesisDataStreamRecordPayload,
)
from pydantic import BaseModel, ConfigDict, Field, Json
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

EXACT = decimal.Context(prec=38, traps=[decimal.Inexact])
"""Decimal context of the amounts."""

# Those of the project, which is not imported: its start would count as the peer's.
LimitType = Literal["BALANCE", "BET", "DEPOSIT", "LOSS", "SESSION"]
LimitStatus = Literal["ACTIVE", "CANCELED", "FUTURE", "IN_COOLDOWN"]
Period = Literal[
    "CALENDAR_DAY", "CALENDAR_WEEK", "CALENDAR_MONTH", "DAY", "WEEK", "MONTH", "INDEFINITE", "INSTANCE"
]

RequiredText = Annotated[str, Field(min_length=1)]
Key = tuple[str, str]

T = TypeVar("T")
P = TypeVar("P")


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True)


class Payload(Model):
    user_id: RequiredText
    user_limit_id: RequiredText
    next_reset_time: int | None = None
    brand_id: str | None = None
    currency_code: str | None = None


class Creation(Payload):
    value: Annotated[Decimal, Field(ge=0)]
    type: LimitType | None = None
    period: Period | None = None
    status: LimitStatus = "ACTIVE"
    active_from: int | None = None


class Change(Payload):
    amount: Decimal
    previous_progress: Decimal | None = None
    remaining_amount: Decimal | None = None


class Context(Model):
    correlation_id: str | None = None


class Event(Model, Generic[T, P]):
    type: T
    payload: P
    event_id: RequiredText
    created_at: int
    sequence_number: Annotated[int, Field(ge=0)]
    aggregate_id: str | None = None
    source: str | None = None
    context: Context | None = None


UserLimitCreated = Event[Literal["USER_LIMIT_CREATED"], Creation]
UserLimitProgressChanged = Event[Literal["USER_LIMIT_PROGRESS_CHANGED"], Change]


class EventData(KinesisDataStreamRecordPayload):
    data: Json[Annotated[UserLimitCreated | UserLimitProgressChanged, Field(discriminator="type")]]


class EventRecord(KinesisDataStreamRecord):
    kinesis: EventData


@dataclass(slots=True)
class Limit:
    """A limit, changed in memory: that costs less than a new one for each event."""

    value: Decimal
    progress: Decimal = Decimal(0)
    status: LimitStatus = "ACTIVE"
    active_from: int | None = None
    next_reset_time: int | None = None
    type: LimitType | None = None
    period: Period | None = None
    brand_id: str | None = None
    currency_code: str | None = None
    drifted_at: int | None = None
    sequence_number: int = -1
    version: int = 0

    def define(self, created: Creation, at: int) -> None:
        self.value, self.status, self.period = created.value, created.status, created.period
        self.type = created.type or self.type
        self.active_from = created.active_from if created.active_from is not None else at
        self.next_reset_time = created.next_reset_time

    def change(self, changed: Change, at: int) -> None:
        before = changed.previous_progress if changed.previous_progress is not None else self.progress
        progress, value = EXACT.add(before, changed.amount), self.value
        if changed.remaining_amount is not None:
            value = EXACT.add(progress, changed.remaining_amount)
        if before != self.progress or value != self.value:
            self.drifted_at = at
        self.value, self.progress = value, progress
        if changed.next_reset_time is not None:
            self.next_reset_time = changed.next_reset_time


_STORED = [each.name for each in fields(Limit)]


class PowertoolsPeer:
    """A Lambda handler that stores the limits in a dictionary."""

    def __init__(self) -> None:
        self._limits: dict[Key, Limit] = {}
        self._processor = BatchProcessor(event_type=EventType.KinesisDataStreams, model=EventRecord)

    def __call__(self, invocation: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return process_partial_response(invocation, self.handle, self._processor, context)

    def handle(self, record: EventRecord) -> None:
        """Apply the event of a record, unless its limit has seen it."""
        event = record.kinesis.data
        payload = event.payload
        key = payload.user_id, payload.user_limit_id
        limit = self.load(key)
        if limit is None:
            if not isinstance(payload, Creation):
                raise ValueError("the limit is not known")
            limit = Limit(payload.value)
        elif event.sequence_number <= limit.sequence_number:
            return
        elif limit.currency_code and payload.currency_code and payload.currency_code != limit.currency_code:
            raise ValueError("the event is in another currency than the limit")
        if isinstance(payload, Creation):
            limit.define(payload, event.created_at)
        else:
            limit.change(payload, event.created_at)
        limit.brand_id = payload.brand_id or limit.brand_id
        limit.currency_code = payload.currency_code or limit.currency_code
        limit.sequence_number = event.sequence_number
        limit.version += 1
        self.save(key, limit)

    def load(self, key: Key) -> Limit | None:
        return self._limits.get(key)

    def save(self, key: Key, limit: Limit) -> None:
        self._limits[key] = limit

    def limits(self) -> Iterable[tuple[Key, Limit, int]]:
        """Return each limit, with its key and its version."""
        return [(key, each, each.version) for key, each in self._limits.items()]


class GetAndPut(PowertoolsPeer):
    """Reads and writes the limit of each event, in a table with an item for each limit.

    It writes if the version is still the one that was read. It uses one client of boto3 with its defaults,
    and converts limits to items by hand: a Table resource, which does that by itself, takes about a fifth
    more time.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        super().__init__()
        self.client, self.table = client, table

    def load(self, key: Key) -> Limit | None:
        found = self.client.get_item(TableName=self.table, Key=_keys(key), ConsistentRead=True)
        return _limit(found["Item"]) if "Item" in found else None

    def save(self, key: Key, limit: Limit) -> None:
        self.put(
            _keys(key) | _attributes(limit),
            ConditionExpression="attribute_not_exists(version) OR version = :before",
            ExpressionAttributeValues={":before": {"N": str(limit.version - 1)}},
        )

    def put(self, item: Any, **condition: Any) -> None:
        self.client.put_item(TableName=self.table, Item=item, **condition)

    def limits(self) -> Iterable[tuple[Key, Limit, int]]:
        for page in self.client.get_paginator("scan").paginate(TableName=self.table):
            for item in page["Items"]:
                limit = _limit(item)
                yield (item["userId"]["S"], item["limitId"]["S"]), limit, limit.version


def _keys(key: Key) -> dict[str, dict[str, str]]:
    return {"userId": {"S": key[0]}, "limitId": {"S": key[1]}}


def _attributes(limit: Limit) -> dict[str, dict[str, str]]:
    return {
        name: {"S": value} if isinstance(value, str) else {"N": str(value)}
        for name in _STORED
        if (value := getattr(limit, name)) is not None
    }


def _limit(item: Any) -> Limit:
    known: dict[str, Any] = {
        name: Decimal(value["N"]) if "N" in value else value["S"]
        for name, value in item.items()
        if name in _STORED
    }
    return Limit(**known)


handler = PowertoolsPeer()
"""The Lambda function in memory."""
