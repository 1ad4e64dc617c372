"""What one event costs: the handler beside a floor and a peer, and in batches of three sizes.

Three contenders are given the same 10,000 records:

* the handler: KinesisHandler and UserLimitEventProcessor on an empty MemoryRepository, its log rendered;
* the floor: each record decoded from base64 and JSON, untyped, and thrown away;
* the peer: Powertools for AWS Lambda with Pydantic models and the same rules: see powertools_peer.py.

How to read it: they take turns in one process, because the speed of a machine drifts. What counts is the
best round of each, the one that was disturbed least, and the ratio of these. The median of the ratios
within each round stands beside it: where the two are far apart, the machine was too busy to tell.

First the handler and the peer must come to the same limits; if they do not, nothing is measured.
"""

import gc
import io
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median

import msgspec
import pybase64

from kinesis_handler import KinesisHandler, configure_logging
from kinesis_handler.event_source import LocalContext
from kinesis_handler.repository.memory import MemoryRepository
from powertools_peer import PowertoolsPeer
from records import EVENTS_PER_LIMIT, Invocation, invocations
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

EVENTS = 10_000
BATCH_SIZES = (100, 1_000, 10_000)
ROUNDS = 30

FLOOR_AIM = 2.5
PEER_AIM = 2.5

FLOOR, PEER = "floor", "peer"

Run = Callable[[], object]
Timings = Mapping[str, list[float]]


def context() -> LocalContext:
    """Return what Lambda hands over beside the invocation."""
    return LocalContext(time.monotonic, time.monotonic() + 60)


def main() -> None:
    configure_logging("benchmark", "info", io.StringIO())
    batches = {size: invocations(EVENTS // size, size) for size in BATCH_SIZES}
    whole = batches[EVENTS][0]
    check(whole)
    timings = measure(
        {
            FLOOR: lambda: partial(run_floor, whole),
            **{ours(size): partial(prepare_handler, batches[size]) for size in BATCH_SIZES},
            PEER: lambda: partial(PowertoolsPeer(), whole, context()),
        }
    )
    report_contenders(timings)
    report_batch_sizes(timings)
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs")


def ours(batch_size: int) -> str:
    return f"handler, batches of {batch_size:,}"


def run_floor(invocation: Invocation) -> None:
    for record in invocation["Records"]:
        msgspec.json.decode(pybase64.b64decode(record["kinesis"]["data"], None, True))  # noqa: FBT003 - as the handler does


def prepare_handler(batches: list[Invocation]) -> Run:
    handler = KinesisHandler([UserLimitEventProcessor(MemoryRepository())])
    return partial(run_handler, handler, batches)


def run_handler(handler: KinesisHandler, batches: list[Invocation]) -> None:
    for invocation in batches:
        handler(invocation, context())


def check(invocation: Invocation) -> None:
    """Exit unless the handler and the peer make the same of the records."""
    repository = MemoryRepository[Limit]()
    handler, peer = KinesisHandler([UserLimitEventProcessor(repository)]), PowertoolsPeer()
    for response in handler(invocation, context()), peer(invocation, context()):
        if response["batchItemFailures"]:
            sys.exit(f"{len(response['batchItemFailures'])} of the records failed: nothing was measured")
    told = {each.key: (each.state.progress, each.state.value, each.version) for each in repository.scan()}
    told_by_peer = {key: (each.progress, each.value, each.version) for key, each in peer.limits.items()}
    if told != told_by_peer:
        differing = {key for key, _ in told.items() ^ told_by_peer.items()}
        sys.exit(f"the handler and the peer differ in {len(differing)} limits: nothing was measured")


def measure(contenders: Mapping[str, Callable[[], Run]]) -> Timings:
    """Let the contenders take turns. What a contender needs to begin is made before the clock runs."""
    timings: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, prepare in contenders.items():
            run = prepare()
            gc.collect()  # or each would also pay for what the one before it left
            started = time.perf_counter()
            run()
            timings[name].append(time.perf_counter() - started)
    return timings


def report_contenders(timings: Timings) -> None:
    handler = ours(EVENTS)
    limits = EVENTS // EVENTS_PER_LIMIT
    print(f"{EVENTS:,} events of {limits:,} limits in one batch: best of {ROUNDS} rounds, ratios of these")
    print()
    print(f"{'':12}{'µs/event':>10}{'events/s':>12}{'x floor':>10}")
    for title, name in (("floor", FLOOR), ("handler", handler), ("peer", PEER)):
        cost = microseconds(timings, name)
        ratio = best_ratio(timings, name, FLOOR)
        print(f"{title:12}{cost:10.2f}{1_000_000 / cost:12,.0f}{ratio:10.2f}")
    print()
    report_aim("The handler's time is", timings, (handler, FLOOR), f"the floor's; aim: at most {FLOOR_AIM}")
    report_aim("The handler's speed is", timings, (PEER, handler), f"the peer's; aim: at least {PEER_AIM}")
    print()


def report_aim(begin: str, timings: Timings, names: tuple[str, str], end: str) -> None:
    best, middle = best_ratio(timings, *names), median_ratio(timings, *names)
    print(f"{begin} {best:.2f} times (median of the rounds: {middle:.2f}) {end}")


def report_batch_sizes(timings: Timings) -> None:
    smallest = ours(BATCH_SIZES[0])
    print("The handler by batch size; aim: flat")
    print()
    print(f"{'records':12}{'µs/event':>10}{'x smallest':>12}{'median':>10}")
    for size in BATCH_SIZES:
        name = ours(size)
        best, middle = best_ratio(timings, name, smallest), median_ratio(timings, name, smallest)
        print(f"{size:<12,}{microseconds(timings, name):10.2f}{best:12.2f}{middle:10.2f}")
    print()


def microseconds(timings: Timings, name: str) -> float:
    """Return what one event cost in the best round."""
    return min(timings[name]) / EVENTS * 1_000_000


def best_ratio(timings: Timings, name: str, other: str) -> float:
    return min(timings[name]) / min(timings[other])


def median_ratio(timings: Timings, name: str, other: str) -> float:
    return median(a / b for a, b in zip(timings[name], timings[other], strict=True))


if __name__ == "__main__":
    main()
