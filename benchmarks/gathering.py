"""Read and write units of an event where records are gathered for long, beside batches as Lambda's.

Time is simulated: `Gathering` gets a second of records at a time. The handler is the real one, over limits in
memory; each load and each save is weighed as DynamoDB bills it: a unit for each key read, and for each KB
begun of the larger of what was stored and what is.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import accumulate
from random import Random
from typing import NamedTuple

from benchmarks.records import Handler, Limits, handle_all, item_of
from benchmarks.results import Figures
from benchmarks.rounds import one_by_one
from kinesis_handler import Key
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.batching import lanes
from kinesis_handler.local.gathering import Bounds, Gathering
from kinesis_handler.local.owned_states import OwnedStates
from kinesis_handler.local.shard import put_on_shard
from kinesis_handler.stores import Change, Loaded, Saved
from kinesis_handler.stores.dynamodb.size import item_bytes
from kinesis_handler.stores.memory import MemoryRepository
from kinesis_handler.testing import FakeClock
from user_limits.limit import Limit

RATE, LIMITS, SHARDS = 2_000, 50_000, 2
UNBOUNDED = 10**9
REMEMBERED_BYTES = 256 * 1_024 * 1_024


class Contender(NamedTuple):
    """How records are gathered, and what is remembered of them."""

    bounds: Bounds
    remembered_bytes: int


CONTENDERS = {
    "Lambda, batches of 1,000": Contender(Bounds(UNBOUNDED, 1_000, UNBOUNDED), 0),
    "Lambda, batches of 10,000": Contender(Bounds(UNBOUNDED, 10_000, UNBOUNDED), 0),
    "gathered 1 s": Contender(Bounds(1, UNBOUNDED, UNBOUNDED), REMEMBERED_BYTES),
    "gathered 10 s": Contender(Bounds(10, UNBOUNDED, UNBOUNDED), REMEMBERED_BYTES),
    "gathered 60 s": Contender(Bounds(60, UNBOUNDED, UNBOUNDED), REMEMBERED_BYTES),
}


class WeighedMemory(MemoryRepository[Limit]):
    """Limits in memory; it counts the units that DynamoDB would bill."""

    state_type = Limit

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.writes = 0

    def load(self, keys: Collection[Key]) -> Loaded[Limit]:
        self.reads += len(keys)
        return super().load(keys)

    def save(self, changes: Sequence[Change[Limit]]) -> Saved:
        for each in changes:
            stored = [item_bytes(item_of(one)) for one in (each.before, each.after) if one is not None]
            self.writes += math.ceil(max(stored) / 1_024)
        return super().save(changes)


def measure(*, full: bool) -> Figures:
    """Return the units of an event of each contender."""
    seconds = 120 if full else 60  # of simulated time: whole batches of the longest gathering
    events = list(zipf(seconds))
    per_event = one_by_one(CONTENDERS, partial(units, events))
    return {"rate": RATE, "limits": LIMITS, "shards": SHARDS, "seconds": seconds, "per_event": per_event}


def zipf(seconds: int, limits: int = LIMITS, rate: int = RATE) -> Iterator[list[list[LambdaRecord]]]:
    """Yield records by shard: the creation of each limit, then the events of each second."""
    random, events = Random(1), Limits()
    ranked = random.sample(range(limits), limits)
    shares = list(accumulate(1 / rank for rank in range(1, limits + 1)))
    yield lanes(put_on_shard(map(events.event, ranked)), SHARDS)
    for _ in range(seconds):
        chosen = random.choices(ranked, cum_weights=shares, k=rate)
        yield lanes(put_on_shard(map(events.event, chosen)), SHARDS)


def units(events: Sequence[Sequence[Sequence[LambdaRecord]]], contender: Contender) -> Figures:
    """Return the units of an event, and the events of a batch, where records are gathered within bounds."""
    stored, clock = WeighedMemory(), FakeClock()
    handler = Handler(stored)
    OwnedStates(handler, contender.remembered_bytes, clock)
    creations, *seconds = events
    handle_all(handler, [{"Records": each} for each in creations])
    stored.reads = stored.writes = 0
    shards = [Gathering(contender.bounds, clock) for _ in range(SHARDS)]
    batches = handled = 0
    for second in seconds:
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
