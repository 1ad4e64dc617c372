"""What Lambda hands to a function that consumes a Kinesis stream, and what it takes back.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html,
https://docs.aws.amazon.com/lambda/latest/dg/python-context.html and
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
"""

from typing import NotRequired, Protocol, TypedDict

__all__ = ["BatchItemFailure", "BatchResponse", "KinesisPayload", "LambdaContext", "LambdaRecord"]


class LambdaContext(Protocol):
    """The part of Lambda's context object that the handler needs."""

    @property
    def aws_request_id(self) -> str:
        """The invocation's id."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left before Lambda stops the function."""


class KinesisPayload(TypedDict):
    """The `kinesis` part of a Lambda record. `data` is base64, the timestamp seconds since epoch.

    The partition key is null or absent where the stream distributes records by itself (`AUTO`):
    https://docs.aws.amazon.com/streams/latest/dev/service-managed-pk-integrations-lambda.html
    """

    kinesisSchemaVersion: str
    partitionKey: NotRequired[str | None]
    sequenceNumber: str
    data: str
    approximateArrivalTimestamp: NotRequired[float]


class LambdaRecord(TypedDict):
    """One entry of `Records` in a Lambda invocation by a Kinesis stream."""

    eventSource: str
    eventVersion: str
    eventID: str
    eventName: str
    invokeIdentityArn: str
    awsRegion: str
    eventSourceARN: str
    kinesis: KinesisPayload


class BatchItemFailure(TypedDict):
    """The sequence number of a record that Lambda is to deliver again."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """`StreamsEventResponse` of Lambda. Of several failures it takes the lowest as its checkpoint."""

    batchItemFailures: list[BatchItemFailure]
