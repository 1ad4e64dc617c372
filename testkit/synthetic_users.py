"""Events of synthetic users, for a load: reproducible from a seed, and a few users have most of them."""

from bisect import bisect
from decimal import Decimal
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from kinesis_handler import Key
from user_limits.events import LimitType, Period

DAY = 86_400_000

LIMITS: tuple[tuple[LimitType, Period, int], ...] = (
    ("DEPOSIT", "CALENDAR_WEEK", 500_00),
    ("BET", "DAY", 100_00),
    ("LOSS", "CALENDAR_MONTH", 1_000_00),
)
"""Limits of each user: type, period, and value in hundredths."""

LARGEST_AMOUNT = 25_00


class SyntheticEvent(NamedTuple):
    """A synthetic event, and how to recognise that it has been applied.

    Args:
        partition_key: partition key of its record.
        data: data of its record.
        created_at: milliseconds since epoch.
        key: key of the aggregate that it changes.
        sequence_number: the producer's; the aggregate has it, or a higher one, after it has been applied.
    """

    partition_key: str
    data: bytes
    created_at: int
    key: Key
    sequence_number: int


class _Known(Struct):
    """State of a limit after its events, in hundredths."""

    value: int
    progress: int = 0


class SyntheticUsers:
    """Generates events that are all applied, without any remark.

    By Zipf's law the second user has half as many as the first, the third a third. A limit is created, then
    its progress grows, and when it has reached its value it is reset. Numbers rise with the time, so the
    events of a later run are new to a store that knows those of an earlier one.

    Args:
        seed: the same seed generates the same events, at the same times.
        users: number of users.
    """

    def __init__(self, seed: int, users: int) -> None:
        self._seed = seed
        self._random = Random(seed)  # noqa: S311 - it must be repeatable, not secret
        self._shares = list(accumulate(1 / rank for rank in range(1, users + 1)))
        self._numbers: dict[str, int] = {}
        self._limits: dict[Key, _Known] = {}
        self._made = 0

    def event(self, created_at: int) -> SyntheticEvent:
        """Return the next event, created at a time in milliseconds since epoch. None of them is refused."""
        rank = bisect(self._shares, self._random.random() * self._shares[-1], hi=len(self._shares) - 1)
        user_id = f"load-{self._seed}-{rank + 1}"
        kind = self._random.choice(LIMITS)
        key = user_id, f"{user_id}-{kind[0].lower()}"
        number = max(self._numbers.get(user_id, 0) + 1, created_at)
        self._numbers[user_id] = number
        self._made += 1
        event_type, payload = self._payload(key, kind, created_at)
        event = {
            "eventId": f"{user_id}-{number}",
            "type": event_type,
            "createdAt": created_at,
            "aggregateId": user_id,
            "sequenceNumber": number,
            "source": "load",
            "context": {"correlationId": f"load-{self._seed}-{self._made}"},
            "payload": {"userId": user_id, "userLimitId": key[1], "currencyCode": "EUR", **payload},
        }
        return SyntheticEvent(user_id, msgspec.json.encode(event), created_at, key, number)

    def _payload(
        self, key: Key, kind: tuple[LimitType, Period, int], created_at: int
    ) -> tuple[str, dict[str, Any]]:
        limit_type, period, value = kind
        known = self._limits.get(key)
        if known is None:
            self._limits[key] = _Known(value)
            # With the progress: the store may know this limit from an earlier run.
            created = {"type": limit_type, "period": period, "value": _amount(value), "progress": "0"}
            return "USER_LIMIT_CREATED", {**created, "nextResetTime": created_at + DAY}
        if known.progress == known.value:
            known.progress = 0
            reset = {"resetAmount": _amount(known.value), "unusedAmount": "0"}
            return "USER_LIMIT_RESET", {**reset, "nextResetTime": created_at + DAY}
        before = known.progress
        known.progress = min(before + self._random.randint(1, LARGEST_AMOUNT), known.value)
        return "USER_LIMIT_PROGRESS_CHANGED", {
            "amount": _amount(known.progress - before),
            "previousProgress": _amount(before),
            "remainingAmount": _amount(known.value - known.progress),
        }


def _amount(hundredths: int) -> Decimal:
    return Decimal(hundredths).scaleb(-2)
