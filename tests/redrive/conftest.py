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
from redrive.waiting import MemoryQuarantine

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

REGION = "eu-west-1"


@pytest.fixture(scope="package")
def aws(aws_settings: None) -> Iterator[str]:  # noqa: ARG001 - it must come first
    """Serve buckets and queues."""
    from moto.server import ThreadedMotoServer  # flask takes a while

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="package")
def s3_client(aws: str) -> Iterator["S3Client"]:
    session = botocore.session.get_session()
    with closing(session.create_client("s3", region_name="us-east-1", endpoint_url=aws)) as client:
        yield cast("S3Client", client)


@pytest.fixture
def bucket(aws: str, s3_client: "S3Client", monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
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
def sqs_client(aws: str) -> Iterator["SQSClient"]:
    session = botocore.session.get_session()
    with closing(session.create_client("sqs", region_name=REGION, endpoint_url=aws)) as client:
        yield cast("SQSClient", client)


@pytest.fixture
def queue_url(aws: str, sqs_client: "SQSClient", monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", aws)
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
