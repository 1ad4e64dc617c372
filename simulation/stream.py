"""The stream: events in the order of their sender, on shards that are split and merged."""

import gzip
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from random import Random
from typing import Literal

import pybase64
from aws_kinesis_agg.aggregator import RecordAggregator
from msgspec import Struct, field
from msgspec.structs import replace

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.shard import lambda_record

STREAM = "arn:aws:kinesis:eu-west-1:000000000000:stream/simulated"
FIRST_NUMBER = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
DAMAGED = {
    "empty": b"",
    "cut": b"{",
    "no text": b"\xff",
    "no object": b"[]",
    "incomplete": b'{"eventId":"x"}',
    "no gzip": b"\x1f\x8b broken",
    "no KPL record": b"\xf3\x89\x9a\xc2 broken",
}


class Sent(Struct, frozen=True, omit_defaults=True):
    """An event that the producer sends. Stream and shards follow from these alone.

    Args:
        partition_key: of its record.
        text: the event as JSON; of a damaged one, the name of its data.
        failing: names of the readers that cannot apply it until that is mended.
        rejects: whether they reject it from then on.
        packing: how it is put: plain, gzipped, or in a KPL record with the one before it.
        shards: number of shards that the stream has from here on, in place of those that it had; 0 for these.
    """

    partition_key: str
    text: str
    failing: tuple[str, ...] = ()
    rejects: bool = False
    packing: Literal["plain", "gzip", "joined"] = "plain"
    shards: int = 0

    @property
    def is_damaged(self) -> bool:
        """Whether it is no event."""
        return self.text in DAMAGED

    @property
    def event_id(self) -> str:
        """Its id; empty if it is damaged."""
        return "" if self.is_damaged else self.text.partition('"eventId":"')[2].partition('"')[0]

    @property
    def data(self) -> bytes:
        """The bytes of it."""
        return DAMAGED[self.text] if self.is_damaged else self.text.encode()


def packed(random: Random, count: int, sent: Iterable[Sent]) -> list[Sent]:
    """Draw how events are put on the stream: where its shards are split and merged, and what is gzipped."""
    cuts = {random.randrange(count): random.randint(1, 3) for _ in range(random.randint(0, 2))}
    share = random.choice((0, 0.05))
    found: list[Sent] = []
    for number, each in enumerate(sent):
        found.append(replace(each, shards=cuts[number]) if number in cuts else each)
        if share and random.random() < share:
            found[-1] = replace(found[-1], packing=random.choice(("gzip", "joined")))
    return found


class Shard(Struct):
    """A shard: the events of each record, and the shards that have to be drained before it is read.

    Its records are made when they are delivered: all of a long run take more memory than all else.
    """

    name: str
    parents: tuple["Shard", ...] = ()
    sent: list[list[Sent]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """The sequence number of each record."""
    arrived: dict[int, float] = field(default_factory=dict)
    """When each record was delivered first, by its index."""

    def deliver(self, index: int, now: float) -> LambdaRecord:
        """Return a record as Lambda delivers it. It arrives when it is delivered first."""
        sent, number = self.sent[index], str(self.numbers[index])
        data = pybase64.b64encode_as_string(_packed(sent))
        arrived_at = self.arrived.setdefault(index, now)
        return lambda_record(STREAM, self.name, number, sent[0].partition_key, data, arrived_at)


def shards_of(events: Sequence[Sent]) -> list[Shard]:
    """Put events on shards. Where an event says so all of these are closed, and others go on."""
    shards = [Shard("shardId-000000000000")]
    current, number = shards[:], FIRST_NUMBER
    shard_of: dict[str, Shard] = {}
    waiting: dict[str, list[Sent]] = {}
    """By partition key, the events of a record that is not complete."""

    def put(sent: list[Sent]) -> None:
        nonlocal number
        number += 1_000_003
        key = sent[0].partition_key
        shard = shard_of.get(key)
        if shard is None:
            index = blake2b(key.encode(), digest_size=1).digest()[0] % len(current)
            shard = shard_of[key] = current[index]
        shard.numbers.append(number)
        shard.sent.append(sent)

    for each in events:
        if each.shards:
            for sent in waiting.values():
                put(sent)
            waiting.clear()
            shard_of.clear()
            parents = tuple(current)
            current = [Shard(f"shardId-{len(shards) + index:012d}", parents) for index in range(each.shards)]
            shards += current
        before = waiting.get(each.partition_key)
        if before is not None and each.packing == "joined":
            before.append(each)
            continue
        if before is not None:
            put(before)
        waiting[each.partition_key] = [each]
    for sent in waiting.values():
        put(sent)
    return shards


def _packed(sent: Sequence[Sent]) -> bytes:
    """Return the data of a record: of one event, or of several in a KPL record, by AWS's own library."""
    if len(sent) == 1:
        return gzip.compress(sent[0].data, 1, mtime=0) if sent[0].packing == "gzip" else sent[0].data
    writer = RecordAggregator()
    for each in sent:
        writer.add_user_record(each.partition_key, each.data)
    data: bytes = writer.clear_and_get().get_contents()[2]
    return data
