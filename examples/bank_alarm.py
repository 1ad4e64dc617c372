"""Informs the owner of an account that it is overdrawn, through a FIFO queue: each time once."""

import os

from botocore.session import get_session
from msgspec.json import encode

sqs = get_session().create_client("sqs")


def notify_owner(account: str, cents: int, *, idempotency_key: str) -> None:
    """Send a message. `on_change` is called at least once: the queue knows what it has seen by the key."""
    sqs.send_message(
        QueueUrl=os.environ["OVERDRAWN_QUEUE_URL"],
        MessageBody=encode({"account": account, "cents": cents}).decode(),
        MessageGroupId=account,
        MessageDeduplicationId=idempotency_key,
    )
