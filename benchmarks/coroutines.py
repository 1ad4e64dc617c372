"""Compares ways to wait: 1,000 events of 200 keys, each of which waits 20 ms, as for an answer over HTTP.

`python -m benchmarks.coroutines` prints the seconds of a batch, and how many events a later one of their key
has overtaken.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    AsyncBatchProcessor,
    EventType,
    async_process_partial_response,
)
from msgspec import Struct
from msgspec.json import decode

from kinesis_handler import Event, KinesisHandler, event_processor
from kinesis_handler.testing import invocation

EVENTS, KEYS, WAIT = 1_000, 200, 0.020


class Sent(Struct):
    to: str
    number: int


class Receiver:
    """Waits for each event as long as for an answer: 20 ms on the average."""

    def __init__(self) -> None:
        self._random, self._last = Random(1), dict[str, int]()
        self.overtaken = 0

    def wait(self) -> float:
        return self._random.uniform(0.5, 1.5) * WAIT

    def take(self, sent: Sent) -> None:
        last = self._last.get(sent.to, -1)
        self.overtaken += sent.number < last
        self._last[sent.to] = max(sent.number, last)

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


def measure(name: str, handle: Callable[[Any], Any], receiver: Receiver) -> None:
    batch = invocation(
        {"eventId": f"{n}", "type": "SENT", "createdAt": 0, "payload": {"to": f"{n % KEYS}", "number": n}}
        for n in range(EVENTS)
    )
    began = time.perf_counter()
    response = handle(batch)
    seconds = time.perf_counter() - began
    if response != {"batchItemFailures": []}:
        raise SystemExit(f"{name}: {response}")
    print(f"{name:24} {seconds:6.2f} s   {receiver.overtaken:4} overtaken")


if __name__ == "__main__":
    options: Any = {"event_types": {"SENT": Sent}, "key": lambda event: event.payload.to}
    measure(
        "one after the other", KinesisHandler([event_processor(**options)((r := Receiver()).one_by_one)]), r
    )
    for n in (16, 64, KEYS):
        processor = event_processor(**options, concurrency=n)((r := Receiver()).at_once)
        measure(f"{n} at once", KinesisHandler([processor]), r)
    peer = AsyncBatchProcessor(event_type=EventType.KinesisDataStreams)
    measure(
        "Powertools, all at once",
        lambda batch: async_process_partial_response(batch, r.of_powertools, peer, None),
        (r := Receiver()),
    )
