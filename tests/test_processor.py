"""Processors made of a function: one event at a time, without state. And what none may be."""

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from msgspec import Struct

from kinesis_handler import (
    BusinessError,
    ConfigurationError,
    Event,
    KinesisHandler,
    Projection,
    RejectedError,
    event_processor,
)
from kinesis_handler.errors import HeldBackError, InvalidResultError
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation


class Sent(Struct):
    to: str
    text: str


def sent(to: str, text: str) -> dict[str, object]:
    return {"eventId": f"{to}-{text}", "type": "SENT", "createdAt": 0, "payload": {"to": to, "text": text}}


def delivery(texts: list[str]) -> Callable[[Event[Sent]], None]:
    """Return a function that keeps each text, and fails at a `!`."""

    def deliver(event: Event[Sent]) -> None:
        if event.payload.text == "!":
            raise BusinessError("mailbox full")
        texts.append(event.payload.text)

    return deliver


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
    deliver = event_processor({"SENT": Sent})(delivery(texts))
    events = [sent("a", "1"), sent("a", "!"), sent("b", "2")]
    response = KinesisHandler([deliver])(invocation(events))
    assert texts == ["1"]
    assert len(response["batchItemFailures"]) == 2


def test_events_of_records_without_a_partition_key_do_not_wait_for_each_other() -> None:
    texts: list[str] = []
    deliver = event_processor({"SENT": Sent})(delivery(texts))
    batch = invocation([sent("a", "!"), sent("a", "2"), sent("b", "3")], partition_key=None)
    response = KinesisHandler([deliver])(batch)
    assert texts == ["2", "3"]
    [failure] = response["batchItemFailures"]
    assert failure["itemIdentifier"] == batch["Records"][0]["kinesis"]["sequenceNumber"]


def test_what_is_kept_in_order_can_be_chosen() -> None:
    texts: list[str] = []
    deliver = event_processor({"SENT": Sent}, key=lambda event: event.payload.to)(delivery(texts))
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


async def coroutine(_: Any) -> None: ...


def generator(_: Any) -> Iterator[None]:
    yield


async def async_generator(_: Any) -> AsyncIterator[None]:
    yield


class Awaited:
    async def __call__(self, _: Any) -> None: ...

    async def method(self, _: Any) -> None: ...


UNRUN = pytest.mark.parametrize(
    ("function", "kind"),
    [
        (coroutine, "a coroutine function"),
        (generator, "a generator function"),
        (async_generator, "an async generator function"),
        (partial(coroutine), "a coroutine function"),
        (partial(partial(generator)), "a generator function"),
        (Awaited(), "a coroutine function"),
        (partial(Awaited()), "a coroutine function"),
        (Awaited().method, "a coroutine function"),
    ],
    ids=[
        "coroutine",
        "generator",
        "async generator",
        "partial",
        "partials",
        "object",
        "its partial",
        "method",
    ],
)


@UNRUN
def test_a_function_whose_call_does_nothing_is_refused_by_its_name(
    function: Callable[[Any], Any], kind: str
) -> None:
    if kind != "a coroutine function":  # which makes a processor of another kind
        with pytest.raises(ConfigurationError, match=f" is {kind}: to call it does nothing"):
            event_processor({"SENT": Sent})(function)
    with pytest.raises(ConfigurationError, match=f"the key of deliver is {kind}: to call it does nothing"):

        @event_processor({"SENT": Sent}, key=function)
        def deliver(event: Event[Sent]) -> None: ...


@UNRUN
def test_a_projection_with_a_function_whose_call_does_nothing_is_refused(
    function: Callable[[Any], Any], kind: str
) -> None:
    for name in ("key", "apply"):
        functions = {"key": lambda *_: ("a", "1"), "apply": lambda *_: 1} | {name: staticmethod(function)}
        broken = type("Broken", (Projection,), functions)
        with pytest.raises(
            ConfigurationError, match=f"`{name}` of Broken is {kind}: to call it does nothing"
        ):
            broken(MemoryRepository())


def test_a_processor_whose_process_does_nothing_when_it_is_called_is_refused() -> None:
    class Async:
        event_types = {"SENT": Sent}

        async def process(self, events: Any) -> None: ...

    handler, broken = KinesisHandler(), Async()
    for process in (broken.process, generator, async_generator):
        broken.process = process  # type: ignore[method-assign, assignment]
        with pytest.raises(
            ConfigurationError, match=r"`process` of Async is an? (async|coroutine|generator)"
        ):
            handler.register(broken)  # type: ignore[arg-type]
    assert [each.outcome.status.value for each in handler.handle(invocation([sent("a", "1")]))] == ["ignored"]


@pytest.mark.parametrize("function", [coroutine, generator, async_generator])
def test_where_a_function_returns_what_has_not_run_its_event_fails_and_the_later_ones_wait(
    function: Callable[[Any], Any],
) -> None:
    def deliver(event: Event[Sent]) -> object:
        return function(event)

    handler = KinesisHandler([event_processor({"SENT": Sent})(deliver)])
    result = handler.handle(invocation([sent("a", "1"), sent("a", "2")]))
    gc.collect()  # a coroutine that nobody has closed would warn, and warnings are errors
    assert [each.outcome.status.value for each in result] == ["failed", "failed"]
    first, later = [each.outcome.error for each in result]
    assert isinstance(first, InvalidResultError)
    assert "nothing has been done" in str(first)
    assert isinstance(later, HeldBackError)


def test_where_a_key_has_not_run_or_has_no_hash_its_event_fails() -> None:
    keys: dict[str, Callable[[Any], Any]] = {"a": coroutine, "b": lambda _: [], "c": lambda _: "c"}

    @event_processor({"SENT": Sent}, key=lambda event: keys[event.payload.to](event))
    def deliver(event: Event[Sent]) -> None: ...

    events = [sent("a", "1"), sent("b", "2"), sent("c", "3")]
    result = KinesisHandler([deliver]).handle(invocation(events))
    gc.collect()
    assert [each.outcome.status.value for each in result] == ["failed", "failed", "applied"]


def test_what_a_function_returns_otherwise_does_not_matter() -> None:
    def text(event: Event[Sent]) -> str:
        return event.payload.text

    deliver = event_processor({"SENT": Sent})(text)
    [handled] = KinesisHandler([deliver]).handle(invocation([sent("a", "1")]))
    assert handled.outcome.status.value == "applied"
