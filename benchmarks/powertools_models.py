"""The peer's models for validation: Pydantic models of the record, the envelope and the payloads.

They follow the documentation of Powertools for Kinesis: a record whose `data` is `Json[...]`, which Pydantic
parses and validates in one step. A validator that calls `json.loads` or `validate_json` is slower. Only a
peer that does not validate the record itself is faster: its parsing takes about a fifth less.
https://docs.powertools.aws.dev/lambda/python/latest/utilities/batch/#pydantic-integration
"""

import decimal
from decimal import Decimal
from typing import Annotated, Literal

from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamRecord,
    KinesisDataStreamRecordPayload,
)
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json
from pydantic.alias_generators import to_camel

from benchmarks.literals import LimitStatus, LimitType, Period

EXACT = decimal.Context(prec=38, traps=[decimal.Inexact])
"""Decimal context of the amounts."""

RequiredText = Annotated[str, Field(min_length=1)]


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True)


class Payload(Model):
    user_id: RequiredText
    user_limit_id: RequiredText
    next_reset_time: int | None = None
    brand_id: str | None = None
    currency_code: str | None = None


class Creation(Payload):
    value: Annotated[Decimal, Field(ge=0, validation_alias=AliasChoices("value", "maxValue"))]
    name: str | None = None
    type: LimitType | None = None
    period: Period | None = None
    status: LimitStatus = "ACTIVE"
    active_from: int | None = None
    active_until: int | None = None
    previous_limit_value: Decimal | None = None
    progress: Decimal | None = None


class Change(Payload):
    amount: Decimal
    previous_progress: Decimal | None = None
    remaining_amount: Decimal | None = None


class Context(Model):
    correlation_id: str | None = None


class Envelope(Model):
    event_id: RequiredText
    created_at: int
    sequence_number: Annotated[int, Field(ge=0)]
    aggregate_id: str | None = None
    source: str | None = None
    context: Context | None = None


class UserLimitCreated(Envelope):
    type: Literal["USER_LIMIT_CREATED"]
    payload: Creation


class UserLimitProgressChanged(Envelope):
    type: Literal["USER_LIMIT_PROGRESS_CHANGED"]
    payload: Change


UserLimitEvent = Annotated[UserLimitCreated | UserLimitProgressChanged, Field(discriminator="type")]


class EventData(KinesisDataStreamRecordPayload):
    data: Json[UserLimitEvent]


class EventRecord(KinesisDataStreamRecord):
    kinesis: EventData
