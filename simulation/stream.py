"""The stream: events of a bank, generated from a seed, on shards that are split and merged."""

import base64
import gzip
from collections import defaultdict, deque
from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import Literal

from aws_kinesis_agg.aggregator import RecordAggregator
from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.shard import lambda_record

EVENTS_PER_ACCOUNT, ACCOUNTS_PER_CUSTOMER = 25, 3
EVENTS_PER_FAILURE = 400
"""One event in so many fails until it is mended, on the average."""
REPEATED, LATE, BROKEN = 0.05, 0.02, 0.005
"""Part of the events that the producer sends twice, too late, or damaged."""
GREETED, CLOSED, PAID = 0.01, 0.03, 0.25
"""Part of the events that nobody here takes, that close an account, and that are of two accounts."""
REMEMBERED = 8
"""How many events back the producer may send one twice: aggregates know more than these."""

STREAM = "arn:aws:kinesis:eu-west-1:000000000000:stream/bank"
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
        customer: the partition key.
        text: the event as JSON; of a damaged one, the name of its data.
        failing: names of the projections that cannot apply it until that is mended.
        rejects: whether they reject it from then on.
        packing: how it is put: plain, gzipped, or in a KPL record with the one before it.
        shards: number of shards that the stream has from here on, in place of those that it had; 0 for these.
    """

    customer: str
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


def events_of(seed: int, count: int) -> list[Sent]:
    """Generate events."""
    random = Random(f"{seed}/events")
    producer = _Producer(random, count)
    cuts = {random.randrange(count): random.randint(1, 3) for _ in range(random.randint(0, 2))}
    packs = random.choice((0, 0.05))
    sent: list[Sent] = []
    for number in range(count):
        each = producer.send(number + 1)
        if number in cuts:
            each = replace(each, shards=cuts[number])
        if packs and random.random() < packs:
            each = replace(each, packing=random.choice(("gzip", "joined")))
        sent.append(each)
    return sent


class _Producer:
    """Sends events of several customers, some of them twice, too late, or damaged."""

    def __init__(self, random: Random, count: int) -> None:
        self._random = random
        per_customer = EVENTS_PER_ACCOUNT * ACCOUNTS_PER_CUSTOMER
        self._customers = [f"c{number}" for number in range(max(1, count // per_customer))]
        self._numbered = {each for each in self._customers if random.random() < 0.6}
        self._troubled = {each for each in self._customers if random.random() < 0.6}
        """Customers of whom some events fail. None of theirs comes too late: whether it then counted would
        depend on whether an earlier one is rejected in the end."""
        self._failing = 1.6 / (EVENTS_PER_FAILURE * random.choice((0.25, 1, 4)))
        self._last: dict[str, int] = defaultdict(int)
        self._recent: dict[str, deque[Sent]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def send(self, number: int) -> Sent:
        """Send an event: a new one, most often."""
        draw = self._random.random
        customer = self._customers[int(draw() * len(self._customers))]
        drawn = draw()
        if drawn < REPEATED:
            recent = self._recent[customer]
            if recent:
                return recent[int(draw() * len(recent))]
        elif drawn > 1 - BROKEN:
            return Sent(customer, self._random.choice(list(DAMAGED)))
        sent = Sent(customer, self._event(customer, number, is_late=drawn < REPEATED + LATE))
        if customer in self._troubled and draw() < self._failing:
            failing = self._random.choice((("accounts",), ("journal",), ("accounts", "journal")))
            sent = Sent(customer, sent.text, failing, rejects=draw() < 0.2)
        self._recent[customer].append(sent)
        return sent

    def _event(self, customer: str, number: int, *, is_late: bool) -> str:
        draw = self._random.random
        account, kind = f"a{int(draw() * ACCOUNTS_PER_CUSTOMER)}", draw()
        payload = f'"customer":"{customer}","account":"{account}","number":{number}'
        name = "MOVED"
        if kind < GREETED:
            name = "GREETED"
        elif kind < GREETED + CLOSED:
            name = "CLOSED"
        elif kind < GREETED + CLOSED + PAID:
            name, payload = "PAID", f'{payload},"to":"a{int(draw() * ACCOUNTS_PER_CUSTOMER)}"'
        sequence = ""
        if customer in self._numbered:
            last = self._last[customer] = self._last[customer] + 1 + int(draw() * 3)
            late = 1 + int(draw() * 6) if is_late and customer not in self._troubled else 0
            sequence = f',"sequenceNumber":{max(last - late, 0)}'
        return (
            f'{{"eventId":"e{number}","type":"{name}","createdAt":{1_700_000_000_000 + number}{sequence},'
            f'"payload":{{{payload}}}}}'
        )


class Shard(Struct):
    """A shard: its records, and the shards that have to be drained before it is read."""

    name: str
    records: list[LambdaRecord]
    parents: tuple["Shard", ...] = ()
    settled: int = 0
    busy: bool = False

    @property
    def is_drained(self) -> bool:
        """Whether all of its records are settled."""
        return self.settled == len(self.records)

    @property
    def is_begun(self) -> bool:
        """Whether it may be read: its parents are drained."""
        return all(each.is_drained for each in self.parents)

    @property
    def is_open(self) -> bool:
        """Whether it can be read on: it is not drained, and nobody is at it."""
        return not self.busy and not self.is_drained and self.is_begun


def shards_of(events: Sequence[Sent]) -> list[Shard]:
    """Put events on shards. Where an event says so all of these are closed, and others go on."""
    shards = [Shard("shardId-000000000000", [])]
    current, number = shards[:], FIRST_NUMBER
    shard_of: dict[str, Shard] = {}
    waiting: dict[str, list[Sent]] = {}
    """By customer, the events of a record that is not complete."""

    def put(sent: list[Sent]) -> None:
        nonlocal number
        number += 1_000_003
        customer = sent[0].customer
        shard = shard_of.get(customer)
        if shard is None:
            index = blake2b(customer.encode(), digest_size=1).digest()[0] % len(current)
            shard = shard_of[customer] = current[index]
        data = base64.b64encode(_packed(sent)).decode()
        shard.records.append(lambda_record(STREAM, shard.name, str(number), customer, data, 0))

    for each in events:
        if each.shards:
            for sent in waiting.values():
                put(sent)
            waiting.clear()
            shard_of.clear()
            parents = tuple(current)
            current = [
                Shard(f"shardId-{len(shards) + index:012d}", [], parents) for index in range(each.shards)
            ]
            shards += current
        if each.packing == "joined" and each.customer in waiting:
            waiting[each.customer].append(each)
            continue
        if each.customer in waiting:
            put(waiting[each.customer])
        waiting[each.customer] = [each]
    for sent in waiting.values():
        put(sent)
    return shards


def _packed(sent: Sequence[Sent]) -> bytes:
    """Return the data of a record: of one event, or of several in a KPL record, by AWS's own library."""
    if len(sent) == 1:
        return gzip.compress(sent[0].data, 1, mtime=0) if sent[0].packing == "gzip" else sent[0].data
    writer = RecordAggregator()
    for each in sent:
        writer.add_user_record(each.customer, each.data)
    data: bytes = writer.clear_and_get().get_contents()[2]
    return data
