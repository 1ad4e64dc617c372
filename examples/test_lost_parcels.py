"""The processor in front of a queue: by itself, and beside all else in one handler."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kinesis_handler.outcome import Status
from kinesis_handler.testing import invocation

EVENTS = json.loads(Path(__file__).with_name("parcels.json").read_text())
LIMIT = {
    "eventId": "limit-1",
    "type": "USER_LIMIT_CREATED",
    "createdAt": 1794988800000,
    "payload": {"userId": "ada", "userLimitId": "daily", "value": "200.00"},
}

Messages = Callable[[], list[str]]


@pytest.fixture
def messages(make_queue: Callable[[str], Messages]) -> Messages:
    """Make a queue for lost parcels; return what tells which messages are in it."""
    return make_queue("LOST_PARCELS_QUEUE_URL")


def test_a_lost_parcel_is_reported_once_even_if_its_event_is_delivered_again(messages: Messages) -> None:
    from lost_parcels import handler

    for _ in range(2):
        assert handler(invocation(EVENTS)) == {"batchItemFailures": []}
    [message] = messages()
    assert json.loads(message) == {"shop": "books", "parcel": "parcel-2", "depot": "Lyon"}


def test_what_the_queue_does_not_take_is_delivered_again(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lost_parcels import handler

    gone = os.environ["LOST_PARCELS_QUEUE_URL"].replace("queue-", "gone-")
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
