"""The cost of a thousand events with DynamoDB, compared with two peers, for 1, 5 and 50 events per limit.

The handler reads and writes each limit of a batch once, however many events of the batch it has, and many
limits in one request. The peers read and write for each event: see dynamodb_peers.py.

How to read it: requests and units are counted in a separate pass, and are the same on every machine. Each
contender must compute the limits that the handler computes from the same records in memory; if one does not,
nothing is measured. CPU is the client's, in all its threads. Wall is mostly DynamoDB Local, one process on
the same machine: it says nothing about the time that a table on AWS takes.

The handler gets batches of 1,000, each with limits of its own. The peers are so slow that they get one batch
of fewer records: their work per record does not depend on the number of records, nor on their limits. All
figures are scaled to 1,000 events.
"""

import io
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.dynamodb_lab import Lab, Limits, Running, limits_of
from benchmarks.dynamodb_units import Bill, Meter, item_bytes
from benchmarks.records import Invocation, invocations
from benchmarks.results import Figures
from benchmarks.rounds import Prepare, take_turns
from kinesis_handler import KinesisHandler, configure_logging
from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.local.event_source import LocalContext
from kinesis_handler.stores.memory import MemoryRepository
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.local_settings import use_local_settings
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

EVENTS_PER_LIMIT = (1, 5, 50)
BATCH_SIZE = 1_000
BATCHES = 3
PEER_EVENTS = 250

GET_AND_PUT, IDEMPOTENT = "get_and_put", "idempotent"

Batches = Sequence[Invocation]


@dataclass
class Contender:
    """A way to handle records, and its batches."""

    start: Callable[[Lab], Running]
    batches: Batches

    @property
    def scale(self) -> float:
        """Factor that scales its figures to 1,000 events."""
        return 1_000 / sum(len(batch["Records"]) for batch in self.batches)

    def run(self, running: Running) -> None:
        for batch in self.batches:
            context = LocalContext(time.monotonic, time.monotonic() + 600)
            if failures := running.handle(batch, context)["batchItemFailures"]:
                sys.exit(f"{len(failures)} of the records failed: their figures would be wrong")


def measure(*, full: bool) -> Figures:
    """Return the requests, units, CPU and wall time of each contender for 1,000 events."""
    use_local_settings()
    configure_logging("benchmark", "info", io.StringIO())
    rounds = 7 if full else 2
    few = invocations(1, PEER_EVENTS)
    contenders = {
        str(number): Contender(Lab.handler, invocations(BATCHES, BATCH_SIZE, events_per_limit=number))
        for number in EVENTS_PER_LIMIT
    }
    contenders[GET_AND_PUT] = Contender(Lab.get_and_put, few)
    contenders[IDEMPOTENT] = Contender(Lab.idempotent, few)
    with dynamodb_local() as endpoint:
        bills: dict[str, Bill] = {}
        items: dict[str, Figures] = {}
        for name, contender in contenders.items():
            bills[name], stored = check_and_count(endpoint, contender)
            items[name] = sizes(stored)
        times = time_all(Lab(endpoint), contenders, rounds)
    return {
        "batch_size": BATCH_SIZE,
        "peer_events": PEER_EVENTS,
        "rounds": rounds,
        "per_1000": {name: {**vars(bills[name]), **times[name]} for name in contenders},
        "item_bytes": {name: items[name] for name in map(str, EVENTS_PER_LIMIT)},
    }


def check_and_count(endpoint: str, contender: Contender) -> tuple[Bill, list[Any]]:
    """Return the requests, and the stored items; exit if these are not the expected limits."""
    meter = Meter()
    lab = Lab(endpoint, meter)
    running = contender.start(lab)
    contender.run(running)
    bill = meter.bill().times(contender.scale)
    limits = running.limits()
    expected = limits_in_memory(contender.batches)
    if limits != expected:
        differing = {key for key, _ in limits.items() ^ expected.items()}
        sys.exit(f"{len(differing)} limits are not as they should be: nothing was measured")
    return bill, lab.items(running.table)


def limits_in_memory(batches: Batches) -> Limits:
    repository = MemoryRepository[Limit]()
    handler = KinesisHandler([UserLimitEventProcessor(repository)])
    for batch in batches:
        handler(batch, LocalContext(time.monotonic, time.monotonic() + 600))
    return limits_of(repository.scan())


def time_all(lab: Lab, contenders: Mapping[str, Contender], rounds: int) -> dict[str, Figures]:
    """Let the contenders take turns; return the ms of CPU and wall time per 1,000 events for each."""
    walls: dict[str, list[float]] = {name: [] for name in contenders}

    def preparing(name: str) -> Prepare:
        def prepare() -> Callable[[], float]:
            running = contenders[name].start(lab)

            def timed() -> float:
                begun, cpu = time.perf_counter(), time.process_time()
                contenders[name].run(running)
                cpu = time.process_time() - cpu
                walls[name].append(time.perf_counter() - begun)
                return cpu * contenders[name].scale

            return timed

        return prepare

    taken = take_turns({name: preparing(name) for name in contenders}, rounds)
    return {
        name: {
            "cpu_ms": taken.median(name) * 1_000,
            "wall_ms": median(walls[name][1:]) * contender.scale * 1_000,  # the first was a warm-up
            "get_and_put_cpu": taken.ratio(GET_AND_PUT, name),
            "idempotent_cpu": taken.ratio(IDEMPOTENT, name),
        }
        for name, contender in contenders.items()
    }


def sizes(items: list[Any]) -> Figures:
    """Return the sizes of new and full items: one unit writes 1,024 bytes."""
    full = [{"S": "x" * 20}] * RECENT_EVENT_IDS
    uuids = [{"S": "x" * 36}] * RECENT_EVENT_IDS
    return {
        "median": median(map(item_bytes, items)),
        "all_event_ids": median(item_bytes({**each, "recentEventIds": {"L": full}}) for each in items),
        "all_uuids": median(item_bytes({**each, "recentEventIds": {"L": uuids}}) for each in items),
    }
