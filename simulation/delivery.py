"""The event source mappings of one reader of the stream, and how far each shard has been settled."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from kinesis_handler.lambda_types import BatchResponse, LambdaContext, LambdaRecord
from kinesis_handler.local.event_source import EventSourceMapping
from kinesis_handler.testing import FakeClock
from simulation.stream import Shard

TIMEOUT = 60.0
RETRY_WAIT = 5
"""Seconds before the first retry; twice as many before each further one."""

Invoke = Callable[[Shard, dict[str, Any], LambdaContext], BatchResponse]


class Delivery:
    """Delivers the shards, one batch at a time, from their oldest records.

    Args:
        shards: of the stream.
        invoke: the Lambda function.
        batch_size: records in a batch, at most.
        clock: of the world.
    """

    def __init__(self, shards: Sequence[Shard], invoke: Invoke, batch_size: int, clock: FakeClock) -> None:
        self.settled = {shard.name: 0 for shard in shards}
        self._shards = shards
        self._busy: set[str] = set()
        self._clock = clock
        self._mappings = {shard.name: self._mapping(shard, invoke, batch_size) for shard in shards}

    def is_drained(self, shard: Shard) -> bool:
        """Return whether all records of a shard are settled."""
        return self.settled[shard.name] == len(shard.sent)

    def begun(self) -> list[Shard]:
        """Return the shards that may be read: their parents are drained."""
        return [each for each in self._shards if all(map(self.is_drained, each.parents))]

    def go_on(self, random: Random) -> bool:
        """Settle a batch of a shard that nobody is at; return whether there was one."""
        free = [each for each in self.begun() if not (each.name in self._busy or self.is_drained(each))]
        if not free:
            return False
        name = random.choice(free).name
        self._busy.add(name)
        try:
            batch = next(self._mappings[name])
        finally:
            self._busy.remove(name)
        self.settled[name] += len(batch)
        return True

    def has_reached(self, other: "Delivery") -> bool:
        """Return whether all that another one has settled is settled here too."""
        return all(self.settled[name] >= count for name, count in other.settled.items())

    def _mapping(self, shard: Shard, invoke: Invoke, batch_size: int) -> Iterator[list[LambdaRecord]]:
        mapping = EventSourceMapping(
            lambda invocation, context: invoke(shard, invocation, context),
            batch_size=batch_size,
            bisect_batch_on_function_error=True,
            timeout=TIMEOUT,
            retry_wait=RETRY_WAIT,
            clock=self._clock,
            sleep=self._clock.advance,
        )
        return mapping.run(self._arriving(shard))

    def _arriving(self, shard: Shard) -> Iterator[LambdaRecord]:
        for index in range(len(shard.sent)):
            yield shard.deliver(index, self._clock.now)
