"""Generates events that continue from the stored limits, for demonstrations only."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count, islice
from random import Random
from typing import Any

import msgspec

from kinesis_handler import Aggregate
from kinesis_handler.stores import ReadableRepository
from user_limits.limit import Limit
from user_limits.view import percentage

DAY = 86_400_000
PERIOD = {"WEEK": 7 * DAY, "CALENDAR_WEEK": 7 * DAY, "MONTH": 30 * DAY, "CALENDAR_MONTH": 30 * DAY}
"""Milliseconds by which a reset moves the next one; a day for any other period."""

FULL = 110
"""Percentage from which a limit is reset, so that not all bars become full."""

ENOUGH = 1_000
"""Most stored limits that are read for each event."""

STEPS = [Decimal(step) / 100 for step in range(1, 9)]
"""Changes of the progress, as fractions of the value."""


def demo_events(
    limits: ReadableRepository[Limit], *, seed: int = 1, clock: Callable[[], float] = time.time
) -> Iterator[tuple[str, bytes]]:
    """Yield (user id, event) without end: progress changes, and an occasional reset.

    Each event continues from the stored state at that time; a limit whose reset is due is reset first. The
    iterator ends if nothing is stored.
    """
    random = Random(seed)  # noqa: S311 - the same demonstration each time, and no secret
    for number in count(1):
        found = limits.scan(on_unreadable=lambda *_: None)  # others still get events
        stored = sorted(islice(found, ENOUGH), key=lambda each: each.key)
        if not stored:
            return
        now = int(clock() * 1_000)
        due = [each for each in stored if (each.state.next_reset_time or now + 1) <= now]
        chosen = random.choice(due or stored)
        yield chosen.key[0], msgspec.json.encode(_event(chosen, number, random, now))


def _event(aggregate: Aggregate[Limit], number: int, random: Random, now: int) -> dict[str, Any]:
    limit = aggregate.state
    ids = {"userId": limit.user_id, "userLimitId": limit.limit_id, "currencyCode": limit.currency_code}
    is_due = limit.next_reset_time is not None and limit.next_reset_time <= now
    if is_due or (limit.progress > 0 and percentage(limit) >= FULL):
        event_type, payload = "USER_LIMIT_RESET", _reset(limit, now)
    else:
        amount = (limit.value * random.choice(STEPS)).quantize(Decimal("0.01"))
        event_type, payload = "USER_LIMIT_PROGRESS_CHANGED", {"amount": amount}
    event = {
        "eventId": f"live-{now}-{number}",
        "type": event_type,
        "createdAt": now,
        "aggregateId": limit.user_id,
        "payload": ids | payload,
    }
    if aggregate.sequence_number is not None:
        event["sequenceNumber"] = aggregate.sequence_number + 1
    return event


def _reset(limit: Limit, now: int) -> dict[str, Any]:
    """Return a reset; the next one comes a period later, behind now."""
    period, due = PERIOD.get(limit.period or "", DAY), limit.next_reset_time
    following = None if due is None else due + period * (max(now - due, 0) // period + 1)
    return {"resetAmount": limit.progress, "nextResetTime": following}
