"""The cost of a thousand events with DynamoDB, for 1, 5 and 50 events per limit, compared with two peers.

The handler reads and writes each limit of a batch once, however many events of the batch it has, and many
limits in one request. The peers read and write for each event: see dynamodb_peer.py.

A limit is *known* if the table has it, and *new* if not. A table in use knows most limits. In the *mix* half
of the events are of known ones.

How to read it: requests and units are counted in a separate pass, and are the same on every machine. Each
contender must compute the limits that the handler computes from the same records in memory; if one does not,
nothing is measured. CPU is the client's, in all its threads; beside it stands the CPU of the same batches in
memory, in the same round: that ratio hardly depends on the machine. Wall is mostly DynamoDB Local, one
process on the same machine: it says nothing about the time that a table on AWS takes.

The handler gets batches of 1,000, each with limits of its own. The peers are so slow that they get one batch
of fewer records: their work per record does not depend on the number of records, nor on their limits. All
figures are scaled to 1,000 events.
"""

import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.dynamodb_lab import Lab, Running
from benchmarks.records import EVENTS_PER_LIMIT, Invocation, handle_all, invocations
from benchmarks.results import Figures
from benchmarks.rounds import Prepare, take_turns
from kinesis_handler import configure_logging
from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.stores.dynamodb.size import item_bytes
from testkit.emulators.dynamodb_local import dynamodb_local
from testkit.emulators.local_settings import use_local_settings
from testkit.tables import Tables

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

Batches = Sequence[Invocation]


@dataclass
class Contender:
    """A way to handle records: its batches, and what was handled before they are measured."""

    start: Callable[[Lab], Running]
    batches: Batches
    before: Batches = ()

    @property
    def scale(self) -> float:
        """Factor that scales its figures to 1,000 events."""
        return 1_000 / sum(len(batch["Records"]) for batch in self.batches)


def our_contenders() -> Iterator[tuple[str, Contender]]:
    """Yield the handler with new limits, with known ones, and with as many events of these as of those."""
    for number in NUMBERS:
        yield (
            f"{NEW} {number}",
            Contender(Lab.handler, invocations(BATCHES, BATCH_SIZE, events_per_limit=number)),
        )
    for number in NUMBERS:
        twice = invocations(BATCHES, BATCH_SIZE, events_per_limit=number, passes=2)
        yield f"{KNOWN} {number}", Contender(Lab.handler, twice[1::2], twice[0::2])
    known, same, new, _ = (invocations(2 * BATCHES, BATCH_SIZE // 2, passes=2)[each::4] for each in range(4))
    mixed = [{"Records": a["Records"] + b["Records"]} for a, b in zip(same, new, strict=True)]
    yield MIX, Contender(Lab.handler, mixed, known)


def measure(*, full: bool) -> Figures:
    """Return the requests, units, CPU and wall time of each contender for 1,000 events."""
    use_local_settings()
    configure_logging("benchmark", "info", io.StringIO())
    rounds = 7 if full else 2
    few = invocations(1, PEER_EVENTS)
    ours = dict(our_contenders())
    contenders = {
        **ours,
        GET_AND_PUT: Contender(Lab.get_and_put, few),
        IDEMPOTENT: Contender(Lab.idempotent, few),
    }
    in_memory = {
        IN_MEMORY + name: Contender(Lab.memory, each.batches, each.before) for name, each in ours.items()
    }
    with dynamodb_local() as endpoint:
        tables = Tables(endpoint)
        lab = Lab(tables, counts=True)
        counted = {name: check_and_count(lab, contender) for name, contender in contenders.items()}
        times = time_all(Lab(tables), contenders | in_memory, rounds)
    return {
        "batch_size": BATCH_SIZE,
        "peer_events": PEER_EVENTS,
        "rounds": rounds,
        "per_1000": {name: {**counted[name][0], **times[name]} for name in contenders},
        "item_bytes": {str(number): counted[f"{NEW} {number}"][1] for number in NUMBERS},
    }


def check_and_count(lab: Lab, contender: Contender) -> tuple[Figures, Figures]:
    """Return the requests and units, and the sizes of items; exit if these are not the expected limits."""
    running, in_memory = contender.start(lab), lab.memory()
    handle_all(in_memory.handle, [*contender.before, *contender.batches])
    handle_all(running.handle, contender.before)
    before = len(lab.sent)
    handle_all(running.handle, contender.batches)
    sent = lab.sent[before:]
    limits, expected = running.limits(), in_memory.limits()
    if limits != expected:
        differing = {key for key, _ in limits.items() ^ expected.items()}
        sys.exit(f"{len(differing)} limits are not as they should be: nothing was measured")
    used = {
        "requests": len(sent),
        "reads": sum(each[0] for each in sent),
        "writes": sum(each[1] for each in sent),
    }
    return {name: number * contender.scale for name, number in used.items()}, sizes(lab.items(running.table))


def time_all(lab: Lab, contenders: Mapping[str, Contender], rounds: int) -> dict[str, Figures]:
    """Let the contenders take turns; return the ms of CPU and wall time per 1,000 events for each."""
    walls: dict[str, list[float]] = {name: [] for name in contenders}

    def preparing(name: str) -> Prepare:
        contender = contenders[name]

        def prepare() -> Callable[[], float]:
            running = contender.start(lab)
            handle_all(running.handle, contender.before)

            def timed() -> float:
                begun, cpu = time.perf_counter(), time.process_time()
                handle_all(running.handle, contender.batches)
                cpu = time.process_time() - cpu
                walls[name].append(time.perf_counter() - begun)
                return cpu * contender.scale

            return timed

        return prepare

    taken = take_turns({name: preparing(name) for name in contenders}, rounds)
    return {
        name: {
            "cpu_ms": taken.median(name) * 1_000,
            "wall_ms": median(walls[name][1:]) * contender.scale * 1_000,  # the first was a warm-up
            "get_and_put_cpu": taken.ratio(GET_AND_PUT, name),
            "idempotent_cpu": taken.ratio(IDEMPOTENT, name),
            **({"times_memory": taken.ratio(name, same)} if (same := IN_MEMORY + name) in contenders else {}),
        }
        for name, contender in contenders.items()
    }


def sizes(items: list[dict[str, Any]]) -> Figures:
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
