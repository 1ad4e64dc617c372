"""Queues on this machine, where the SDK looks for them."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import pytest
from botocore.session import get_session

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

Messages = Callable[[], list[str]]


@pytest.fixture(scope="session")
def sqs() -> Iterator["SQSClient"]:
    """Serve queues."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_SQS", f"http://{host}:{port}")
        with closing(cast("SQSClient", get_session().create_client("sqs"))) as client:
            yield client
    server.stop()


@pytest.fixture
def make_queue(sqs: "SQSClient", monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Messages]:
    """Return what makes a queue, names it in the environment, and returns what tells its messages."""

    def make(setting: str) -> Messages:
        attributes = {"FifoQueue": "true"}
        url = sqs.create_queue(QueueName=f"queue-{uuid4()}.fifo", Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
        monkeypatch.setenv(setting, url)

        def received() -> list[str]:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
            return [message.get("Body", "") for message in answer.get("Messages", [])]

        return received

    return make
