"""One run: the stream, the faults, and the result."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from uuid import uuid4

from msgspec import Struct

from chaos.connection import FaultyConnection
from chaos.events import shards_of
from chaos.faults import Fault, FaultPlan
from chaos.handlers import Handlers
from chaos.oracle import Oracle
from chaos.shard import Shard
from chaos.verdict import differing_limits, differing_notes, differing_rejects
from kinesis_handler import Aggregate, Key
from kinesis_handler.outcome import Status
from kinesis_handler.stores.dynamodb import Connection, DynamoDBRepository, DynamoDBTable, dynamodb_connection
from kinesis_handler.testing import FakeClock
from testkit.emulators.wire import Call, Tap
from user_limits.limit import Limit
from user_limits.wiring import PARTITION_KEY, SORT_KEY

EVENTS, SHARDS = 100_000, 4


class Options(Struct, frozen=True):
    """Parameters of a run. Together with the code they determine it completely."""

    seed: int
    events: int = EVENTS
    shards: int = SHARDS


class Report(Struct, kw_only=True):
    """Result of a run. `seconds` is the only figure that another run of the seed does not repeat."""

    options: Options
    records: int
    limits: int
    injected: dict[Fault, int]
    outages: int
    outcomes: dict[Status, int]
    batches: int
    deliveries: int
    conflicts: int
    parked: int
    waiting: int
    quarantined: int
    differences: list[str]
    seconds: float


def run(options: Options, endpoint: str, advance: Callable[[int], object] = lambda _: None) -> Report:
    """Inject failures while a stream is delivered, and compare what is stored with the oracle.

    Args:
        options: the seed, and the length of the run.
        endpoint: endpoint of DynamoDB Local.
        advance: is called with the number of events settled since the last call.
    """
    begun = time.monotonic()
    clock = FakeClock()
    streams = shards_of(options.seed, options.events, options.shards, clock)
    oracles = [Oracle(records, parks=True) for records in streams]
    plan = FaultPlan(options.seed, clock)
    with _table(endpoint) as (connection, table):
        faulty = FaultyConnection(options.seed, plan, clock, table)
        handlers = Handlers(options.seed, connection, table, plan, clock)
        shards = [
            Shard(records, Random(f"{options.seed}/shard/{index}"), handlers, faulty, plan, clock)
            for index, records in enumerate(streams)
        ]
        with Tap(connection, faulty):
            _settle_all(shards, Random(f"{options.seed}/turns"), advance)
            handlers.redrive_to_the_end()
        stored, noted = _stored(connection, table, clock)
    quarantine = handlers.quarantine
    quarantined, parked = quarantine.rejected(), quarantine.parked()
    differences = [
        *differing_limits(stored, oracles, parked),
        *differing_notes(noted, quarantine.waiting(), oracles),
        *differing_rejects(quarantined, _rejected(oracles)),
    ]
    for index, (shard, oracle) in enumerate(zip(shards, oracles, strict=True)):
        differences += [f"{_name(index)}: record {number}: given up" for number in shard.given_up]
        differences += shard.problems
        if shard.outcomes.total() != len(oracle.outcomes):
            differences.append(
                f"{_name(index)}: {len(oracle.outcomes):,} events, and {shard.outcomes.total():,} outcomes"
            )
    return Report(
        options=options,
        records=sum(map(len, streams)),
        limits=len(stored),
        injected=dict(plan.injected),
        outages=plan.outages,
        outcomes={status: sum(shard.outcomes[status] for shard in shards) for status in Status},
        batches=sum(shard.batches for shard in shards),
        deliveries=sum(shard.deliveries for shard in shards),
        conflicts=handlers.conflicts,
        parked=len(parked),
        waiting=len(noted),
        quarantined=len(quarantined),
        differences=differences,
        seconds=time.monotonic() - begun,
    )


def _stored(
    connection: Connection, table: str, clock: FakeClock
) -> tuple[dict[Key, Aggregate[Limit]], set[Key]]:
    """Return the limits, and the keys that are parked."""
    repository = DynamoDBRepository(
        connection, table, Limit, partition_key=PARTITION_KEY, sort_key=SORT_KEY, clock=clock
    )
    with Tap(connection, Call.forward):
        # An unreadable limit is missing, and so differs from the clean pass.
        found = list(repository.scan(on_unreadable=lambda *_: None))
        noted = {each.key for each in repository.scan_stored(on_unreadable=lambda *_: None) if each.is_parked}
    return {aggregate.key: aggregate for aggregate in found}, noted


def _settle_all(shards: list[Shard], random: Random, advance: Callable[[int], object]) -> None:
    """Let the shards take turns, in an order drawn from the seed."""
    while open_shards := [shard for shard in shards if not shard.done]:
        advance(random.choice(open_shards).go_on())


def _rejected(oracles: list[Oracle]) -> dict[tuple[str, str, int], str]:
    return {
        (_name(index), *each): data
        for index, oracle in enumerate(oracles)
        for each, data in oracle.rejected.items()
    }


def _name(index: int) -> str:
    return f"shardId-{index:012d}"


@contextmanager
def _table(endpoint: str) -> Iterator[tuple[Connection, str]]:
    """Create a table that exists for one run."""
    connection = dynamodb_connection(endpoint=endpoint)
    name = f"Chaos-{uuid4()}"
    table = DynamoDBTable(connection, name, partition_key=PARTITION_KEY, sort_key=SORT_KEY)
    with Tap(connection, Call.forward):
        table.create()
    try:
        yield connection, name
    finally:
        with Tap(connection, Call.forward):
            table.delete()
        connection.close()
