"""The stream that every contender is given: made up, but of the shape and size of a real one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from string import ascii_letters, digits
from typing import Any

from kinesis_handler.event_source import put_on_shard

EVENTS_PER_LIMIT = 5
LIMITS_PER_USER = 4

_BEGIN = 1_647_946_090_594
_DAY = 86_400_000

Invocation = dict[str, Any]
"""What Lambda calls a handler with."""


def invocations(batches: int, batch_size: int) -> list[Invocation]:
    """Make batches, each with limits of its own. They are the same each time, but for their arrival times."""
    random = Random(1)
    records = put_on_shard(
        event for _ in range(batches) for event in _events(random, batch_size // EVENTS_PER_LIMIT)
    )
    return [{"Records": [next(records) for _ in range(batch_size)]} for _ in range(batches)]


@dataclass
class _User:
    user_id: str
    events: int = 0


@dataclass
class _Limit:
    limit_id: str
    user: _User
    value: Decimal
    progress: Decimal | None = None


def _events(random: Random, limits: int) -> Iterator[tuple[str, bytes]]:
    """Yield (partition key, content): each limit's creation, then its changes, mixed with the others'."""
    users = [_User(_identifier(random)) for _ in range(-(-limits // LIMITS_PER_USER))]
    order = [
        _Limit(_identifier(random), users[index // LIMITS_PER_USER], Decimal(random.randint(10, 500) * 100))
        for index in range(limits)
    ] * EVENTS_PER_LIMIT
    random.shuffle(order)
    for at, limit in enumerate(order, _BEGIN):
        yield limit.user.user_id, json.dumps(_event(random, limit, at), separators=(",", ":")).encode()


def _event(random: Random, limit: _Limit, at: int) -> dict[str, Any]:
    user = limit.user
    user.events += random.randint(1, 3)
    if limit.progress is None:
        event_type, payload = "USER_LIMIT_CREATED", _creation(limit, at)
    else:
        event_type, payload = "USER_LIMIT_PROGRESS_CHANGED", _change(random, limit, limit.progress)
    return {
        "aggregateId": user.user_id,
        "context": {"correlationId": _identifier(random)},
        "createdAt": at,
        "eventId": _identifier(random),
        "payload": payload,
        "sequenceNumber": user.events,
        "source": "limitUser",
        "type": event_type,
    }


def _creation(limit: _Limit, at: int) -> dict[str, Any]:
    limit.progress = Decimal(0)
    return {
        "activeFrom": at,
        "brandId": "000000000000000000000001",
        "currencyCode": "SEK",
        "nextResetTime": _BEGIN + _DAY,
        "period": "DAY",
        "status": "ACTIVE",
        "type": "DEPOSIT",
        "userId": limit.user.user_id,
        "userLimitId": limit.limit_id,
        "value": str(limit.value),
    }


def _change(random: Random, limit: _Limit, before: Decimal) -> dict[str, Any]:
    amount = Decimal(random.randint(1, 25_000)).scaleb(-2)
    limit.progress = before + amount
    return {
        "amount": str(amount),
        "brandId": "000000000000000000000001",
        "currencyCode": "SEK",
        "nextResetTime": _BEGIN + _DAY,
        "previousProgress": str(before),
        "remainingAmount": str(limit.value - limit.progress),
        "userId": limit.user.user_id,
        "userLimitId": limit.limit_id,
    }


def _identifier(random: Random) -> str:
    return "".join(random.choices(ascii_letters + digits, k=20))
