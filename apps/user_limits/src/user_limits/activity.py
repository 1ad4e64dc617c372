"""What happened to a limit: its last changes, and the totals of its last periods. Pure.

It is folded from the same events as the limit, on its own. It may begin anywhere in a stream: what the events
have not said so far is None. It refuses no event: one that the limit refuses would otherwise leave figures
behind for which a later one, that the limit takes, is refused here.
"""

from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler import Event
from user_limits.events import (
    LimitPayload,
    UserLimitCreated,
    UserLimitProgressChanged,
    UserLimitReset,
)
from user_limits.limit import ZERO

ChangeKind = Literal["CREATED", "REDEFINED", "PROGRESS", "RESET"]

MAX_CHANGES = 50
"""Changes that are stored of a limit. All are written with each event: see decision 33."""

MAX_PERIODS = 12
"""Periods that are stored of a limit, the running one included."""


class LimitChange(Struct, frozen=True, gc=False, array_like=True):
    """One change of a limit. It is stored without the names of its fields: they would be half of it.

    Args:
        at: when it happened, in milliseconds since epoch.
        kind: what happened.
        amount: what the progress changed by; what was reset; the new value of a limit that is defined. None
            if the event does not say it, or does not fit: it is in another currency, or its result has more
            digits than can be kept. Such an event leaves the figures as they were.
        progress: the progress after it; None if no event has said it yet.
        value: the limit's value after it; None if no event has said it yet.
    """

    at: int
    kind: ChangeKind
    amount: Decimal | None
    progress: Decimal | None
    value: Decimal | None


class PeriodTotal(Struct, frozen=True, gc=False, array_like=True):
    """How much of a limit was used in one period, from a reset to the next.

    Args:
        since: when it began, in milliseconds since epoch; None if that was not seen.
        until: when it was reset; None while it runs.
        progress: the progress at its end, or so far; None if no event has said it.
        value: the limit's value at its end, or now; None if no event has said it.
        changes: how often the progress changed in it, as far as it was seen.
    """

    since: int | None
    until: int | None
    progress: Decimal | None
    value: Decimal | None
    changes: int


class Activity(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What happened to one limit.

    Args:
        changes: the last MAX_CHANGES, oldest first. There is at least one.
        periods: the last MAX_PERIODS, oldest first. The last one runs.
        currency_code: of all amounts.
    """

    changes: tuple[LimitChange, ...]
    periods: tuple[PeriodTotal, ...]
    currency_code: str | None = None


_UNSEEN = PeriodTotal(since=None, until=None, progress=None, value=None, changes=0)
"""Stands for the period in which a limit was when its first event was seen."""

_NOTHING = Activity(changes=(), periods=(_UNSEEN,))
"""Stands for the activity of a limit of which no event has been seen."""


def record_change(activity: Activity | None, event: Event[LimitPayload]) -> Activity:
    """Return the activity after the event.

    To be called in the decimal context EXACT, in which a sum that would have to be rounded raises.
    """
    payload, before = event.payload, activity or _NOTHING
    *closed, running = before.periods
    currency, stated = before.currency_code, payload.currency_code
    if stated is not None and stated != currency and (_says_all(payload) or _takes_currency(before)):
        if currency is not None:  # what was known is in the other one
            running = replace(running, progress=None, value=None)
        currency = stated
    try:
        if stated is not None and currency is not None and stated != currency:
            change, periods = _without_figures(closed, running, payload, event.created_at)
        else:
            change, periods = _recorded(before, closed, running, payload, event.created_at)
    except ArithmeticError:
        change, periods = _without_figures(closed, running, payload, event.created_at)
    return Activity(
        changes=(*before.changes, change)[-MAX_CHANGES:],
        periods=periods[-MAX_PERIODS:],
        currency_code=currency,
    )


def _says_all(payload: LimitPayload) -> bool:
    """Tell whether an event says all there is to know of the figures, whatever was before."""
    if isinstance(payload, UserLimitReset):
        return payload.reset_amount is not None and payload.unused_amount is not None
    if isinstance(payload, UserLimitProgressChanged):
        return payload.previous_progress is not None and payload.remaining_amount is not None
    return True


def _takes_currency(activity: Activity) -> bool:
    """Tell whether any event decides the currency: the progress is known, and in none so far."""
    return activity.currency_code is None and activity.periods[-1].progress is not None


def _without_figures(
    closed: list[PeriodTotal], running: PeriodTotal, payload: LimitPayload, at: int
) -> tuple[LimitChange, tuple[PeriodTotal, ...]]:
    """Record that an event came which does not fit."""
    kind: ChangeKind = "REDEFINED"
    if isinstance(payload, UserLimitReset):
        kind = "RESET"
    elif isinstance(payload, UserLimitProgressChanged):
        kind = "PROGRESS"
    return LimitChange(at, kind, None, running.progress, running.value), (*closed, running)


def _recorded(
    before: Activity, closed: list[PeriodTotal], running: PeriodTotal, payload: LimitPayload, at: int
) -> tuple[LimitChange, tuple[PeriodTotal, ...]]:
    """Return what an event changed, and the periods after it."""
    if isinstance(payload, UserLimitReset):
        return _reset(closed, running, payload, at)
    if isinstance(payload, UserLimitProgressChanged):
        change = _change_progress(running, payload, at)
        running = replace(running, changes=running.changes + 1)
    else:
        change = _define(running, payload, at, is_first=not before.changes)
        if change.kind == "CREATED":
            running = replace(running, since=at)
    return change, (*closed, replace(running, progress=change.progress, value=change.value))


def _define(running: PeriodTotal, created: UserLimitCreated, at: int, *, is_first: bool) -> LimitChange:
    progress = created.progress if created.progress is not None else running.progress
    if progress is None and is_first:
        progress = ZERO
    is_new = is_first and created.previous_limit_value is None
    value = created.limit_value
    return LimitChange(at, "CREATED" if is_new else "REDEFINED", value, progress, value)


def _change_progress(running: PeriodTotal, changed: UserLimitProgressChanged, at: int) -> LimitChange:
    before = changed.previous_progress if changed.previous_progress is not None else running.progress
    progress = before + changed.amount if before is not None else None
    value = running.value
    if progress is not None and changed.remaining_amount is not None:
        value = progress + changed.remaining_amount
    return LimitChange(at, "PROGRESS", changed.amount, progress, value)


def _reset(
    closed: list[PeriodTotal], running: PeriodTotal, reset: UserLimitReset, at: int
) -> tuple[LimitChange, tuple[PeriodTotal, ...]]:
    """Close the running period and begin the next one. A period of which nothing is known leaves no trace."""
    amount, unused = reset.reset_amount, reset.unused_amount
    value = amount + unused if amount is not None and unused is not None else running.value
    used = amount if amount is not None else running.progress
    if used is not None or running.changes:
        closed = [*closed, replace(running, until=at, progress=used, value=value)]
    following = PeriodTotal(since=at, until=None, progress=ZERO, value=value, changes=0)
    return LimitChange(at, "RESET", used, ZERO, value), (*closed, following)
