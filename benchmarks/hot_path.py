"""The cost of one event in memory, compared with a floor and two peers, in batches of five sizes.

Five contenders get the same 10,000 records, cut into batches of the same size:

* the handler: KinesisHandler and UserLimitEventProcessor on an empty MemoryRepository, its log rendered;
* the floor: each record decoded from base64 and JSON, untyped, and discarded;
* validated: each record decoded and validated by the schemas of the events, and discarded. No handler that
  validates its input can be faster, whatever it does afterwards;
* Powertools for AWS Lambda with Pydantic models and the same rules: see powertools_peer.py;
* the Node peer: yup, pino, and the same rules on a Map: see node_peer/handler.cjs. It runs in a separate
  process, which runs ten streams before the first that counts, and measures its own time as the others do.

How they take turns: see rounds.py.

First all must compute the same limits; if they do not, nothing is measured.
"""

import io
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pybase64

from benchmarks.node_peer import NodePeer, node_peer
from benchmarks.powertools_peer import PowertoolsPeer
from benchmarks.records import EVENTS_PER_LIMIT, Invocation, cut, data_bytes, handle_all, stream
from benchmarks.results import Figures
from benchmarks.rounds import Prepare, Run, clocked, take_turns
from kinesis_handler import Key, KinesisHandler, configure_logging
from kinesis_handler.envelopes import Native
from kinesis_handler.ingest.event import EventDecoder
from kinesis_handler.ingest.record import unpack
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.stores.memory import MemoryRepository
from testkit.emulators.npm_package import run
from user_limits.events import EVENT_TYPES
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

EVENTS = 10_000
BATCH_SIZES = (1, 10, 100, 1_000, 10_000)
NODE_WARM_UP = 10

CHECKED_SIZE = 1_000

FLOOR, VALIDATED, OURS, POWERTOOLS, NODE = "floor", "validated", "ours", "powertools", "node"


def measure(*, full: bool) -> Figures:
    """Return µs per event of each contender, and how they compare, by batch size and by mix."""
    configure_logging("benchmark", "info", io.StringIO())
    rounds = 15 if full else 4
    records = stream(EVENTS)
    with node_peer(records) as node:
        check(records, node)
        for _ in range(NODE_WARM_UP):
            node.seconds(CHECKED_SIZE)
        sizes = {str(size): compare(cut(records, size), size, node, rounds) for size in BATCH_SIZES}
    return {
        "events": EVENTS,
        "limits": EVENTS // EVENTS_PER_LIMIT,
        "rounds": rounds,
        "record_bytes": data_bytes(records) / EVENTS,
        "node": run(["node", "--version"]).stdout.strip().removeprefix("v"),
        "sizes": sizes,
    }


def compare(batches: Sequence[Invocation], size: int, node: NodePeer, rounds: int) -> Figures:
    contenders: dict[str, Prepare] = {
        FLOOR: lambda: clocked(partial(run_floor, batches)),
        VALIDATED: lambda: clocked(prepare_validation(batches)),
        OURS: lambda: clocked(prepare_handler(batches)),
        POWERTOOLS: lambda: clocked(partial(handle_all, PowertoolsPeer(), batches)),
        NODE: lambda: partial(node.seconds, size),
    }
    taken = take_turns(contenders, rounds)
    return {
        "us": {each: taken.median(each) / EVENTS * 1_000_000 for each in contenders},
        "times_floor": taken.compared(OURS, FLOOR),
        "times_validated": taken.compared(OURS, VALIDATED),
        "times_powertools": taken.compared(POWERTOOLS, OURS),
        "times_node": taken.compared(NODE, OURS),
    }


def run_floor(batches: Sequence[Invocation]) -> None:
    for batch in batches:
        for record in batch["Records"]:
            msgspec.json.decode(pybase64.b64decode(record["kinesis"]["data"], None, True))  # noqa: FBT003 - as the handler does


def prepare_validation(batches: Sequence[Invocation]) -> Run:
    decoder = EventDecoder(Native())
    decoder.register(EVENT_TYPES)

    def run() -> None:
        for batch in batches:
            for record, content in unpack(batch["Records"]):
                assert isinstance(content, bytes)  # noqa: S101 - none of these is broken
                decoder.decode(record, content)

    return run


def prepare_handler(batches: Sequence[Invocation]) -> Run:
    return partial(handle_all, KinesisHandler([UserLimitEventProcessor(MemoryRepository())]), batches)


def check(records: Sequence[LambdaRecord], node: NodePeer) -> None:
    """Exit unless all compute the same limits from a stream. Node's floats are compared to the hundredth."""
    batches = cut(records, CHECKED_SIZE)
    repository, peer = MemoryRepository[Limit](), PowertoolsPeer()
    handle_all(KinesisHandler([UserLimitEventProcessor(repository)]), batches)
    handle_all(peer, batches)
    expected = {limit_row(each.key, each.state, each.version) for each in repository.scan()}
    by_powertools = {limit_row(key, each, each.version) for key, each in peer.limits.items()}
    by_node = {tuple(each) for each in node.limits(CHECKED_SIZE)}
    for contender, limits in {"Node": by_node, "Powertools": by_powertools}.items():
        if limits != expected:
            sys.exit(f"{contender} differs in {len(limits ^ expected)} limits: nothing was measured")


def limit_row(key: Key, limit: Any, version: int) -> tuple[Any, ...]:
    return *key, f"{limit.progress:.2f}", f"{limit.value:.2f}", version
