"""The other peer on DynamoDB: the idempotency utility of Powertools remembers each event by its id.

It does so in a separate table; the limit is read and written for each event as well.
https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/

Powertools gets only the id of the event; given the record, it would first convert its whole model into
dictionaries.
"""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from benchmarks.dynamodb_peer import GetAndPut
from benchmarks.powertools_models import EventRecord

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEY_OF_EVENT = "id"
"""Partition key of the table in which the idempotency utility stores events."""


class Idempotent(GetAndPut):
    """Lets Powertools ensure that an event is handled once, and then puts without a condition."""

    def __init__(self, client: "DynamoDBClient", table: str, events_table: str) -> None:
        super().__init__(client, table)
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

    def _put(self, item: Any, version: int) -> None:  # noqa: ARG002 - no condition
        self.client.put_item(TableName=self.table, Item=item)
