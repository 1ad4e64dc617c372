"""Limits to store."""

from decimal import Decimal

from kinesis_handler import Aggregate
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
