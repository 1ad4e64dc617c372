"""Processors made of a function: one event at a time, without state."""

import pytest
from msgspec import Struct

from kinesis_handler import BusinessError, Event, KinesisHandler, RejectedError, event_processor
from kinesis_handler.testing import invocation


class Sent(Struct):
    to: str
    text: str


def sent(to: str, text: str) -> dict[str, object]:
    return {"eventId": f"{to}-{text}", "type": "SENT", "createdAt": 0, "payload": {"to": to, "text": text}}


def test_a_function_is_called_for_each_event_in_order() -> None:
    texts: list[str] = []

    @event_processor({"SENT": Sent})
    def deliver(event: Event[Sent]) -> None:
        texts.append(event.payload.text)

    KinesisHandler([deliver])(invocation([sent("a", "1"), sent("b", "2"), sent("a", "3")]))
    assert texts == ["1", "2", "3"]


def test_a_decorated_function_is_still_called_as_it_was() -> None:
    @event_processor({"SENT": Sent})
    def deliver(event: Event[Sent]) -> None:
        raise RejectedError(event.payload.text)

    result = KinesisHandler([deliver]).handle(invocation([sent("a", "1")]))
    [handled] = result
    assert handled.event is not None
    with pytest.raises(RejectedError, match="1"):
        deliver(handled.event)


def test_after_a_failure_later_events_of_the_partition_key_are_held_back() -> None:
    texts: list[str] = []

    @event_processor({"SENT": Sent})
    def deliver(event: Event[Sent]) -> None:
        if event.payload.text == "!":
            raise BusinessError("mailbox full")
        texts.append(event.payload.text)

    events = [sent("a", "1"), sent("a", "!"), sent("b", "2")]
    response = KinesisHandler([deliver])(invocation(events))
    assert texts == ["1"]
    assert len(response["batchItemFailures"]) == 2


def test_events_of_records_without_a_partition_key_do_not_wait_for_each_other() -> None:
    texts: list[str] = []

    @event_processor({"SENT": Sent})
    def deliver(event: Event[Sent]) -> None:
        if event.payload.text == "!":
            raise BusinessError("mailbox full")
        texts.append(event.payload.text)

    batch = invocation([sent("a", "!"), sent("a", "2"), sent("b", "3")], partition_key=None)
    response = KinesisHandler([deliver])(batch)
    assert texts == ["2", "3"]
    [failure] = response["batchItemFailures"]
    assert failure["itemIdentifier"] == batch["Records"][0]["kinesis"]["sequenceNumber"]


def test_what_is_kept_in_order_can_be_chosen() -> None:
    texts: list[str] = []

    @event_processor({"SENT": Sent}, key=lambda event: event.payload.to)
    def deliver(event: Event[Sent]) -> None:
        if event.payload.text == "!":
            raise BusinessError("mailbox full")
        texts.append(event.payload.text)

    KinesisHandler([deliver])(invocation([sent("a", "!"), sent("a", "1"), sent("b", "2")]))
    assert texts == ["2"]


def test_a_rejected_event_holds_nothing_back() -> None:
    texts: list[str] = []

    @event_processor({"SENT": Sent})
    def deliver(event: Event[Sent]) -> None:
        if event.payload.text == "#":
            raise RejectedError("no such mailbox")
        texts.append(event.payload.text)

    response = KinesisHandler([deliver])(invocation([sent("a", "#"), sent("a", "1")]))
    assert (texts, response) == (["1"], {"batchItemFailures": []})


def test_a_key_that_raises_fails_its_event() -> None:
    @event_processor({"SENT": Sent}, key=lambda event: {"a": 1}[event.payload.to])
    def deliver(event: Event[Sent]) -> None: ...

    result = KinesisHandler([deliver]).handle(invocation([sent("a", "1"), sent("b", "2")]))
    assert [handled.outcome.status.value for handled in result] == ["applied", "failed"]
