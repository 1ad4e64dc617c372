"""A stream on which events keep coming, and what one clean pass over them leads to."""

import time
from threading import Event, Thread
from typing import Any, Self
from uuid import uuid4

from msgspec.json import encode

from kinesis_handler import Aggregate, Key, KinesisHandler
from kinesis_handler.local.stream.client import kinesis_client
from kinesis_handler.local.stream.writer import StreamWriter, create_stream
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import invocation
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

USERS = 20
PAUSE = 0.25


class Flow:
    """Puts a few events onto a stream every moment, until it is stopped."""

    def __init__(self) -> None:
        self.stream = f"limits-{uuid4()}"
        self.events: list[dict[str, Any]] = []
        self._client = kinesis_client()
        create_stream(self._client, self.stream, 1)
        self._writer = StreamWriter(self._client, self.stream, time.sleep)
        self._stop = Event()
        self._thread = Thread(target=self._run)
        self.put(USERS)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Put nothing more."""
        self._stop.set()
        self._thread.join()

    def put(self, count: int) -> None:
        """Put some events: at first a limit for each user, then changes of them."""
        new = [_event(len(self.events) + number) for number in range(count)]
        assert not self._writer.put([(each["payload"]["userId"], encode(each)) for each in new])
        self.events += new

    def expected(self) -> dict[Key, Aggregate[Limit]]:
        """Return what one clean pass leads to."""
        repository: MemoryRepository[Limit] = MemoryRepository()
        KinesisHandler([UserLimitEventProcessor(repository)])(invocation(self.events))
        return stored(repository)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            self.put(4)


def stored(repository: Repository[Limit]) -> dict[Key, Aggregate[Limit]]:
    """Return everything, without its places on the stream: they are those of the stream that it came from."""
    return {each.key: _without_place(each) for each in repository.scan()}


def _without_place(aggregate: Aggregate[Limit]) -> Any:
    return aggregate.state, aggregate.version, aggregate.recent_event_ids, aggregate.sequence_number


def _event(number: int) -> dict[str, Any]:
    user = f"user-{number % USERS}"
    body: dict[str, Any] = {"userId": user, "userLimitId": "deposit"}
    if number < USERS:
        kind, body = "USER_LIMIT_CREATED", {**body, "value": "1000000.00", "currencyCode": "EUR"}
    else:
        kind, body = "USER_LIMIT_PROGRESS_CHANGED", {**body, "amount": "1.10", "currencyCode": "EUR"}
    return {
        "eventId": f"event-{number}",
        "type": kind,
        "createdAt": 1_700_000_000_000 + number,
        "payload": body,
        "aggregateId": user,
        "sequenceNumber": number,
    }
