"""A consumer within the process of the tests, and what it was seen to do."""

import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from kinesis_handler.lambda_types import LambdaContext
from kinesis_handler.local.event_source import DiscardedBatch, EventSourceMapping
from kinesis_handler.local.stream.checkpoint import Checkpoint, Checkpoints
from kinesis_handler.local.stream.consumer import StreamConsumer
from kinesis_handler.local.stream.reader import StreamReader
from kinesis_handler.local.stream.shard_consumer import Reading
from kinesis_handler.local.stream.stop import Stop
from kinesis_handler.stores import Repository
from kinesis_handler.stores.memory import MemoryRepository
from stream.real_stream import Stream

PATIENCE = 20
"""Seconds within which a thread must have ended."""

Function = Callable[[str, list[bytes]], object]
"""Takes a shard's id and the data of a batch; what it returns is Lambda's response."""


def nothing(_shard_id: str, _data: list[bytes]) -> None:
    """Take all there is."""


class Hasty(Stop):
    """Waits for a twentieth of a second at most, and remembers for how long it should have."""

    def __init__(self, look: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.waits: list[tuple[float, object]] = []
        """Of each wait its seconds, and what was seen as it began."""
        self.look = look

    def pause(self, seconds: float) -> None:
        if seconds:
            self.waits.append((seconds, self.look()))
        super().pause(min(seconds, 0.05))


class Consumption:
    """One process that reads a stream.

    Args:
        stream: what it reads.
        store: where its checkpoints are; several may have the same.
        function: what gets the batches.
        stop: what it waits with.
        options: of the mapping.
        consumer_options: of the consumer.
    """

    def __init__(  # noqa: PLR0913 - each has a default
        self,
        stream: Stream,
        store: Repository[Checkpoint] | None = None,
        function: Function = nothing,
        *,
        stop: Stop | None = None,
        begin: Checkpoint | None = None,
        until_caught_up: bool = True,
        claim_clock: Callable[[], float] = time.monotonic,
        reader: StreamReader | None = None,
        **options: Any,
    ) -> None:
        self.store: Repository[Checkpoint] = store if store is not None else MemoryRepository()
        self.seen: list[tuple[str, bytes]] = []
        """Of each record that was delivered its shard and its data."""
        self.settled: list[bytes] = []
        self.given_up: list[DiscardedBatch] = []
        self.stop = stop or Hasty()
        self._delivered: dict[str, list[bytes]] = {}
        self._lock = Lock()
        self._function = function
        self._options = {"batch_size": 2, "maximum_retry_attempts": 3, **options}
        reader = reader or stream.reader()
        self.stream_identity = reader.identity
        self.consumer = StreamConsumer(
            Reading(
                stream=reader,
                checkpoints=Checkpoints(self.store, reader.identity, claim_clock),
                make_mapping=self._mapping,
                begin=begin or Checkpoint(),
                until_caught_up=until_caught_up,
                stop=self.stop,
                on_batch=self._settle,
            )
        )

    def run(self) -> "Consumption":
        """Read, in this thread."""
        self.consumer.run()
        return self

    @contextmanager
    def running(self) -> Iterator[list[Exception]]:
        """Read, in a thread of its own, until the block ends; what is raised there is in the list."""
        raised: list[Exception] = []

        def work() -> None:
            try:
                self.consumer.run()
            except Exception as error:  # noqa: BLE001 - it is looked at by the test
                raised.append(error)

        thread = Thread(target=work, daemon=True)
        thread.start()
        try:
            yield raised
        finally:
            self.stop.set()
            thread.join(PATIENCE)
            assert not thread.is_alive()

    @property
    def data(self) -> list[bytes]:
        """What was delivered."""
        return [data for _, data in self.seen]

    @property
    def states(self) -> dict[str, str]:
        """What each shard's thread is doing, or has come to."""
        return {shard: str(each.state) for shard, each in self.consumer.progress.items()}

    @property
    def problems(self) -> dict[str, str]:
        """What each shard waits for, if it does."""
        return {shard: each.problem for shard, each in self.consumer.progress.items() if each.problem}

    def checkpoints(self) -> dict[str, Checkpoint]:
        """Return how far it has come, as the next process reads it; without the times."""
        found = Checkpoints(self.store, self.stream_identity).load()
        return {shard: replace(each, arrived_at=None, behind_ms=UNSET) for shard, each in found.items()}

    def _mapping(self, shard_id: str, sleep: Callable[[float], None]) -> EventSourceMapping:
        def function(invocation: dict[str, Any], _context: LambdaContext) -> object:
            data = [b64decode(each["kinesis"]["data"]) for each in invocation["Records"]]
            with self._lock:
                self.seen += [(shard_id, each) for each in data]
                waiting = self._delivered.setdefault(shard_id, [])
                waiting += [each for each in data if each not in waiting]
            return self._function(shard_id, data)

        return EventSourceMapping(function, on_failure=self.given_up.append, sleep=sleep, **self._options)

    def _settle(self, shard_id: str) -> None:
        with self._lock:
            self.settled += self._delivered.pop(shard_id)
