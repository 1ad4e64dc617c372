"""The cost of a thousand events with DynamoDB, for 1, 5 and 50 events per limit, compared with two peers.

Requests and units are counted in a separate pass. DynamoDB Local does not report the units of PartiQL, which
the handler writes by. But each item is smaller than a unit of either kind, which is checked: a key that is
read, found or not, and an item that is written take one each.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html

The handler gets batches of 1,000, each with limits of its own. The peers are so slow that they get one batch
of fewer records: their work per record does not depend on the number of records, nor on their limits.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3  # type: ignore[import-untyped] # it has none
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from benchmarks.powertools_peer import EventRecord, GetAndPut
from benchmarks.records import EVENTS_PER_LIMIT, Handler, Invocation, Limits, check, handle_all, item_of
from benchmarks.results import Figures
from benchmarks.rounds import Rounds, Timed, clocked, take_turns
from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.stores.dynamodb import Connection
from kinesis_handler.stores.dynamodb.size import item_bytes
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.wire import Call, Tap
from testkit.tables import Tables
from user_limits.limit import Limit

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NUMBERS = (1, EVENTS_PER_LIMIT, 50)
"""Events of a limit in a batch."""
BATCH_SIZE = 1_000
BATCHES = 3
PEER_EVENTS = 250
UNIT = 1_024
"""Bytes that a write unit writes."""

PEERS = ("get_and_put", "idempotent")
IN_MEMORY = "in memory: "


class Contender(NamedTuple):
    """What makes a function on an empty store, the batches that are measured, and those before."""

    start: Callable[[], Handler | GetAndPut]
    batches: Sequence[Invocation]
    before: Sequence[Invocation] = ()

    @property
    def events(self) -> int:
        return sum(len(batch["Records"]) for batch in self.batches)

    def prepare(self) -> Timed:
        function = self.start()
        handle_all(function, self.before)
        return clocked(partial(handle_all, function, self.batches), self.events)


class Idempotent(GetAndPut):
    """Lets the idempotency utility of Powertools ensure that an event is handled once, by a table of its own.

    The limit is read and written for each event as well, without a condition. Powertools gets only the id of
    the event; given the record, it would first convert its whole model into dictionaries.
    https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        super().__init__(client, table)
        client.create_table(
            TableName=f"{table}-events",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self._config = IdempotencyConfig()
        self._once = idempotent_function(
            self._handle_once,
            data_keyword_argument="event_id",
            persistence_store=DynamoDBPersistenceLayer(f"{table}-events", boto3_client=client),
            config=self._config,
        )

    def __call__(self, invocation: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        self._config.register_lambda_context(context)
        return super().__call__(invocation, context)

    def handle(self, record: EventRecord) -> None:
        self._once(event_id=record.kinesis.data.event_id, record=record)

    def put(self, item: Any, **_: Any) -> None:
        super().put(item)

    def _handle_once(self, *, event_id: str, record: EventRecord) -> None:  # noqa: ARG002 - Powertools reads it
        super().handle(record)


def measure(*, full: bool) -> Figures:
    """Return the requests, units, CPU and wall time of each contender for 1,000 events."""
    rounds = 7 if full else 2
    with dynamodb_local() as endpoint:
        tables = Tables(endpoint)
        tables.connection.client = boto3.client("dynamodb", endpoint_url=endpoint)  # the peers'
        ours = handlers(tables)
        stored = ours | peers(tables)
        counted = {name: check_and_count(name, each, tables.connection) for name, each in stored.items()}
        in_memory = {IN_MEMORY + name: each._replace(start=Handler) for name, each in ours.items()}
        taken = take_turns({name: each.prepare for name, each in (stored | in_memory).items()}, rounds)
    return {
        "batch_size": BATCH_SIZE,
        "peer_events": PEER_EVENTS,
        "rounds": rounds,
        "per_1000": {name: {**used, **times(taken, name)} for name, (used, _) in counted.items()},
        "item_bytes": {str(number): counted[f"new {number}"][1] for number in NUMBERS},
    }


def handlers(tables: Tables) -> dict[str, Contender]:
    """Return the handler with new limits, with known ones, and with as many events of these as of those."""

    def storing() -> Handler:
        return Handler(tables.repository(Limit))

    known = {number: Contender(storing, *batches(number)) for number in NUMBERS}
    return {
        **{f"new {number}": Contender(storing, each.before) for number, each in known.items()},
        **{f"known {number}": each for number, each in known.items()},
        "mix": Contender(storing, *batches(EVENTS_PER_LIMIT, known=0.5)),
    }


def batches(events: int, *, known: float = 1) -> tuple[list[Invocation], list[Invocation]]:
    """Return batches with limits of their own, and those before: with the first part of their limits."""
    limits, size = Limits(), BATCH_SIZE // events
    of_batch = [range(begin, begin + size) for begin in range(0, BATCHES * size, size)]
    before = [limits.batch(each[: int(known * size)], events) for each in of_batch]
    return [limits.batch(each, events) for each in of_batch], before


def peers(tables: Tables) -> dict[str, Contender]:
    few = [Limits().batch(range(PEER_EVENTS // EVENTS_PER_LIMIT))]
    return {
        "get_and_put": Contender(lambda: GetAndPut(tables.client, tables.table().name), few),
        "idempotent": Contender(lambda: Idempotent(tables.client, tables.table().name), few),
    }


def check_and_count(name: str, contender: Contender, connection: Connection) -> tuple[Figures, Figures]:
    """Return the requests and units, and the sizes of items; exit if these are not the expected limits."""
    function, expected = contender.start(), Handler()
    handle_all(expected, [*contender.before, *contender.batches])
    handle_all(function, contender.before)
    sent: list[tuple[int, int]] = []  # a list, because threads append to it concurrently
    with Tap(connection, lambda call: sent.append(units(call))):
        handle_all(function, contender.batches)
    check(name, function.limits(), expected)
    reads, writes = map(sum, zip(*sent, strict=True))
    used = {"requests": len(sent), "reads": reads, "writes": writes}
    scaled = {unit: number / contender.events * 1_000 for unit, number in used.items()}
    return scaled, item_sizes([item_of(each) for each in expected.repository.scan()])


def units(call: Call) -> tuple[int, int]:
    """Return the read and the write units of a request."""
    match call.operation:
        case "BatchGetItem":
            return sum(len(table["Keys"]) for table in call.body["RequestItems"].values()), 0
        case "BatchExecuteStatement":
            return 0, len(call.body["Statements"])
        case "GetItem":
            return 1, 0
        case _:
            return 0, 1


def item_sizes(items: Sequence[Mapping[str, Any]]) -> Figures:
    """Return the sizes of items, as stored and full; exit if one takes more than a unit."""
    if (largest := max(map(item_bytes, items))) > UNIT:
        sys.exit(f"an item has {largest} bytes and takes more than a unit: nothing was measured")

    def full(id_length: int) -> float:
        ids = ["x" * id_length] * RECENT_EVENT_IDS
        return median(item_bytes({**each, "recentEventIds": ids}) for each in items)

    return {"median": median(map(item_bytes, items)), "all_event_ids": full(20), "all_uuids": full(36)}


def times(taken: Rounds, name: str) -> Figures:
    """Return the ms of CPU and wall time per 1,000 events, and how many times the CPU the peers need."""
    medians = taken.medians(name)
    figures = {"cpu_ms": medians["cpu_us"], "wall_ms": medians["us"]}
    figures |= {f"{peer}_cpu": taken.compared(peer, name, "cpu_us")["ratio"] for peer in PEERS}
    if name not in PEERS:
        figures["times_memory"] = taken.compared(name, IN_MEMORY + name, "cpu_us")["ratio"]
    return figures
