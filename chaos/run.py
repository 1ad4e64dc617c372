"""One run: the stream, the faults, and what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec import Struct

from chaos.events import shards_of
from chaos.faults import Fault, FaultPlan
from chaos.handlers import Handlers
from chaos.line import Line
from chaos.oracle import Oracle
from chaos.shard import Shard
from chaos.verdict import differing_failures, differing_limits, differing_rejects
from kinesis_handler import Aggregate, Key
from kinesis_handler.outcome import Status
from kinesis_handler.stores.dynamodb import DynamoDBRepository, DynamoDBTable, dynamodb_client
from kinesis_handler.testing import FakeClock
from testkit.emulators.wire import Call, Tap
from user_limits.limit import Limit
from user_limits.wiring import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

EVENTS, SHARDS = 100_000, 4


class Options(Struct, frozen=True):
    """What a run depends on, and with the code all that it depends on."""

    seed: int
    events: int = EVENTS
    shards: int = SHARDS


class Report(Struct, kw_only=True):
    """What a run came to. `seconds` is the only figure that another run of the seed does not repeat."""

    options: Options
    records: int
    limits: int
    injected: dict[Fault, int]
    outages: int
    outcomes: dict[Status, int]
    batches: int
    deliveries: int
    conflicts: int
    given_up: int
    kept: int
    differences: list[str]
    seconds: float


def run(options: Options, endpoint: str, advance: Callable[[int], object] = lambda _: None) -> Report:
    """Deliver a stream while all around fails, and compare what is kept with the oracle.

    Args:
        options: the seed, and how long the run is.
        endpoint: of DynamoDB Local.
        advance: is told how many events have been settled since the last time.
    """
    begun = time.monotonic()
    clock = FakeClock()
    streams = shards_of(options.seed, options.events, options.shards, clock)
    oracles = [Oracle(records) for records in streams]
    weather = FaultPlan(options.seed, clock)
    with _table(endpoint) as (client, table):
        line = Line(options.seed, weather, clock, table)
        handlers = Handlers(options.seed, client, table, weather, clock)
        shards = [
            Shard(records, Random(f"{options.seed}/shard/{place}"), handlers, line, weather, clock)
            for place, records in enumerate(streams)
        ]
        with Tap(client, line):
            _settle_all(shards, Random(f"{options.seed}/turns"), advance)
        stored = _stored(client, table, clock)
    kept = handlers.quarantine.records()
    differences = [*differing_limits(stored, oracles), *differing_rejects(kept, _rejected(oracles))]
    for place, (shard, oracle) in enumerate(zip(shards, oracles, strict=True)):
        differences += differing_failures(_name(place), shard.given_up, oracle.given_up)
        differences += shard.problems
        if shard.outcomes.total() != len(oracle.outcomes):
            differences.append(
                f"{_name(place)}: {len(oracle.outcomes):,} events, and {shard.outcomes.total():,} outcomes"
            )
    return Report(
        options=options,
        records=sum(map(len, streams)),
        limits=len(stored),
        injected=dict(weather.injected),
        outages=weather.outages,
        outcomes={status: sum(shard.outcomes[status] for shard in shards) for status in Status},
        batches=sum(shard.batches for shard in shards),
        deliveries=sum(shard.deliveries for shard in shards),
        conflicts=handlers.conflicts,
        given_up=sum(len(shard.given_up) for shard in shards),
        kept=len(kept),
        differences=differences,
        seconds=time.monotonic() - begun,
    )


def _stored(client: "DynamoDBClient", table: str, clock: FakeClock) -> dict[Key, Aggregate[Limit]]:
    repository = DynamoDBRepository(
        client, table, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY, clock=clock
    )
    with Tap(client, Call.forward):
        # What cannot be read is missing, and so differs from the clean pass.
        found = repository.scan(on_unreadable=lambda *_: None)
        return {aggregate.key: aggregate for aggregate in found}


def _settle_all(shards: list[Shard], random: Random, advance: Callable[[int], object]) -> None:
    """Let the shards take turns, as the seed has it."""
    while open_shards := [shard for shard in shards if not shard.done]:
        advance(random.choice(open_shards).go_on())


def _rejected(oracles: list[Oracle]) -> dict[tuple[str, str, int], str]:
    return {
        (_name(place), *each): data
        for place, oracle in enumerate(oracles)
        for each, data in oracle.rejected.items()
    }


def _name(place: int) -> str:
    return f"shardId-{place:012d}"


@contextmanager
def _table(endpoint: str) -> Iterator[tuple["DynamoDBClient", str]]:
    """Make a table, for the time of a run."""
    client = dynamodb_client(endpoint=endpoint)
    name = f"Chaos-{uuid4()}"
    table = DynamoDBTable(client, name, partition_key=PARTITION_KEY, sort_key=SORT_KEY)
    with Tap(client, Call.forward):
        table.create()
    try:
        yield client, name
    finally:
        with Tap(client, Call.forward):
            table.delete()
        client.close()
