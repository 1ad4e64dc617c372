"""Informs support of each lost parcel: a processor without state, in front of a FIFO queue."""

import os

from botocore.session import get_session
from msgspec.json import encode

from kinesis_handler import Event, KinesisHandler, event_processor
from parcels import Scanned

sqs = get_session().create_client("sqs")


@event_processor({"PARCEL_LOST": Scanned})
def notify_support(event: Event[Scanned]) -> None:
    sqs.send_message(
        QueueUrl=os.environ["LOST_PARCELS_QUEUE_URL"],
        MessageBody=encode(event.payload).decode(),
        MessageGroupId=event.payload.parcel,
        MessageDeduplicationId=event.id,  # Lambda may deliver it again
    )


handler = KinesisHandler([notify_support])  # this is a Lambda function
