"""A function's event source mapping does what its properties in CloudFormation say."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import botocore.session
import pytest
from botocore.exceptions import ClientError

from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.stop import Stop
from kinesis_handler.quarantine import on_failure
from kinesis_handler.stores.memory import MemoryRepository
from stream.real_stream import Stream
from testkit.emulators.event_source import DeployedMapping
from testkit.emulators.lambda_runtime import Configuration, LambdaRuntime

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

REGION = "us-east-1"
FUNCTION = """
def handler(event, context):
    numbers = [each["kinesis"]["sequenceNumber"] for each in event["Records"]]
    print("delivered", len(numbers))
    if any("YmFk" == each["kinesis"]["data"] for each in event["Records"]):
        raise ValueError("bad")
"""


@pytest.fixture
def s3(moto_endpoint: str) -> "S3Client":
    session = botocore.session.get_session()
    return cast("S3Client", session.create_client("s3", region_name=REGION, endpoint_url=moto_endpoint))


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    """Make a bucket for one test: streams made in the same second have the same sequence numbers."""
    name = f"bucket-{uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def stream(kinesis_endpoint: str) -> Stream:
    return Stream(kinesis_client(REGION, kinesis_endpoint))


class Deployed:
    """A function and its mapping, read until all is delivered."""

    def __init__(self, stream: Stream, s3: "S3Client", bucket: str, folder: Path) -> None:
        (folder / "functions.py").write_text(FUNCTION)
        self._function = Configuration(artifact=folder, handler="functions.handler", region=REGION)
        self._stream = stream
        self._s3 = s3
        self._bucket = bucket
        self.properties: dict[str, Any] = {
            "FunctionName": "function",
            "Enabled": True,
            "EventSourceArn": stream.arn,
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 100,
            "DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
        }

    def run(self, clock: Callable[[], float] = time.time, **properties: Any) -> list[int]:
        """Return the sizes of the batches that were delivered."""
        with LambdaRuntime(self._function) as function:
            mapping = DeployedMapping(
                {**self.properties, **properties},
                function,
                kinesis=self._stream.client,
                s3=self._s3,
                checkpoints=MemoryRepository(),
                retry_wait=0,
                clock=clock,
            )
            mapping.consumer(stop=Stop(), until_caught_up=True).run()
        return [int(line.split()[1]) for line in function.log if line.startswith("delivered")]

    def kept(self) -> dict[str, bytes]:
        """Return the content of each object in the bucket, by its name."""
        listed = self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", [])
        names = [each["Key"] for each in listed]
        return {each: self._s3.get_object(Bucket=self._bucket, Key=each)["Body"].read() for each in names}


@pytest.fixture
def deployed(stream: Stream, s3: "S3Client", bucket: str, tmp_path: Path) -> Deployed:
    return Deployed(stream, s3, bucket, tmp_path)


def test_batch_size_retries_and_bisect_are_those_of_the_properties(
    stream: Stream, deployed: Deployed
) -> None:
    stream.put(b"1", b"bad", b"3", b"4")
    assert deployed.run(BatchSize=2, MaximumRetryAttempts=1) == [2, 2, 2]
    assert deployed.run(MaximumRetryAttempts=1, BisectBatchOnFunctionError=True) == [4, 2, 1, 1, 1, 2]
    assert len(deployed.kept()) == 2


def test_what_is_given_up_lies_in_the_bucket_as_lambda_puts_it(stream: Stream, deployed: Deployed) -> None:
    numbers = stream.put(b"1", b"bad")
    deployed.run(MaximumRetryAttempts=0)
    [(name, content)] = deployed.kept().items()
    day, moment = "[0-9]{4}/[0-9]{2}/[0-9]{2}", r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}\.[0-9]{2}\.[0-9]{2}"
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(f"aws/lambda/{uuid}/shardId-000000000000/{day}/{moment}-{uuid}", name)
    document = json.loads(content)
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 1
    assert document["requestContext"]["functionArn"].endswith(":function:function")
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert [each.sequence_number for each in on_failure.decode(content).entries()] == numbers


def test_what_is_too_old_is_given_up_whole_and_never_delivered(stream: Stream, deployed: Deployed) -> None:
    numbers = stream.put(b"1", b"2")
    assert deployed.run(clock=lambda: time.time() + 3_600, MaximumRecordAgeInSeconds=60) == []
    [content] = deployed.kept().values()
    document = json.loads(content)
    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert document["responseContext"] is None
    assert [each.sequence_number for each in on_failure.decode(content).entries()] == numbers


def test_latest_begins_at_what_comes_from_then_on(stream: Stream, deployed: Deployed) -> None:
    stream.put(b"1", b"2")
    time_there = time.time() + 1
    while time.time() < time_there:  # the stream's own clock tells when it was first seen, in whole seconds
        time.sleep(0.05)
    assert deployed.run(StartingPosition="LATEST") == []


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"FilterCriteria": {"Filters": []}}, "there is no FilterCriteria here"),
        ({"TumblingWindowInSeconds": 30}, "there is no TumblingWindowInSeconds here"),
        ({"Enabled": False}, "the event source mapping is not enabled"),
    ],
)
def test_what_it_cannot_do_is_refused(deployed: Deployed, properties: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        deployed.run(**properties)


@pytest.mark.parametrize(
    "properties",
    [
        {"EventSourceArn": "arn:aws:kinesis:us-east-1:000000000000:stream/none"},
        {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::there-is-none"}}},
    ],
)
def test_stream_and_bucket_must_be_there(deployed: Deployed, properties: dict[str, Any]) -> None:
    with pytest.raises(ClientError):
        deployed.run(**properties)
