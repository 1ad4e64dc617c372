"""The processor in front of a queue: by itself, and beside all else in one handler."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import pytest
from botocore.session import get_session
from moto.server import ThreadedMotoServer

from kinesis_handler.outcome import Status
from kinesis_handler.testing import invocation

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

EVENTS = json.loads(Path(__file__).with_name("parcels.json").read_text())
LIMIT = {
    "eventId": "limit-1",
    "type": "USER_LIMIT_CREATED",
    "createdAt": 1794988800000,
    "payload": {"userId": "ada", "userLimitId": "daily", "value": "200.00"},
}

Messages = Callable[[], list[str]]


@pytest.fixture(scope="session")
def sqs() -> Iterator["SQSClient"]:
    """Serve queues, where the SDK looks for them."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_SQS", f"http://{host}:{port}")
        with closing(cast("SQSClient", get_session().create_client("sqs"))) as client:
            yield client
    server.stop()


@pytest.fixture
def messages(sqs: "SQSClient", monkeypatch: pytest.MonkeyPatch) -> Messages:
    """Make a queue for lost parcels; return what tells which messages are in it."""
    attributes = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName=f"lost-{uuid4()}.fifo", Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
    monkeypatch.setenv("LOST_PARCELS_QUEUE_URL", url)

    def received() -> list[str]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [message["Body"] for message in answer.get("Messages", [])]

    return received


def test_a_lost_parcel_is_told_once_even_if_its_event_is_delivered_again(messages: Messages) -> None:
    from lost_parcels import handler

    for _ in range(2):
        assert handler(invocation(EVENTS)) == {"batchItemFailures": []}
    [message] = messages()
    assert json.loads(message) == {"shop": "books", "parcel": "parcel-2", "depot": "Lyon"}


def test_what_the_queue_does_not_take_is_delivered_again(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lost_parcels import handler

    gone = os.environ["LOST_PARCELS_QUEUE_URL"].replace("lost-", "gone-")
    monkeypatch.setenv("LOST_PARCELS_QUEUE_URL", gone)
    lost = [event for event in EVENTS if event["type"] == "PARCEL_LOST"]
    arrived = invocation(lost)
    [failure] = handler(arrived)["batchItemFailures"]
    assert failure["itemIdentifier"] == arrived["Records"][0]["kinesis"]["sequenceNumber"]
    assert messages() == []


@pytest.mark.parametrize("kind", ["inmemory:", "sqlite:///{folder}/all.db", "dynamodb://Together"])
def test_limits_parcels_and_the_queue_live_side_by_side(
    kind: str, tmp_path: Path, messages: Messages
) -> None:
    from together import application

    both = application(kind.format(folder=tmp_path))
    assert both.store
    both.store.provision()
    counts = both.handler.handle(invocation([LIMIT, *EVENTS])).counts()
    assert (counts[Status.APPLIED], counts[Status.FAILED]) == (10, 0)
    limits, parcels = ([aggregate.key for aggregate in view.repository.scan()] for view in both.views)
    assert limits == [("ada", "daily")]
    assert sorted(parcels) == [("books", "parcel-1"), ("books", "parcel-2"), ("shoes", "parcel-3")]
    assert len(messages()) == 1
