"""Ways to wait: events of some keys, each of which waits 20 ms on average, as for an answer over HTTP."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    AsyncBatchProcessor,
    EventType,
    async_process_partial_response,
)
from msgspec import Struct
from msgspec.json import decode

from benchmarks.records import handle_all
from benchmarks.results import Figures
from benchmarks.rounds import one_by_one
from kinesis_handler import Event, KinesisHandler, event_processor
from kinesis_handler.testing import invocation

EVENTS, KEYS, WAIT = 1_000, 200, 0.020
AT_ONCE = (16, 64, KEYS)

Function = Callable[[Any, Any], Any]
"""A Lambda function."""


class Sent(Struct):
    to: str
    number: int


class Receiver:
    """Waits for each event as long as for an answer, and counts those that a later one has overtaken."""

    def __init__(self) -> None:
        self._random, self._last, self.overtaken = Random(1), Counter[str](), 0

    def wait(self) -> float:
        return self._random.uniform(0.5, 1.5) * WAIT

    def take(self, sent: Sent) -> None:
        self.overtaken += sent.number < self._last[sent.to]
        self._last[sent.to] = max(sent.number, self._last[sent.to])

    def one_by_one(self, event: Event[Sent]) -> None:
        time.sleep(self.wait())
        self.take(event.payload)

    async def at_once(self, event: Event[Sent]) -> None:
        await asyncio.sleep(self.wait())
        self.take(event.payload)

    async def of_powertools(self, record: Any) -> None:
        sent = Sent(**decode(record.kinesis.data_as_text())["payload"])
        await asyncio.sleep(self.wait())
        self.take(sent)


def ours(receiver: Receiver, at_once: int | None = None) -> Function:
    options: Any = {"event_types": {"SENT": Sent}, "key": lambda event: event.payload.to}
    if at_once is None:
        return KinesisHandler([event_processor(**options)(receiver.one_by_one)])
    return KinesisHandler([event_processor(**options, concurrency=at_once)(receiver.at_once)])


def powertools(receiver: Receiver) -> Function:
    processor = AsyncBatchProcessor(event_type=EventType.KinesisDataStreams)
    return lambda batch, _: async_process_partial_response(batch, receiver.of_powertools, processor, None)


def measure(*, full: bool) -> Figures:  # noqa: ARG001 - there is one length
    """Return the seconds of a batch, and the overtaken events, of each way."""
    ways: dict[str, Callable[[Receiver], Function]] = {
        "one by one": ours,
        **{str(number): partial(ours, at_once=number) for number in AT_ONCE},
        "powertools": powertools,
    }
    return {"events": EVENTS, "keys": KEYS, "ways": one_by_one(ways, run)}


def run(way: Callable[[Receiver], Function]) -> Figures:
    receiver = Receiver()
    function = way(receiver)
    batch = invocation(
        {"eventId": f"{n}", "type": "SENT", "createdAt": 0, "payload": {"to": f"{n % KEYS}", "number": n}}
        for n in range(EVENTS)
    )
    begun = time.perf_counter()
    handle_all(function, [batch])
    return {"seconds": time.perf_counter() - begun, "overtaken": receiver.overtaken}
