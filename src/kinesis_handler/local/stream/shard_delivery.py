"""Delivers what has been read of one shard through its event source mapping, whoever reads it."""

import time
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from kinesis_handler.ingest.record import arrival_time
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import EventSourceMapping
from kinesis_handler.local.stream.outages import Wait
from kinesis_handler.local.stream.progress import ShardProgress
from kinesis_handler.local.stream.stop import Stop

MakeMapping = Callable[[str, Wait], EventSourceMapping]
"""Takes a shard's id and a function that waits; returns the mapping that delivers the shard's batches."""


class Shared(Struct, kw_only=True, eq=False):
    """What the shards of one process share.

    Args:
        make_mapping: builds the event source mapping of a shard.
        on_batch: called with a shard's id when one of its batches has been settled.
        stop: ends all waits.
        clock: seconds since epoch.
    """

    make_mapping: MakeMapping
    on_batch: Callable[[str], None] = lambda _shard: None
    stop: Stop = field(default_factory=Stop)
    clock: Callable[[], float] = time.time


class ShardDelivery:
    """Gathers the records of one shard, and delivers them in batches.

    Args:
        shared: what it shares with the other shards.
        shard_id: the shard.
        progress: is updated with what is settled, and with what it waits for.
    """

    def __init__(self, shared: Shared, shard_id: str, progress: ShardProgress) -> None:
        self._shared = shared
        self._shard_id = shard_id
        self._progress = progress
        self.mapping = shared.make_mapping(shard_id, self.wait)
        """The event source mapping of the shard."""
        self.gathering = self.mapping.gathering()
        """What has been read, and not yet been delivered."""

    def deliver(self, *, all_of_it: bool) -> Iterator[list[LambdaRecord]]:
        """Deliver the batches that are due, or all that is gathered; yield each when it is settled."""
        while len(self.gathering) and (all_of_it or not self.gathering.due_in()):
            yield from self.mapping.run(self.gathering.take())

    def count(self, batch: list[LambdaRecord]) -> None:
        """Count a batch that is settled."""
        self._progress.records += len(batch)
        if (arrived_at := arrival_time(batch[-1])) is not None:
            self._progress.age = max(0.0, self._shared.clock() - arrived_at)
        self._shared.on_batch(self._shard_id)

    def forget(self) -> None:
        """Forget what is gathered: it will be read again from the checkpoint."""
        self.gathering = self.mapping.gathering()

    def wait(self, seconds: float, why: str = "") -> None:
        """Wait, and show why. Raises Stopped as soon as it is stopped."""
        self._progress.problem = why
        self._shared.stop.pause(seconds)
        self._progress.problem = ""
