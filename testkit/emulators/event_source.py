"""Lambda's event source mapping on this machine, configured by CloudFormation properties.

It consists of our own `EventSourceMapping` and `StreamConsumer`, driven by the properties of an
`AWS::Lambda::EventSourceMapping`. Properties that these do not support are refused, not ignored.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.consumer import StreamConsumer
from kinesis_handler.local.stream.outages import Wait
from kinesis_handler.local.stream.reader import StreamReader
from kinesis_handler.local.stream.shard_consumer import Reading
from kinesis_handler.local.stream.stop import Stop
from kinesis_handler.quarantine.on_failure import failed_batch
from kinesis_handler.stores import Repository
from testkit.emulators.lambda_runtime import LambdaRuntime

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_s3 import S3Client

PREFIX = "aws/lambda"
"""Prefix of the objects that Lambda writes into a bucket."""

_WITHOUT_EFFECT = {"FunctionName", "MetricsConfig", "Tags"}
_BUCKET = "arn:aws:s3:::"


class DeployedMapping:
    """An event source mapping between a stream and a function.

    Args:
        properties: its properties in CloudFormation, with everything resolved.
        function: the function.
        kinesis: the client that reads the stream.
        s3: the client that writes records that were given up.
        checkpoints: the repository of its checkpoints.
        retry_wait: seconds before the first retry. Lambda's value is not documented.
        clock: seconds since epoch.

    Raises ValueError for an unknown property. As on AWS, stream and bucket must exist.
    """

    def __init__(  # noqa: PLR0913 - one for each dependency
        self,
        properties: Mapping[str, Any],
        function: LambdaRuntime,
        *,
        kinesis: "KinesisClient",
        s3: "S3Client",
        checkpoints: Repository[Checkpoint],
        retry_wait: float = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        left = {name: value for name, value in properties.items() if name not in _WITHOUT_EFFECT}
        if not left.pop("Enabled", True):
            raise ValueError("the event source mapping is not enabled")
        self._clock = clock
        self._function = function
        self._checkpoints = checkpoints
        self._s3 = s3
        self._id = uuid4()
        arn = left.pop("EventSourceArn")
        # Lambda checks both when the mapping is created; later reads are the reader's responsibility.
        kinesis.describe_stream(StreamARN=arn)
        self._reader = StreamReader(kinesis, arn)
        self._bucket = left.pop("DestinationConfig")["OnFailure"]["Destination"].removeprefix(_BUCKET)
        s3.head_bucket(Bucket=self._bucket)
        latest = left.pop("StartingPosition") == "LATEST"
        self._begin = Checkpoint(since=self._reader.opened_at) if latest else Checkpoint()
        self._options: dict[str, Any] = {
            "retry_wait": retry_wait,
            "batch_size": left.pop("BatchSize"),
            "maximum_batching_window": left.pop("MaximumBatchingWindowInSeconds", 0),
            "parallelization_factor": left.pop("ParallelizationFactor", 1),
            "maximum_retry_attempts": left.pop("MaximumRetryAttempts", -1),
            "maximum_record_age": left.pop("MaximumRecordAgeInSeconds", -1),
            "bisect_batch_on_function_error": left.pop("BisectBatchOnFunctionError", False),
            "report_batch_item_failures": "ReportBatchItemFailures" in left.pop("FunctionResponseTypes", ()),
        }
        if left:
            raise ValueError(f"there is no {', '.join(sorted(left))} here")

    def consumer(self, *, stop: Stop, until_caught_up: bool = False) -> StreamConsumer:
        """Return a consumer that reads the stream from its checkpoints."""
        return StreamConsumer(
            Reading(
                stream=self._reader,
                checkpoints=Checkpoints(self._checkpoints, self._reader.identity),
                make_mapping=self._mapping,
                begin=self._begin,
                until_caught_up=until_caught_up,
                stop=stop,
                clock=self._clock,
            )
        )

    def _mapping(self, _shard_id: str, wait: Wait) -> EventSourceMapping:
        return EventSourceMapping(
            self._function, on_failure=self._store, sleep=wait, clock=self._clock, **self._options
        )

    def _store(self, discarded: DiscardedBatch) -> None:
        """Store what was given up, as Lambda does in a bucket."""
        document = msgspec.to_builtins(failed_batch(discarded, self._clock()))
        document["requestContext"] |= {
            "requestId": str(uuid4()),
            "functionArn": self._function.configuration.arn,
        }
        if discarded.invocations:
            document["responseContext"] = {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            }
        now = datetime.fromtimestamp(self._clock(), UTC)
        shard_id = document["KinesisBatchInfo"]["shardId"]
        key = f"{PREFIX}/{self._id}/{shard_id}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid4()}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=msgspec.json.encode(document))
