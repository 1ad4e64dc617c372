"""An SQS queue as an on-failure destination: it is told where the records were on the stream, and no more.

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
"""Seconds for which nobody else gets a message that has been received: it takes less to fetch its records."""

MAX_MESSAGES = 10
"""Of one answer."""


class _Notification(Struct, rename="pascal"):
    """What SNS puts around a message, unless its subscription asks for the message alone."""

    message: str
    topic_arn: str


class Message(NamedTuple):
    """A message: its id, what deletes it, and its document; None if it is something else."""

    id: str
    receipt: str
    document: FailedBatch | None


class FailedBatchQueue:
    """The documents in a queue.

    Args:
        url: of the queue; its region stands in it, else it is the one that the SDK finds.
        default_region: where it finds none.

    Raises QuarantineError if the URL is none, and ConfigurationError if there is no region or the settings
    that the SDK finds are no good.
    """

    def __init__(self, url: str, *, default_region: str | None = None) -> None:
        self.url = url
        with self._told():
            _, _, region_and_more = (urlsplit(url).hostname or "").partition("sqs.")
        region = region_and_more.partition(".")[0]
        config = Config(retries={"mode": "standard", "total_max_attempts": 3})
        client = aws_client("sqs", config, region=region, default_region=default_region)
        self._client = cast("SQSClient", client)

    def __len__(self) -> int:
        """Return about how many messages wait. Raises QuarantineError if the queue cannot be asked."""
        with self._told():
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
            with self._told():
                answer = self._client.receive_message(
                    QueueUrl=self.url,
                    MaxNumberOfMessages=MAX_MESSAGES,
                    VisibilityTimeout=VISIBILITY_TIMEOUT,
                    WaitTimeSeconds=1,  # 0 would ask a few of its servers only
                )
            messages = answer.get("Messages", [])
            if not messages:
                return
            for message in messages:
                document = _document(message["Body"])
                yield Message(message["MessageId"], message["ReceiptHandle"], document)

    def delete(self, receipt: str) -> None:
        """Delete a message. Raises QuarantineError if that fails."""
        with self._told():
            self._client.delete_message(QueueUrl=self.url, ReceiptHandle=receipt)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, ValueError) as error:
            raise QuarantineError(f"the queue {self.url!r}: {explain(error, 'sqs')}") from error


def _document(body: str) -> FailedBatch | None:
    for text in (body, _unwrapped(body)):
        try:
            document = on_failure.decode(text)
            document.entries()  # raises at a payload that is something else
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        return document
    return None


def _unwrapped(body: str) -> str:
    try:
        return msgspec.json.decode(body, type=_Notification).message
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""
