"""The cost of one event in memory, compared with a floor and two peers, in batches of five sizes.

Five contenders get the same 10,000 records, cut into batches of the same size. The handler is KinesisHandler
and UserLimitEventProcessor on an empty MemoryRepository, its log rendered. The Node peer runs in a separate
process, which runs ten streams before the first that counts, and measures its own time as the others do.
"""

from collections.abc import Sequence
from functools import partial

import msgspec
import pybase64

from benchmarks.node_peer import NodePeer, node_peer
from benchmarks.powertools_peer import PowertoolsPeer
from benchmarks.records import (
    EVENTS_PER_LIMIT,
    Handler,
    Invocation,
    Limits,
    check,
    cut,
    data_bytes,
    handle_all,
)
from benchmarks.results import Figures
from benchmarks.rounds import Prepare, clocked, take_turns
from kinesis_handler.envelopes import Native
from kinesis_handler.ingest.event import EventDecoder
from kinesis_handler.ingest.record import unpack
from kinesis_handler.lambda_types import LambdaRecord
from testkit.emulators.npm_package import run
from user_limits.events import EVENT_TYPES

LIMITS = 2_000
EVENTS = LIMITS * EVENTS_PER_LIMIT
BATCH_SIZES = (1, 10, 100, 1_000, 10_000)
NODE_WARM_UP = 10
CHECKED_SIZE = 1_000


def measure(*, full: bool) -> Figures:
    """Return µs per event of each contender, and how they compare, by batch size."""
    rounds = 15 if full else 4
    records = Limits().batch(range(LIMITS))["Records"]
    with node_peer(records) as node:
        check_all(records, node)
        for _ in range(NODE_WARM_UP):
            node.run(CHECKED_SIZE)
        sizes = {str(size): compare(cut(records, size), size, node, rounds) for size in BATCH_SIZES}
    return {
        "events": EVENTS,
        "limits": LIMITS,
        "rounds": rounds,
        "record_bytes": data_bytes(records) / EVENTS,
        "node": run(["node", "--version"]).stdout.strip().removeprefix("v"),
        "sizes": sizes,
    }


def compare(batches: Sequence[Invocation], size: int, node: NodePeer, rounds: int) -> Figures:
    decoder = EventDecoder(Native())
    decoder.register(EVENT_TYPES)
    contenders: dict[str, Prepare] = {
        "floor": lambda: clocked(partial(decode, batches), EVENTS),
        "validated": lambda: clocked(partial(validate, decoder, batches), EVENTS),
        "ours": lambda: clocked(partial(handle_all, Handler(), batches), EVENTS),
        "powertools": lambda: clocked(partial(handle_all, PowertoolsPeer(), batches), EVENTS),
        "node": lambda: lambda: {"us": node.run(size)["seconds"] / EVENTS * 1_000_000},
    }
    taken = take_turns(contenders, rounds)
    return {
        "us": {each: taken.medians(each)["us"] for each in contenders},
        "times_floor": taken.compared("ours", "floor", "us"),
        "times_validated": taken.compared("ours", "validated", "us"),
        "times_powertools": taken.compared("powertools", "ours", "us"),
        "times_node": taken.compared("node", "ours", "us"),
    }


def decode(batches: Sequence[Invocation]) -> None:
    for batch in batches:
        for record in batch["Records"]:
            msgspec.json.decode(pybase64.b64decode(record["kinesis"]["data"], None, True))  # noqa: FBT003 - as the handler does


def validate(decoder: EventDecoder, batches: Sequence[Invocation]) -> None:
    for batch in batches:
        for record, content in unpack(batch["Records"]):
            assert isinstance(content, bytes)  # noqa: S101 - none of these is broken
            decoder.decode(record, content)


def check_all(records: Sequence[LambdaRecord], node: NodePeer) -> None:
    """Exit unless all compute the same limits from a stream."""
    ours, peer = Handler(), PowertoolsPeer()
    for each in (ours, peer):
        handle_all(each, cut(records, CHECKED_SIZE))
    check("Powertools", peer.limits(), ours)
    check("Node", node.limits(CHECKED_SIZE), ours)
