"""What happened to a limit: its last changes, and the totals of its last periods. Pure.

It is folded from the same events as the limit, on its own. It may begin anywhere in a stream: what the events
have not said so far is None, and no event is refused for it.
"""

from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler import Event, RejectedError
from user_limits.events import (
    EXACT,
    LimitPayload,
    UserLimitCreated,
    UserLimitProgressChanged,
    UserLimitReset,
)
from user_limits.limit import ZERO, check_currency

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
        amount: what the progress changed by; what was reset; the new value of a limit that is defined.
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


def record_change(activity: Activity | None, event: Event[LimitPayload]) -> Activity:
    """Return the activity after the event.

    To be called in the decimal context EXACT, in which a sum that would have to be rounded raises.

    Raises BusinessError and RejectedError as the limit's own fold does, at the same events: for another
    currency, and for a result that has more digits than can be kept.
    """
    payload = event.payload
    currency = activity.currency_code if activity is not None else None
    if payload.currency_code != currency:
        check_currency(currency, payload.currency_code)
    try:
        change, periods = _recorded(activity, payload, event.created_at)
    except ArithmeticError as error:
        raise RejectedError(f"an exact result has more than {EXACT.prec} digits") from error
    before = activity.changes if activity is not None else ()
    return Activity(
        changes=(*before, change)[-MAX_CHANGES:],
        periods=periods[-MAX_PERIODS:],
        currency_code=payload.currency_code or currency,
    )


def _recorded(
    activity: Activity | None, payload: LimitPayload, at: int
) -> tuple[LimitChange, tuple[PeriodTotal, ...]]:
    """Return what an event changed, and the periods after it."""
    *closed, running = activity.periods if activity is not None else (_UNSEEN,)
    if isinstance(payload, UserLimitReset):
        return _reset(closed, running, payload, at)
    if isinstance(payload, UserLimitProgressChanged):
        change = _change_progress(running, payload, at)
        running = replace(running, changes=running.changes + 1)
    else:
        change = _define(activity, running, payload, at)
        if change.kind == "CREATED":
            running = replace(running, since=at)
    return change, (*closed, replace(running, progress=change.progress, value=change.value))


def _define(
    activity: Activity | None, running: PeriodTotal, created: UserLimitCreated, at: int
) -> LimitChange:
    is_new = activity is None and created.previous_limit_value is None
    progress = created.progress if created.progress is not None else running.progress
    if activity is None and progress is None:
        progress = ZERO
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
