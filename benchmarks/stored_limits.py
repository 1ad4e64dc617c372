"""Stored limits, and events that change them."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from benchmarks.records import Invocation
from kinesis_handler import Aggregate, Key
from kinesis_handler.local.event_source import put_on_shard
from kinesis_handler.stores import Change
from user_limits.events import LimitType, Period
from user_limits.limit import LastReset, Limit

TYPES: tuple[LimitType, ...] = ("DEPOSIT", "BET", "LOSS", "SESSION", "BALANCE")
PERIODS: tuple[Period, ...] = ("DAY", "CALENDAR_MONTH")

_BEGIN = 1_763_800_000_000
_DAY = 86_400_000


def stored_limit(user_id: str, limit_id: str, number: int) -> Change[Limit]:
    """Return an aggregate to store; the number distinguishes it from others."""
    at = _BEGIN + number * 104_729
    limit = Limit(
        user_id=user_id,
        limit_id=limit_id,
        value=Decimal(1_000 + number) + Decimal(number % 10) / 10,
        progress=Decimal(number) / 4,
        active_from=at - 30 * _DAY,
        next_reset_time=at + _DAY,
        type=TYPES[number % len(TYPES)],
        period=PERIODS[number // len(TYPES) % len(PERIODS)],
        currency_code="EUR",
        last_reset=LastReset(at - _DAY, Decimal(number % 500) + Decimal("0.50"), Decimal("1.25")),
    )
    aggregate = Aggregate(
        key=(user_id, limit_id),
        state=limit,
        version=number + 1,
        updated_at=at,
        sequence_number=0,
        record_sequence_number="1",
        record_sub_sequence_number=0,
        recent_event_ids=(f"event-{number}",),
    )
    return Change(None, aggregate)


def changes(keys: Sequence[Key], events_per_limit: int, first_number: int) -> Invocation:
    """Make a batch of changes of stored limits; their numbers rise from the first."""
    events = (
        (key[0], _change(key, first_number + number)) for number in range(events_per_limit) for key in keys
    )
    return {"Records": list(put_on_shard(events))}


def _change(key: Key, number: int) -> bytes:
    return msgspec.json.encode(
        {
            "aggregateId": key[0],
            "createdAt": _BEGIN + number,
            "eventId": f"{key[1]}-change-{number}",
            "payload": {"userId": key[0], "userLimitId": key[1], "amount": "0.25", "currencyCode": "EUR"},
            "sequenceNumber": number,
            "type": "USER_LIMIT_PROGRESS_CHANGED",
        }
    )
