"""The streams that all contenders get: synthetic, but with the shape and size of a real one."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle, islice
from random import Random
from string import ascii_letters, digits
from typing import Any

from kinesis_handler.lambda_types import LambdaRecord
from kinesis_handler.local.event_source import LocalContext, put_on_shard

EVENTS_PER_LIMIT = 5
LIMITS_PER_USER = 4

_BEGIN = 1_647_946_090_594
_DAY = 86_400_000

Invocation = dict[str, Any]
"""Invocation with which Lambda calls a handler."""


def invocations(
    batches: int, batch_size: int, *, events_per_limit: int = EVENTS_PER_LIMIT, passes: int = 1
) -> list[Invocation]:
    """Make batches. They are the same each time, except for arrival times.

    Each has limits of its own; with `passes`, so many batches in turn have the same ones.
    """
    random = Random(1)
    limits = max(1, round(batch_size / events_per_limit))
    records = put_on_shard(
        event
        for _ in range(batches)
        for event in islice(_events(random, limits, events_per_limit), passes * batch_size)
    )
    return [{"Records": [next(records) for _ in range(batch_size)]} for _ in range(passes * batches)]


def stream(events: int, *, events_per_limit: int = EVENTS_PER_LIMIT) -> list[LambdaRecord]:
    """Make one stream, to be cut into batches of any size."""
    [invocation] = invocations(1, events, events_per_limit=events_per_limit)
    records: list[LambdaRecord] = invocation["Records"]
    return records


def cut(records: Sequence[LambdaRecord], batch_size: int) -> list[Invocation]:
    """Cut a stream into batches."""
    return [
        {"Records": list(records[start : start + batch_size])} for start in range(0, len(records), batch_size)
    ]


def handle_all(function: Callable[[Any, Any], Any], batches: Sequence[Invocation]) -> None:
    """Let a Lambda function handle batches, which it must not fail: its figures would be wrong."""
    for batch in batches:
        failures = function(batch, LocalContext(time.monotonic, time.monotonic() + 600))["batchItemFailures"]
        if failures:
            sys.exit(f"{len(failures)} of the records failed: nothing was measured")


def data_bytes(records: Sequence[LambdaRecord]) -> int:
    """Return how many bytes the producers have put."""
    return sum(len(each["kinesis"]["data"].rstrip("=")) * 3 // 4 for each in records)


@dataclass
class _Limit:
    limit_id: str
    user_id: str
    value: Decimal
    progress: Decimal | None = None


def _events(random: Random, limits: int, events_per_limit: int) -> Iterator[tuple[str, bytes]]:
    """Yield (partition key, content) without end: each limit's creation, then its changes, all mixed."""
    users = [_identifier(random) for _ in range(-(-limits // LIMITS_PER_USER))]
    order = [
        _Limit(_identifier(random), users[index // LIMITS_PER_USER], Decimal(random.randint(10, 500) * 100))
        for index in range(limits)
    ] * events_per_limit
    random.shuffle(order)
    numbers = dict.fromkeys(users, 0)
    for at, limit in enumerate(cycle(order), _BEGIN + 1):
        event_type, payload = _creation(limit, at) if limit.progress is None else _change(random, limit)
        numbers[limit.user_id] += random.randint(1, 3)
        event = {
            "aggregateId": limit.user_id,
            "context": {"correlationId": _identifier(random)},
            "createdAt": at,
            "eventId": _identifier(random),
            "payload": {
                "brandId": "000000000000000000000001",
                "currencyCode": "SEK",
                "nextResetTime": _BEGIN + _DAY,
                "userId": limit.user_id,
                "userLimitId": limit.limit_id,
                **payload,
            },
            "sequenceNumber": numbers[limit.user_id],
            "source": "limitUser",
            "type": event_type,
        }
        yield limit.user_id, json.dumps(event, separators=(",", ":")).encode()


def _creation(limit: _Limit, at: int) -> tuple[str, dict[str, Any]]:
    limit.progress = Decimal(0)
    payload = {"activeFrom": at, "period": "DAY", "status": "ACTIVE", "type": "DEPOSIT"}
    return "USER_LIMIT_CREATED", {**payload, "value": str(limit.value)}


def _change(random: Random, limit: _Limit) -> tuple[str, dict[str, Any]]:
    before = limit.progress or Decimal(0)
    amount = Decimal(random.randint(1, 25_000)).scaleb(-2)
    if before + amount > limit.value:  # it would get a remark, with a line in the log for each
        amount = -before
    limit.progress = before + amount
    return "USER_LIMIT_PROGRESS_CHANGED", {
        "amount": str(amount),
        "previousProgress": str(before),
        "remainingAmount": str(limit.value - limit.progress),
    }


def _identifier(random: Random) -> str:
    return "".join(random.choices(ascii_letters + digits, k=20))
