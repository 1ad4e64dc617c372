"""The stream: events of limits, generated from a seed, in the shapes and with the flaws of real ones."""

import gzip
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import md5
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from aws_kinesis_agg.aggregator import RecordAggregator
from msgspec.json import Encoder

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import SequenceNumbers, put_on_shard

EVENTS_PER_LIMIT = 8
"""Average number of events per limit. A few limits have most of them, by Zipf's law."""
LIMITS_PER_USER = 3
USERS_PER_UNNUMBERED = 8
"""One user in so many has no producer's numbers: the producer numbers all events of a user, or none."""

KINDS = {
    "fact": 801,
    "repeat": 100,
    "stale": 40,
    "foreign": 30,
    "broken": 22,
    "inexact": 5,
    "failing": 2,
}
"""Frequency of each kind of event, per thousand events."""

FACTS = {"progress": 85, "reset": 5, "partial reset": 5, "created": 5}
"""Frequency of each change of a known limit, per hundred events."""

FIRST = {"created": 90, "reset": 5, "whole progress": 5}
"""Frequency of each first event of a limit, per hundred limits. From all but the first it is rebuilt."""
OPTIONAL_FIELD = 0.3
"""Probability that an event contains each of its optional figures."""

PACKINGS = {"plain": 85, "gzipped": 11, "aggregated": 4}
"""Frequency of each form of a record, per hundred events."""

BROKEN = (
    b"",
    b"{",
    b"\xff",
    b"[]",
    b'{"eventId":"x"}',
    b'{"eventId":"x","type":"USER_LIMIT_RESET","createdAt":1,"payload":{"userId":"x"}}',
    b'{"eventId":"x","type":"USER_LIMIT_CREATED","createdAt":1,"payload":{"userId":"x","value":"NaN"}}',
    b'{"eventId":"x","type":"USER_LIMIT_CREATED","createdAt":true,"payload":{}}',
    gzip.compress(b'{"eventId":"x"}', mtime=0)[:-4],
    b"\xf3\x89\x9a\xc2 is how an aggregated record begins",
)

_DEFINITION = {
    "name": "Daily bets",
    "brandId": "brand-1",
    "type": "BET",
    "period": "DAY",
    "activeUntil": 1_800_000_000_000,
    "nextResetTime": 1_700_000_086_400,
    "previousLimitValue": Decimal("12.50"),
}
"""Optional fields of a limit's definition."""

_BEGIN = 1_700_000_000_000
_RECENT = 2_000
_AS_TEXT, _AS_NUMBERS = Encoder(), Encoder(decimal_format="number")


class _Sent(NamedTuple):
    """An event that the producer sends."""

    partition_key: str
    content: bytes


@dataclass
class _User:
    user_id: str
    numbered: bool
    number: int = 0


@dataclass
class _Limit:
    limit_id: str
    user: _User
    known: bool = False
    number: int = 0


def shards_of(seed: int, events: int, shards: int, clock: Callable[[], float]) -> list[list[LambdaRecord]]:
    """Generate a number of events, and put them on shards."""
    random = Random(f"{seed}/events")
    on_shard: list[list[_Sent]] = [[] for _ in range(shards)]
    for sent in _Producer(random, events).events(events):
        # As in Kinesis, each shard has a part of the range of hashes.
        digest = md5(sent.partition_key.encode(), usedforsecurity=False).digest()
        on_shard[int.from_bytes(digest) * shards >> 128].append(sent)
    numbers = SequenceNumbers()  # of the run, for reproducibility
    names = [f"shardId-{index:012d}" for index in range(shards)]
    return [
        list(put_on_shard(_packed(random, each), shard_id=name, clock=clock, numbers=numbers))
        for name, each in zip(names, on_shard, strict=True)
    ]


class _Producer:
    """Sends events, some of them twice, too late, or broken."""

    def __init__(self, random: Random, events: int) -> None:
        self._random = random
        limits = max(events // EVENTS_PER_LIMIT, 1)
        users = [
            _User(f"user-{number}", numbered=number % USERS_PER_UNNUMBERED > 0)
            for number in range(-(-limits // LIMITS_PER_USER))
        ]
        self._limits = [_Limit(f"limit-{number}", random.choice(users)) for number in range(limits)]
        self._shares = list(accumulate(1 / rank for rank in range(1, limits + 1)))
        self._recent: deque[_Sent] = deque(maxlen=_RECENT)
        self._sent = 0

    def events(self, count: int) -> Iterator[_Sent]:
        make = {
            "fact": self._fact,
            "stale": self._stale,
            "foreign": self._foreign,
            "broken": self._broken,
            "inexact": self._inexact,
            "failing": self._failing,
        }
        kinds = self._random.choices(list(KINDS), list(KINDS.values()), k=count)
        for kind in kinds:
            if kind == "repeat" and self._recent:
                yield self._random.choice(self._recent)
                continue
            made = make.get(kind, self._fact)()
            self._recent.append(made)
            yield made

    def _fact(self) -> _Sent:
        limit = self._limit()
        if limit.known:
            kind = self._random.choices(list(FACTS), list(FACTS.values()))[0]
        else:
            kind = self._random.choices(list(FIRST), list(FIRST.values()))[0]
        limit.known = True
        return self._event(limit, *self._payload(kind))

    def _stale(self) -> _Sent:
        limit = self._limit()
        if not (limit.known and limit.user.numbered):
            return self._fact()
        late = max(limit.number - self._random.randint(0, 3), 0)
        return self._event(limit, *self._payload("progress"), number=late)

    def _foreign(self) -> _Sent:
        return self._event(self._limit(), "LIMIT_USER_CREATED", {})

    def _broken(self) -> _Sent:
        limit = self._limit()
        return _Sent(limit.user.user_id, self._random.choice(BROKEN))

    def _inexact(self) -> _Sent:
        """Send an event that is valid, but leads to more digits than can be stored."""
        limit = self._limit()
        if not limit.known:
            return self._fact()
        event_type, payload = self._payload("progress")
        payload |= {"previousProgress": Decimal(100), "amount": Decimal("1E-37")}
        return self._event(limit, event_type, payload)

    def _failing(self) -> _Sent:
        """Send an event that is refused each time: a change of an unknown limit, or in another currency."""
        limit = self._random.choice(self._limits)
        event_type, payload = self._payload("progress")
        if limit.known:
            payload["currencyCode"] = "SEK"
        else:
            payload.pop("remainingAmount", None)  # with it, the event could say all there is to know
        return self._event(limit, event_type, payload)

    def _limit(self) -> _Limit:
        return self._limits[bisect(self._shares, self._random.random() * self._shares[-1])]

    def _event(
        self, limit: _Limit, event_type: str, payload: dict[str, Any], number: int | None = None
    ) -> _Sent:
        user = limit.user
        self._sent += 1
        event = {
            "eventId": f"event-{self._sent}",
            "type": event_type,
            "createdAt": _BEGIN + self._sent,
            "payload": {"userId": user.user_id, "userLimitId": limit.limit_id, **payload},
            "aggregateId": user.user_id,
        }
        if user.numbered:
            if number is None:
                user.number += self._random.randint(1, 3)
                number = limit.number = user.number
            event["sequenceNumber"] = number
        encoder = self._random.choice((_AS_TEXT, _AS_NUMBERS))
        return _Sent(user.user_id, encoder.encode(event))

    def _payload(self, kind: str) -> tuple[str, dict[str, Any]]:
        amount, payload = self._amount, dict[str, Any]()
        if kind == "created":
            return "USER_LIMIT_CREATED", {"value": amount(), "currencyCode": "EUR", **self._some(_DEFINITION)}
        if kind == "whole progress":
            payload = {"amount": amount() - 50, "previousProgress": amount(), "remainingAmount": amount()}
            return "USER_LIMIT_PROGRESS_CHANGED", payload
        if kind == "progress":
            optional = {"previousProgress": amount(), "remainingAmount": amount(), "currencyCode": "EUR"}
            return "USER_LIMIT_PROGRESS_CHANGED", {"amount": amount() - 50, **self._some(optional)}
        payload = {"currencyCode": "EUR", "nextResetTime": _BEGIN + self._sent}
        if kind == "reset":
            payload |= {"type": "BET", "period": "DAY", "resetAmount": amount(), "unusedAmount": amount()}
        return "USER_LIMIT_RESET", payload

    def _some(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if self._random.random() < OPTIONAL_FIELD}

    def _amount(self) -> Decimal:
        return Decimal(self._random.randint(0, 20_000)).scaleb(-2)


def _packed(random: Random, events: Sequence[_Sent]) -> Iterator[tuple[str, bytes]]:
    """Pack events into records: plain, gzipped, or some of them in a KPL record."""
    start = 0
    while start < len(events):
        [how] = random.choices(list(PACKINGS), list(PACKINGS.values()))
        part = events[start : start + 1]
        content = part[0].content
        if how == "aggregated":
            part = events[start : start + random.randint(2, 8)]
            content = _aggregated(part)
        elif how == "gzipped":
            content = gzip.compress(content, mtime=0)
        yield part[0].partition_key, content
        start += len(part)


def _aggregated(events: Sequence[_Sent]) -> bytes:
    """Write events with AWS's own library, which is independent of our reader."""
    writer = RecordAggregator()
    for each in events:
        writer.add_user_record(each.partition_key, each.content)
    data: bytes = writer.clear_and_get().get_contents()[2]
    return data
