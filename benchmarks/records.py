"""The records that all contenders get: synthetic, but with the shape and size of real ones."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import msgspec

from kinesis_handler import Aggregate, Key, KinesisHandler
from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import LocalContext, put_on_shard
from kinesis_handler.stores import Repository
from kinesis_handler.stores.dynamodb.item import ItemCodec
from kinesis_handler.stores.memory import MemoryRepository
from testkit.tables import PARTITION_KEY, SORT_KEY
from user_limits.limit import Limit
from user_limits.processor import UserLimitEventProcessor

EVENTS_PER_LIMIT = 5
LIMITS_PER_USER = 4

BEGIN, DAY = 1_647_946_090_594, 86_400_000
VALUE = Decimal(10_000_000)
"""Value of each limit: no progress reaches it, or each event would have a line in the log."""

Invocation = dict[str, Any]
"""Invocation with which Lambda calls a handler."""

StoredLimit = tuple[Key, Any, int]
"""Key of a limit, the limit and its version, as each contender shows what it has stored."""

_codec = ItemCodec(Limit, PARTITION_KEY, SORT_KEY)


class Limits:
    """Makes events, the same each time: the creation of each limit, then changes of its progress."""

    def __init__(self) -> None:
        self._random = Random(1)
        self._numbers = count(1)
        self._progress: dict[int, Decimal] = {}

    def event(self, limit: int) -> tuple[str, bytes]:
        """Return the partition key and the data of the next event of a limit."""
        key, number, before = key_of(limit), next(self._numbers), self._progress.get(limit)
        if before is None:
            self._progress[limit] = Decimal(0)
            created = {"activeFrom": BEGIN, "period": "DAY", "status": "ACTIVE", "type": "DEPOSIT"}
            return key[0], fact("USER_LIMIT_CREATED", key, number, value=VALUE, **created)
        amount = Decimal(self._random.randint(1, 25_000)).scaleb(-2)
        after = self._progress[limit] = before + amount
        figures = {"amount": amount, "previousProgress": before, "remainingAmount": VALUE - after}
        return key[0], fact("USER_LIMIT_PROGRESS_CHANGED", key, number, **figures)

    def batch(self, limits: Iterable[int], events: int = EVENTS_PER_LIMIT) -> Invocation:
        """Return a batch with so many events of each of these limits, all mixed."""
        order = [*limits] * events
        self._random.shuffle(order)
        return {"Records": list(put_on_shard(map(self.event, order)))}


def key_of(limit: int) -> Key:
    """Return the ids of the user and of the limit, of 20 characters each."""
    return f"user-{limit // LIMITS_PER_USER:015}", f"limit-{limit:014}"


def fact(event_type: str, key: Key, number: int, **payload: object) -> bytes:
    """Return the data of an event; a later one has a higher number."""
    always = {"brandId": f"{1:024}", "currencyCode": "SEK", "nextResetTime": BEGIN + DAY}
    event = {
        "aggregateId": key[0],
        "context": {"correlationId": f"{number:020}"},
        "createdAt": BEGIN + number,
        "eventId": f"event-{number:014}",
        "payload": {**always, "userId": key[0], "userLimitId": key[1], **payload},
        "sequenceNumber": number,
        "source": "limitUser",
        "type": event_type,
    }
    return msgspec.json.encode(event)


class Handler(KinesisHandler):
    """The handler that stores limits in a repository, or in memory."""

    def __init__(self, repository: Repository[Limit] | None = None) -> None:
        self.repository = MemoryRepository() if repository is None else repository
        super().__init__([UserLimitEventProcessor(self.repository)])

    def limits(self) -> Iterable[StoredLimit]:
        """Return each limit, with its key and its version."""
        return ((each.key, each.state, each.version) for each in self.repository.scan())


def cut(records: Sequence[LambdaRecord], batch_size: int) -> list[Invocation]:
    """Cut a stream into batches."""
    return [
        {"Records": list(records[start : start + batch_size])} for start in range(0, len(records), batch_size)
    ]


def data_bytes(records: Sequence[LambdaRecord]) -> int:
    """Return how many bytes the producers have put."""
    return sum(len(each["kinesis"]["data"].rstrip("=")) * 3 // 4 for each in records)


def handle_all(function: Callable[[Any, Any], Any], batches: Iterable[Invocation]) -> None:
    """Let a Lambda function handle batches, which it must not fail: its figures would be wrong."""
    for batch in batches:
        failures = function(batch, LocalContext(time.monotonic, time.monotonic() + 600))["batchItemFailures"]
        if failures:
            sys.exit(f"{len(failures)} of the records failed: nothing was measured")


def item_of(aggregate: Aggregate[Any]) -> dict[str, Any]:
    """Return the attributes of an aggregate's item in a table."""
    return {**_codec.key_attributes(aggregate.key), **_codec.attributes(aggregate)}


def check(contender: str, limits: Iterable[StoredLimit], expected: Handler) -> None:
    """Exit unless a contender has stored the expected limits: to the hundredth, for a peer has floats."""
    found, right = (
        {(key, f"{limit.progress:.2f}", f"{limit.value:.2f}", version) for key, limit, version in each}
        for each in (limits, expected.limits())
    )
    if found != right:
        sys.exit(f"{contender} differs in {len(found ^ right)} limits: nothing was measured")
