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

from benchmarks.powertools_peer import EventRecord, GetAndPut

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class Idempotent(GetAndPut):
    """Lets Powertools ensure that an event is handled once, and then puts without a condition."""

    def __init__(self, client: "DynamoDBClient", table: str, events_table: str) -> None:
        super().__init__(client, table)
        self._config = IdempotencyConfig()
        self._once = idempotent_function(
            self._handle_once,
            data_keyword_argument="event_id",
            persistence_store=DynamoDBPersistenceLayer(events_table, boto3_client=client),
            config=self._config,
        )

    def __call__(self, invocation: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        self._config.register_lambda_context(context)
        return super().__call__(invocation, context)

    def handle(self, record: EventRecord) -> None:
        self._once(event_id=record.kinesis.data.event_id, record=record)

    def put(self, item: Any, **_: Any) -> None:
        super().put(item)

    def _handle_once(self, *, event_id: str, record: EventRecord) -> None:  # noqa: ARG002 - Powertools reads it
        super().handle(record)
