"""Reads an SQS queue that is an on-failure destination: its messages have only the positions of the records.

Source: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from kinesis_handler.aws import aws_client, explain
from kinesis_handler.errors import QuarantineError
from kinesis_handler.quarantine import on_failure
from kinesis_handler.quarantine.on_failure import FailedBatch

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

VISIBILITY_TIMEOUT = 300
"""Seconds for which no other client gets a received message: fetching its records takes less."""

MAX_MESSAGES = 10
"""Most messages of one answer."""


class _Notification(Struct, rename="pascal"):
    """The envelope of SNS around a message, unless its subscription has raw message delivery."""

    message: str
    topic_arn: str


class Message(NamedTuple):
    """A message: its id, the receipt that deletes it, and its document; None if it is something else."""

    id: str
    receipt: str
    document: FailedBatch | None


class FailedBatchQueue:
    """The documents in a queue.

    Args:
        url: the URL of the queue; its region is in it, or else is the one that the SDK finds.
        default_region: the region if the SDK finds none.

    Raises QuarantineError if the URL is invalid, and ConfigurationError if there is no region or the SDK's
    settings are invalid.
    """

    def __init__(self, url: str, *, default_region: str | None = None) -> None:
        self.url = url
        with self._queue_errors():
            _, _, region_and_more = (urlsplit(url).hostname or "").partition("sqs.")
        region = region_and_more.partition(".")[0]
        config = Config(retries={"mode": "standard", "total_max_attempts": 3})
        client = aws_client("sqs", config, region=region, default_region=default_region)
        self._client = cast("SQSClient", client)

    def __len__(self) -> int:
        """Return the approximate number of messages. Raises QuarantineError if the queue cannot be read."""
        with self._queue_errors():
            answer = self._client.get_queue_attributes(
                QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def receive(self) -> Iterator[Message]:
        """Yield each message.

        A message that is not deleted comes back after VISIBILITY_TIMEOUT.

        Raises QuarantineError if the queue cannot be read.
        """
        while True:
            with self._queue_errors():
                answer = self._client.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=MAX_MESSAGES,
                    VisibilityTimeout=VISIBILITY_TIMEOUT,
                    WaitTimeSeconds=1,  # 0 would ask only some of its servers
                )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for message in messages:
                document = _document(message["Body"])
                yield Message(message["MessageId"], message["ReceiptHandle"], document)

    def delete(self, receipt: str) -> None:
        """Delete a message. Raises QuarantineError if that fails."""
        with self._queue_errors():
            self._client.delete_message(QueueUrl=self.url, ReceiptHandle=receipt)

    @contextmanager
    def _queue_errors(self) -> Iterator[None]:
        """Raise QuarantineError for errors of the SDK."""
        try:
            yield
        except (ClientError, BotoCoreError, ValueError) as error:
            raise QuarantineError(f"the queue {self.url!r}: {explain(error, 'sqs')}") from error


def _document(body: str) -> FailedBatch | None:
    for text in (body, _unwrapped(body)):
        try:
            document = on_failure.decode(text)
            document.entries()  # raises if the payload is something else
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        return document
    return None


def _unwrapped(body: str) -> str:
    try:
        return msgspec.json.decode(body, type=_Notification).message
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
