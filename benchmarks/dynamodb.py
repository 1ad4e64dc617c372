"""What one event costs with DynamoDB: the handler beside two peers, and by what its batches are like.

The handler reads and writes each limit of a batch once, however many of the batch's events are about it, and
many limits in one request. The peers read and write for each event: see dynamodb_peers.py.

How to read it: requests and units are counted in a pass of its own, and are the same on every machine. Each
contender must come to the limits that the handler makes of the same records in memory; if one does not,
nothing is measured. CPU is what the client takes, in all its threads: the best round of each. Wall is mostly
DynamoDB Local, one process on the same machine: it says nothing of the time that a table on AWS takes.

The peers take so long that they are given fewer records: what they do for one does not depend on how many
there are. All figures are scaled to the 10,000 of the handler.
"""

import base64
import gc
import io
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from dynamodb_lab import Lab, Limits, Running, limits_of
from dynamodb_units import Bill, Meter, item_bytes
from kinesis_handler import KinesisHandler, configure_logging
from kinesis_handler.aggregate import RECENT_EVENT_IDS
from kinesis_handler.event_source import LocalContext
from kinesis_handler.repository.memory import MemoryRepository
from local_aws import dynamodb_local, use_local_settings
from records import EVENTS_PER_LIMIT, Invocation, invocations
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

EVENTS = 10_000
FEWER = 2_000
PEER_EVENTS = 500
ROUNDS = 3

REQUESTS_AIM = 20
CPU_AIM = 8
WRITES_AIM = 5

WHOLE, GET_AND_PUT, IDEMPOTENT = "one of 10,000", "get + put", "idempotency"

Batches = Sequence[Invocation]


@dataclass
class Contender:
    """A way to handle records, and the batches it is given."""

    start: Callable[[Lab], Running]
    batches: Batches

    @property
    def events(self) -> int:
        return sum(len(batch["Records"]) for batch in self.batches)

    def run(self, running: Running) -> None:
        for batch in self.batches:
            context = LocalContext(time.monotonic, time.monotonic() + 600)
            if failures := running.handle(batch, context)["batchItemFailures"]:
                sys.exit(f"{len(failures)} of the records failed: their figures would be wrong")


@dataclass
class Cost:
    """What EVENTS records cost. Times are in µs for each."""

    bill: Bill
    cpu: float
    wall: float


Costs = Mapping[str, Cost]


def main() -> None:
    use_local_settings()
    configure_logging("benchmark", "info", io.StringIO())
    shapes = batches_by_shape()
    few = invocations(1, PEER_EVENTS)
    contenders = {shape: Contender(Lab.handler, batches) for shape, batches in shapes.items()}
    contenders[GET_AND_PUT] = Contender(Lab.get_and_put, few)
    contenders[IDEMPOTENT] = Contender(Lab.idempotent, few)
    with dynamodb_local() as endpoint:
        bills, items = {}, {}
        for name, contender in contenders.items():
            bills[name], items[name] = check_and_count(endpoint, contender)
        times = measure(Lab(endpoint), contenders)
    costs = {name: Cost(bills[name], *times[name]) for name in contenders}
    report_contenders(costs)
    report_shapes(shapes, costs)
    report_items(items[WHOLE])
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs")


def batches_by_shape() -> Mapping[str, Batches]:
    """Make one batch, smaller ones with limits of their own, and such as are cut from one stream."""
    [stream] = invocations(1, FEWER)
    records = stream["Records"]
    return {
        WHOLE: invocations(1, EVENTS),
        "1,000": invocations(FEWER // 1_000, 1_000),
        "100": invocations(FEWER // 100, 100),
        "100, as cut": [{"Records": records[start : start + 100]} for start in range(0, FEWER, 100)],
    }


def check_and_count(endpoint: str, contender: Contender) -> tuple[Bill, list[Any]]:
    """Return what is sent, and the items that are stored; exit if these are not the limits they should be."""
    meter = Meter()
    lab = Lab(endpoint, meter)
    running = contender.start(lab)
    contender.run(running)
    scale = EVENTS / contender.events
    bill = meter.bill().times(scale)
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


def measure(lab: Lab, contenders: Mapping[str, Contender]) -> Mapping[str, tuple[float, float]]:
    """Let the contenders take turns; return the best (CPU, wall) of each in µs per event."""
    best = dict.fromkeys(contenders, (math.inf, math.inf))
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            running = contender.start(lab)
            gc.collect()  # or each would also pay for what the one before it left
            began, cpu_began = time.perf_counter(), time.process_time()
            contender.run(running)
            cpu, wall = time.process_time() - cpu_began, time.perf_counter() - began
            scale = 1_000_000 / contender.events
            best[name] = min(best[name][0], cpu * scale), min(best[name][1], wall * scale)
    return best


def report_contenders(costs: Costs) -> None:
    limits = EVENTS // EVENTS_PER_LIMIT
    print(f"{EVENTS:,} events of {limits:,} limits, DynamoDB Local; times per event, best of {ROUNDS} rounds")
    print()
    print(f"{'':26}{'requests':>10}{'write units':>13}{'read units':>12}{'CPU µs':>10}{'wall µs':>10}")
    for title, name in (
        ("kinesis-handler, one batch", WHOLE),
        ("get + put per event", GET_AND_PUT),
        ("Powertools idempotency", IDEMPOTENT),
    ):
        cost = costs[name]
        print(
            f"{title:26}{cost.bill.requests:10,.0f}{cost.bill.writes:13,.0f}{cost.bill.reads:12,.0f}"
            f"{cost.cpu:10,.0f}{cost.wall:10,.0f}"
        )
    print()
    print(f"The peers had {PEER_EVENTS:,} of these events; their figures are scaled.")
    print()
    ours, plain, idempotent = costs[WHOLE], costs[GET_AND_PUT], costs[IDEMPOTENT]
    for begin, ratio, end in (
        (
            "get + put sends",
            plain.bill.requests / ours.bill.requests,
            f"the requests; aim: at least {REQUESTS_AIM}",
        ),
        ("get + put takes", plain.cpu / ours.cpu, f"the client's CPU; aim: at least {CPU_AIM}"),
        (
            "idempotency takes",
            idempotent.bill.writes / ours.bill.writes,
            f"the write units; aim: at least {WRITES_AIM}",
        ),
    ):
        print(f"{begin} {ratio:.1f} times {end}")
    print()


def report_shapes(shapes: Mapping[str, Batches], costs: Costs) -> None:
    """Show what the saving depends on: how many events of a batch are about the same limit."""
    plain, idempotent = costs[GET_AND_PUT], costs[IDEMPOTENT]
    print(f"The handler by its batches, for {EVENTS:,} events in all")
    print("x: how many times that get + put takes, and of write units Powertools idempotency")
    print()
    print(
        f"{'batches of':14}{'events/limit':>13}{'requests':>10}{'x':>7}{'write units':>13}{'x':>6}"
        f"{'CPU µs':>9}{'x':>6}{'wall µs':>9}"
    )
    for shape, batches in shapes.items():
        cost = costs[shape]
        print(
            f"{shape:14}{events_per_limit(batches):13.1f}"
            f"{cost.bill.requests:10,.0f}{plain.bill.requests / cost.bill.requests:7.0f}"
            f"{cost.bill.writes:13,.0f}{idempotent.bill.writes / cost.bill.writes:6.1f}"
            f"{cost.cpu:9,.0f}{plain.cpu / cost.cpu:6.1f}{cost.wall:9,.0f}"
        )
    print()


def events_per_limit(batches: Batches) -> float:
    """Return how many events of a batch are about the same limit, on average."""
    limits = events = 0
    for batch in batches:
        payloads = [
            json.loads(base64.b64decode(each["kinesis"]["data"]))["payload"] for each in batch["Records"]
        ]
        limits += len({payload["userLimitId"] for payload in payloads})
        events += len(payloads)
    return events / limits


def report_items(items: list[Any]) -> None:
    """Show whether an item stays within the 1,024 bytes that one unit writes."""
    now, later, longest = [], [], []
    for item in items:
        now.append(item_bytes(item))
        later.append(item_bytes({**item, "recentEventIds": {"L": [{"S": "x" * 20}] * RECENT_EVENT_IDS}}))
        longest.append(item_bytes({**item, "recentEventIds": {"L": [{"S": "x" * 36}] * RECENT_EVENT_IDS}}))
    print(f"An item has {median(now):,.0f} bytes (median; the largest: {max(now):,}); one unit writes 1,024.")
    print(
        f"When it knows {RECENT_EVENT_IDS} event ids, not {EVENTS_PER_LIMIT}: {median(later):,.0f} bytes; "
        f"if these are UUIDs: {median(longest):,.0f}."
    )
    print()


if __name__ == "__main__":
    main()
