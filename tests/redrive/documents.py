"""Documents of Lambda's on-failure destination, as AWS documents them.

Source: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

import json
from collections.abc import Sequence
from typing import Any

from kinesis_handler.lambda_types import LambdaRecord

KEY = (
    "aws/lambda/6be74d0d-aa8e-4d4e-9d7c-32f6b6a9d0b5/shardId-000000000000/2026/11/22/"
    "2026-11-22T10.00.00-2bbd5a0f-1c47-4b4a-9c5a-6d3d9a6ef8a1"
)
"""Of an object in the bucket: the event source mapping, the shard, the day, the moment, and chance."""


def document(records: Sequence[LambdaRecord], **more: Any) -> dict[str, Any]:
    """Return what a queue or a topic is told about a batch. A bucket gets `payload` with it."""
    first, last = records[0], records[-1]
    return {
        "requestContext": {
            "requestId": "c9b8fa9f-5a7f-4c1a-af9c-0c604cde93a5",
            "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:limits",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-11-22T10:00:00.021Z",
        "KinesisBatchInfo": {
            "shardId": first["eventID"].partition(":")[0],
            "startSequenceNumber": first["kinesis"]["sequenceNumber"],
            "endSequenceNumber": last["kinesis"]["sequenceNumber"],
            "approximateArrivalOfFirstRecord": "2026-11-22T09:59:04.835Z",
            "approximateArrivalOfLastRecord": "2026-11-22T09:59:05.580Z",
            "batchSize": len(records),
            "streamArn": first["eventSourceARN"],
        },
        **more,
    }


def payload(records: Sequence[LambdaRecord]) -> str:
    return json.dumps({"Records": records})


def whole(records: Sequence[LambdaRecord]) -> bytes:
    """Return what a bucket gets."""
    return json.dumps(document(records, payload=payload(records))).encode()


def metadata(records: Sequence[LambdaRecord]) -> str:
    """Return what a queue gets."""
    return json.dumps(document(records))
