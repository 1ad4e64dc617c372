"""A user limit, and what each event does to it. Pure.

The stream states facts. Nothing here argues with one: it is taken over, and where it does not fit what was
known, a remark says so. Only two things are refused: an event of a limit that is not known, and one in
another currency than the limit's.
"""

from decimal import Decimal
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from kinesis_handler import BusinessError, Event, RejectedError, Remark, Remarked
from user_limits.events import (
    EXACT,
    LimitPayload,
    LimitStatus,
    LimitType,
    Period,
    UserLimitCreated,
    UserLimitProgressChanged,
    UserLimitReset,
)

T = TypeVar("T")

ZERO = Decimal(0)

REBUILT = Remark("rebuilt", "the limit was not known: it has been rebuilt from the figures of the event")
DRIFT = Remark("drift", "the event's figures are not those that were known: an event was missed")
EXCEEDED = Remark("exceeded", "the progress is above the limit's value")


class LastReset(Struct, frozen=True, gc=False, rename="camel"):
    """The last reset: when it was (ms since epoch), and the figures that it stated."""

    at: int
    amount: Decimal | None
    percentage: Decimal | None


class Limit(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One limit of one user. Amounts are exact, times in milliseconds since epoch.

    Args:
        value: what the progress may come to. Its unit is the currency's, for a session seconds.
        progress: how much of the value has been used since the last reset. It may be above the value.
        next_reset_time: when the progress will be reset; None if it is not known.
        previous_value: the value before the last redefinition, as the producer knows it.
        last_reset: None if there was none since the limit is known.
        type, period: None if they are not known: a limit that was rebuilt from a change of its progress has
            them from its next reset or definition on.
        rebuilt: its creation was not seen, it has been rebuilt from the figures of an event.
        drifted_at: when an event last told figures that were not the known ones; None if none ever did.
    """

    user_id: str
    limit_id: str
    value: Decimal
    progress: Decimal = ZERO
    status: LimitStatus = "ACTIVE"
    active_from: int
    active_until: int | None = None
    next_reset_time: int | None = None
    type: LimitType | None = None
    period: Period | None = None
    name: str | None = None
    brand_id: str | None = None
    currency_code: str | None = None
    previous_value: Decimal | None = None
    last_reset: LastReset | None = None
    rebuilt: bool = False
    drifted_at: int | None = None


def apply(limit: Limit | None, event: Event[LimitPayload]) -> Limit | Remarked[Limit]:
    """Return the limit after the event, with a remark on each thing that is odd about it.

    To be called in the decimal context EXACT, in which a sum that would have to be rounded raises.

    Raises BusinessError if the event needs a limit that is not known, or is in another currency, and
    RejectedError if an exact result has more digits than can be kept.
    """
    payload = event.payload
    if limit is not None and payload.currency_code != limit.currency_code:
        _check_currency(limit, payload)
    try:
        if isinstance(payload, UserLimitProgressChanged):
            after, remark = _change_progress(limit, payload, event.created_at)
        elif isinstance(payload, UserLimitReset):
            after, remark = _reset(limit, payload, event.created_at)
        else:
            after, remark = _create(limit, payload, event.created_at), None
    except ArithmeticError as error:
        raise RejectedError(f"an exact result has more than {EXACT.prec} digits") from error
    exceeded = EXCEEDED if after.progress > after.value else None
    if remark is None and exceeded is None:
        return after
    return Remarked(after, tuple(each for each in (remark, exceeded) if each is not None))


def is_snapshot(limit: Limit | None, payload: LimitPayload) -> bool:
    """Return whether an event says all there is to know of a limit, which may be known or not.

    A definition without a progress says it of a limit that is not known, whose progress is 0. That of a known
    limit would keep a progress that waiting events have yet to change.
    """
    if isinstance(payload, UserLimitProgressChanged):
        return payload.previous_progress is not None and payload.remaining_amount is not None
    if isinstance(payload, UserLimitReset):
        said = payload.type, payload.period, payload.reset_amount, payload.unused_amount
        return None not in said
    return limit is None or payload.progress is not None


def _create(limit: Limit | None, created: UserLimitCreated, at: int) -> Limit:
    """Make the limit, or define it anew: what the new definition does not carry, the limit no longer has.

    What is no part of a definition, a known limit keeps: progress, type, brand, currency, last reset.
    """
    definition = Limit(
        user_id=created.user_id,
        limit_id=created.user_limit_id,
        value=created.limit_value,
        progress=created.progress if created.progress is not None else ZERO,
        status=created.status or "ACTIVE",
        active_from=created.active_from if created.active_from is not None else at,
        active_until=created.active_until,
        next_reset_time=created.next_reset_time,
        type=created.type,
        period=created.period,
        name=created.name,
        brand_id=created.brand_id,
        currency_code=created.currency_code,
        previous_value=created.previous_limit_value,
    )
    if limit is None:
        return definition
    return replace(
        definition,
        progress=created.progress if created.progress is not None else limit.progress,
        type=created.type or limit.type,
        brand_id=created.brand_id or limit.brand_id,
        currency_code=created.currency_code or limit.currency_code,
        last_reset=limit.last_reset,
        drifted_at=limit.drifted_at,
    )


def _change_progress(
    limit: Limit | None, changed: UserLimitProgressChanged, at: int
) -> tuple[Limit, Remark | None]:
    """Move the progress on from what the event says it was; else from what is known.

    A limit that is not known is rebuilt from a change that says all of it but its type and period.
    """
    before, remaining = changed.previous_progress, changed.remaining_amount
    if limit is None:
        if before is None or remaining is None:
            raise BusinessError(
                "the limit is not known, and the change of its progress does not carry all of it"
            )
        progress = before + changed.amount
        rebuilt = Limit(
            user_id=changed.user_id,
            limit_id=changed.user_limit_id,
            value=progress + remaining,
            progress=progress,
            active_from=at,
            next_reset_time=changed.next_reset_time,
            brand_id=changed.brand_id,
            currency_code=changed.currency_code,
            rebuilt=True,
        )
        return rebuilt, REBUILT
    if before is None:
        before = limit.progress
    progress = before + changed.amount
    value = progress + remaining if remaining is not None else limit.value
    drifted = before != limit.progress or value != limit.value
    after = replace(
        limit,
        value=value,
        progress=progress,
        next_reset_time=limit.next_reset_time if changed.next_reset_time is None else changed.next_reset_time,
        brand_id=changed.brand_id or limit.brand_id,
        currency_code=changed.currency_code or limit.currency_code,
        drifted_at=at if drifted else limit.drifted_at,
    )
    return after, DRIFT if drifted else None


def _reset(limit: Limit | None, reset: UserLimitReset, at: int) -> tuple[Limit, Remark | None]:
    """Begin the next period; a limit that is not known is rebuilt from a reset that says all of it."""
    amount, unused = reset.reset_amount, reset.unused_amount
    value = amount + unused if amount is not None and unused is not None else None
    last_reset = LastReset(at, amount, reset.reset_percentage)
    if limit is None:
        if value is None or reset.type is None or reset.period is None:
            raise BusinessError("the limit is not known, and its reset does not carry all of it")
        rebuilt = Limit(
            user_id=reset.user_id,
            limit_id=reset.user_limit_id,
            value=value,
            active_from=at,
            next_reset_time=reset.next_reset_time,
            type=reset.type,
            period=reset.period,
            brand_id=reset.brand_id,
            currency_code=reset.currency_code,
            last_reset=last_reset,
            rebuilt=True,
        )
        return rebuilt, REBUILT
    value = _either(value, limit.value)
    drifted = _either(amount, limit.progress) != limit.progress or value != limit.value
    after = replace(
        limit,
        value=value,
        progress=ZERO,
        status="ACTIVE",
        next_reset_time=_either(reset.next_reset_time, limit.next_reset_time),
        type=_either(reset.type, limit.type),
        period=_either(reset.period, limit.period),
        brand_id=_either(reset.brand_id, limit.brand_id),
        currency_code=_either(reset.currency_code, limit.currency_code),
        last_reset=last_reset,
        drifted_at=at if drifted else limit.drifted_at,
    )
    return after, DRIFT if drifted else None


def _check_currency(limit: Limit, payload: LimitPayload) -> None:
    known, told = limit.currency_code, payload.currency_code
    if known is not None and told is not None and told != known:
        raise BusinessError("the event is in another currency than the limit")


def _either(told: T, known: T) -> T:
    return told if told is not None else known
