"""Buckets, queues and streams, each test with its own."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import botocore.session
import pytest

from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.quarantine import ReadableQuarantine
from kinesis_handler.quarantine.directory import DirectoryQuarantine
from kinesis_handler.quarantine.s3 import S3Quarantine
from redrive.stream import Stream
from testkit.quarantine import MemoryQuarantine

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

REGION = "eu-west-1"


@pytest.fixture(scope="package")
def s3_client(moto_endpoint: str) -> Iterator["S3Client"]:
    session = botocore.session.get_session()
    with closing(session.create_client("s3", region_name="us-east-1", endpoint_url=moto_endpoint)) as client:
        yield cast("S3Client", client)


@pytest.fixture
def bucket(moto_endpoint: str, s3_client: "S3Client", monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_endpoint)
    name = f"bucket-{uuid4()}"
    s3_client.create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.other_programs)])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> ReadableQuarantine:
    if request.param == "folder":
        return DirectoryQuarantine(tmp_path / "rejected")
    return S3Quarantine(request.getfixturevalue("bucket"), "rejected", "us-east-1")


@pytest.fixture
def quarantine() -> MemoryQuarantine:
    return MemoryQuarantine()


@pytest.fixture(scope="package")
def sqs_client(moto_endpoint: str) -> Iterator["SQSClient"]:
    session = botocore.session.get_session()
    with closing(session.create_client("sqs", region_name=REGION, endpoint_url=moto_endpoint)) as client:
        yield cast("SQSClient", client)


@pytest.fixture
def queue_url(moto_endpoint: str, sqs_client: "SQSClient", monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", moto_endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return sqs_client.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]


@pytest.fixture(scope="package")
def client(kinesis_endpoint: str) -> Iterator["KinesisClient"]:
    """Make a client of kinesis-local: it takes long to make one."""
    with closing(kinesis_client(REGION, kinesis_endpoint)) as made:
        yield made


@pytest.fixture
def stream(client: "KinesisClient") -> Stream:
    return Stream(client)
