"""Read and write units of an event where records are gathered for long, beside batches as Lambda's.

Two thousand events a second change fifty thousand limits, all of them known; by Zipf's law some have far more
than others. They are on two shards. Time is simulated: `Gathering` gets a second of records at a time. The
handler is the real one, over limits in memory; each load and each save is weighed as DynamoDB bills it: a
unit for each key read, and for each KB begun of the larger of what was stored and what is. So the figures are
the same on every machine.

A worker remembers what it has written, with 256 MB for it. Before it is measured, each limit has been written
once.
"""

import io
import math
from bisect import bisect
from collections.abc import Collection, Iterator, Sequence
from hashlib import md5
from itertools import accumulate
from random import Random

import msgspec

from benchmarks.growth import change, key_of
from benchmarks.results import Figures
from benchmarks.rounds import progress
from benchmarks.stored_limits import stored_limit
from kinesis_handler import Key, KinesisHandler, configure_logging
from kinesis_handler.aggregate import Aggregate
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.local.gathering import Bounds, Gathering
from kinesis_handler.local.owned_states import OwnedStates
from kinesis_handler.stores import Change, Loaded, Saved
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.dynamodb.size import item_bytes
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

RATE, LIMITS, SHARDS = 2_000, 50_000, 2
SECONDS = {False: 60, True: 120}
"""Simulated time of a short run, and of a full one: whole batches of the longest gathering."""
REMEMBERED_BYTES = 256 * 1_024 * 1_024

LAMBDA = {"Lambda, batches of 1,000": 1_000, "Lambda, batches of 10,000": 10_000}
GATHERED = {"gathered 1 s": 1, "gathered 10 s": 10, "gathered 60 s": 60}
"""Contenders, each with the records of a batch, or the seconds for which it gathers."""
UNBOUNDED = 10**9


class WeighedMemory(MemoryRepository[Limit]):
    """Limits in memory; it counts the units that DynamoDB would bill."""

    state_type = Limit

    def __init__(self) -> None:
        super().__init__()
        self._codec = ItemCodec(Limit, "userId", "limitId")
        self.reads = self.writes = 0

    def load(self, keys: Collection[Key]) -> Loaded[Limit]:
        self.reads += len(keys)
        return super().load(keys)

    def save(self, changes: Sequence[Change[Limit]]) -> Saved:
        for each in changes:
            stored = [self._size(one) for one in (each.before, each.after) if one is not None]
            self.writes += math.ceil(max(stored) / 1_024)
        return super().save(changes)

    def _size(self, aggregate: Aggregate[Limit | None]) -> int:
        return item_bytes({**self._codec.key_attributes(aggregate.key), **self._codec.attributes(aggregate)})


def measure(*, full: bool) -> Figures:
    """Return the units of an event of each contender."""
    configure_logging("benchmark", "error", io.StringIO())
    seconds = SECONDS[full]
    events = list(zipf(seconds))
    per_event = {}
    for name in (*LAMBDA, *GATHERED):
        progress(name)
        if name in LAMBDA:
            bounds = Bounds(UNBOUNDED, LAMBDA[name], UNBOUNDED)
            per_event[name] = units(events, bounds, remembered_bytes=0)
        else:
            bounds = Bounds(GATHERED[name], UNBOUNDED, UNBOUNDED)
            per_event[name] = units(events, bounds, remembered_bytes=REMEMBERED_BYTES)
    return {"rate": RATE, "limits": LIMITS, "shards": SHARDS, "seconds": seconds, "per_event": per_event}


def zipf(seconds: int, limits: int = LIMITS, rate: int = RATE) -> Iterator[list[list[LambdaRecord]]]:
    """Yield the records of each second, by shard."""
    random = Random(1)
    shares = list(accumulate(1 / rank for rank in range(1, limits + 1)))
    keys = [key_of(index) for index in random.sample(range(limits), limits)]
    shard_of = [int.from_bytes(md5(key[0].encode(), usedforsecurity=False).digest()) % SHARDS for key in keys]
    number = limits
    for _ in range(seconds):
        content: list[list[tuple[str, bytes]]] = [[] for _ in range(SHARDS)]
        for _ in range(rate):
            number += 1
            rank = bisect(shares, random.random() * shares[-1], hi=limits - 1)
            content[shard_of[rank]].append((keys[rank][0], msgspec.json.encode(change(keys[rank], number))))
        yield [list(put_on_shard(each)) for each in content]


def units(
    events: Sequence[Sequence[Sequence[LambdaRecord]]],
    bounds: Bounds,
    *,
    remembered_bytes: int,
    limits: int = LIMITS,
) -> Figures:
    """Return the units of an event, and the events of a batch, where records are gathered within bounds."""
    stored, clock = WeighedMemory(), FakeClock()
    processor = UserLimitEventProcessor(stored)
    handler = KinesisHandler([processor])
    OwnedStates(handler, remembered_bytes, clock)
    processor.repository.save([stored_limit(*key_of(index), index) for index in range(limits)])
    stored.reads = stored.writes = 0
    shards = [Gathering(bounds, clock) for _ in range(SHARDS)]
    batches = handled = 0
    for second in events:
        for gathering, records in zip(shards, second, strict=True):
            gathering.add(records)
        clock.advance(1)
        for gathering in shards:
            while not gathering.due_in():
                result = handler.handle({"Records": gathering.take()})
                if len(result.applied()) != len(result):
                    raise SystemExit(f"not all were applied: {result.counts()}")
                batches, handled = batches + 1, handled + len(result)
    return {"reads": stored.reads / handled, "writes": stored.writes / handled, "batch": handled / batches}
