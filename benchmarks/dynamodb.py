"""The cost of a thousand events with DynamoDB, for 1, 5 and 50 events per limit, compared with two peers.

The handler reads and writes each limit of a batch once, however many events of the batch it has, and many
limits in one request. The peers read and write for each event: see powertools_peer.py, idempotent_peer.py.

A limit is *known* if the table has it, and *new* if not. A table in use knows most limits. In the *mix* half
of the events are of known ones.

How to read it: requests and units are counted in a separate pass, and are the same on every machine. DynamoDB
Local does not report the units of PartiQL, which the handler writes by. But each item is smaller than a unit
of either kind, which is checked: a key that is read, found or not, and an item that is written take one each.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html

Each contender must compute the limits that the handler computes from the same records in memory; if one
does not, nothing is measured. CPU is the client's, in all its threads; beside it stands the CPU of the same
batches in memory, in the same round: that ratio hardly depends on the machine. Wall is mostly DynamoDB Local,
one process on the same machine: it says nothing about the time that a table on AWS takes.

The handler gets batches of 1,000, each with limits of its own. The peers are so slow that they get one batch
of fewer records: their work per record does not depend on the number of records, nor on their limits. All
figures are those of 1,000 events, in which a ms is a µs of each.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped] # it has none

from benchmarks.idempotent_peer import Idempotent
from benchmarks.powertools_peer import GetAndPut
from benchmarks.records import EVENTS_PER_LIMIT, Handler, Invocation, Limits, check, handle_all, item_of, rows
from benchmarks.results import Figures
from benchmarks.rounds import Timed, clocked, take_turns
from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.stores.dynamodb import dynamodb_connection
from kinesis_handler.stores.dynamodb.size import item_bytes
from kinesis_handler.stores.memory import MemoryRepository
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.wire import Call, Tap
from testkit.tables import Tables
from user_limits.limit import Limit

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NEW, KNOWN, MIX = "new", "known", "mix"
NUMBERS = (1, EVENTS_PER_LIMIT, 50)
"""Events of a limit in a batch."""
BATCH_SIZE = 1_000
BATCHES = 3
PEER_EVENTS = 250
UNIT = 1_024
"""Bytes that a write unit writes."""

GET_AND_PUT, IDEMPOTENT = "get_and_put", "idempotent"
IN_MEMORY = "in memory: "


class Lab:
    """Starts contenders in new tables, and counts what they send, if this is not timed.

    Requests are listed as their read and write units.
    """

    def __init__(self, tables: Tables, *, counts: bool = False) -> None:
        self.sent: list[tuple[int, int]] = []  # a list, because threads append to it concurrently
        self._tables = tables
        self._connection = dynamodb_connection(endpoint=tables.endpoint)
        self._peers_client: DynamoDBClient = boto3.client("dynamodb", endpoint_url=tables.endpoint)
        if counts:
            Tap(self._connection, self._count)
            self._peers_client.meta.events.register("before-send.dynamodb", self._count_a_peers)

    def handler(self) -> Handler:
        return Handler(self._tables.repository(Limit, self._connection))

    def memory(self) -> Handler:
        return Handler(MemoryRepository())

    def get_and_put(self) -> GetAndPut:
        return GetAndPut(self._peers_client, self._tables.table().name)

    def idempotent(self) -> GetAndPut:
        table = self._tables.table().name
        self._tables.client.create_table(
            TableName=f"{table}-events",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return Idempotent(self._peers_client, table, f"{table}-events")

    def _count(self, call: Call) -> None:
        keys = [key for table in call.body.get("RequestItems", {}).values() for key in table["Keys"]]
        self.sent.append((len(keys), len(call.body.get("Statements", ()))))

    def _count_a_peers(self, *, event_name: str, **_: object) -> None:
        reads = event_name.endswith(".GetItem")
        self.sent.append((reads, not reads))


@dataclass
class Contender:
    """A way to handle records: its batches, and what was handled before they are measured."""

    start: Callable[[Lab], Handler | GetAndPut]
    batches: Sequence[Invocation]
    before: Sequence[Invocation] = ()

    @property
    def events(self) -> int:
        return sum(len(batch["Records"]) for batch in self.batches)

    def prepare(self, lab: Lab) -> Timed:
        function = self.start(lab)
        handle_all(function, self.before)
        return clocked(partial(handle_all, function, self.batches), self.events)


def our_contenders() -> dict[str, Contender]:
    """Return the handler with new limits, with known ones, and with as many events of these as of those."""
    new = {f"{NEW} {number}": Contender(Lab.handler, passes(number)[0]) for number in NUMBERS}
    twice = {f"{KNOWN} {number}": passes(number) for number in NUMBERS}
    twice[MIX] = passes(EVENTS_PER_LIMIT, known=0.5)
    return new | {name: Contender(Lab.handler, again, before) for name, (before, again) in twice.items()}


def passes(events: int, *, known: float = 1) -> tuple[list[Invocation], list[Invocation]]:
    """Return batches with limits of their own, and batches with the same limits again.

    Of the limits of the latter, the former have the first part.
    """
    limits, size = Limits(), BATCH_SIZE // events
    of_batch = [range(begin, begin + size) for begin in range(0, BATCHES * size, size)]
    before = [limits.batch(each[: int(known * size)], events) for each in of_batch]
    return before, [limits.batch(each, events) for each in of_batch]


def measure(*, full: bool) -> Figures:
    """Return the requests, units, CPU and wall time of each contender for 1,000 events."""
    rounds = 7 if full else 2
    few = [Limits().batch(range(PEER_EVENTS // EVENTS_PER_LIMIT))]
    peers = {GET_AND_PUT: Contender(Lab.get_and_put, few), IDEMPOTENT: Contender(Lab.idempotent, few)}
    ours = our_contenders()
    in_memory = {
        IN_MEMORY + name: Contender(Lab.memory, each.batches, each.before) for name, each in ours.items()
    }
    with dynamodb_local() as endpoint:
        tables = Tables(endpoint)
        lab = Lab(tables, counts=True)
        counted = {name: check_and_count(lab, name, each) for name, each in (ours | peers).items()}
        times = time_all(Lab(tables), ours | peers | in_memory, rounds)
    return {
        "batch_size": BATCH_SIZE,
        "peer_events": PEER_EVENTS,
        "rounds": rounds,
        "per_1000": {name: {**used, **times[name]} for name, (used, _) in counted.items()},
        "item_bytes": {str(number): counted[f"{NEW} {number}"][1] for number in NUMBERS},
    }


def check_and_count(lab: Lab, name: str, contender: Contender) -> tuple[Figures, Figures]:
    """Return the requests and units, and the sizes of items; exit if these are not the expected limits."""
    function, expected = contender.start(lab), lab.memory()
    handle_all(expected, [*contender.before, *contender.batches])
    handle_all(function, contender.before)
    before = len(lab.sent)
    handle_all(function, contender.batches)
    sent = lab.sent[before:]
    check(name, rows(function.limits()), rows(expected.limits()))
    reads, writes = map(sum, zip(*sent, strict=True))
    used = {"requests": len(sent), "reads": reads, "writes": writes}
    scaled = {unit: number / contender.events * 1_000 for unit, number in used.items()}
    return scaled, item_sizes([item_of(each) for each in expected.repository.scan()])


def item_sizes(items: Sequence[Mapping[str, Any]]) -> Figures:
    """Return the sizes of items, as stored and full; exit if one takes more than a unit."""
    if (largest := max(map(item_bytes, items))) > UNIT:
        sys.exit(f"an item has {largest} bytes and takes more than a unit: nothing was measured")

    def full(event_id: str) -> float:
        ids = [event_id] * RECENT_EVENT_IDS
        return median(item_bytes({**each, "recentEventIds": ids}) for each in items)

    return {
        "median": median(map(item_bytes, items)),
        "all_event_ids": full("x" * 20),
        "all_uuids": full("x" * 36),
    }


def time_all(lab: Lab, contenders: Mapping[str, Contender], rounds: int) -> dict[str, Figures]:
    """Let the contenders take turns; return the ms of CPU and wall time per 1,000 events for each."""
    taken = take_turns({name: partial(each.prepare, lab) for name, each in contenders.items()}, rounds)

    def figures(name: str) -> Iterable[tuple[str, float]]:
        medians = taken.medians(name)
        yield from (("cpu_ms", medians["cpu_us"]), ("wall_ms", medians["us"]))
        for peer in (GET_AND_PUT, IDEMPOTENT):
            yield f"{peer}_cpu", taken.compared(peer, name, "cpu_us")["ratio"]
        if (same := IN_MEMORY + name) in contenders:
            yield "times_memory", taken.compared(name, same, "cpu_us")["ratio"]

    return {name: dict(figures(name)) for name in contenders}
