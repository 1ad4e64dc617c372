"""Converts a limit to its public document, for the API and `--json`. Pure."""

from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from kinesis_handler import Aggregate
from user_limits.events import LimitStatus, LimitType, Period
from user_limits.limit import ZERO, Limit

PeriodType = Literal[
    "DAILY",
    "WEEKLY",
    "MONTHLY",
    "CALENDAR_DAILY",
    "CALENDAR_WEEKLY",
    "CALENDAR_MONTHLY",
    "INDEFINITE",
    "INSTANCE",
]
"""Period as shown."""

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""Time as shown: RFC 3339 in UTC."""

PERIOD_TYPES: dict[Period, PeriodType] = {
    "DAY": "DAILY",
    "WEEK": "WEEKLY",
    "MONTH": "MONTHLY",
    "CALENDAR_DAY": "CALENDAR_DAILY",
    "CALENDAR_WEEK": "CALENDAR_WEEKLY",
    "CALENDAR_MONTH": "CALENDAR_MONTHLY",
    "INDEFINITE": "INDEFINITE",
    "INSTANCE": "INSTANCE",
}

# Wide enough for the quotient of the largest and the smallest amount, so that it rounds only once.
_WIDE = Context(prec=400, rounding=ROUND_HALF_UP)
# Looking up a method of a context is slow: a third of the time of a percentage.
_divide, _multiply, _subtract, _add = _WIDE.divide, _WIDE.multiply, _WIDE.subtract, _WIDE.add
_quantize, _normalize = _WIDE.quantize, _WIDE.normalize
_HUNDRED = Decimal(100)
_HUNDREDTH = Decimal("0.01")
_JUST_BELOW, _JUST_ABOVE = Decimal("99.99"), Decimal("100.01")
_EPOCH = date(1970, 1, 1).toordinal()

# Looking digits up takes half as long as formatting them.
_TWO_DIGITS = [f"{number:02}" for number in range(60)]
_FRACTIONS = ["", *(f".{number:03}" for number in range(1, 1_000))]


class LastResetDocument(Struct, frozen=True, gc=False, rename="camel"):
    """The last reset, with its figures."""

    at: Time
    amount: Decimal | None
    percentage: Decimal | None


class LimitData(Struct, frozen=True, gc=False, rename="camel"):
    """One limit. Amounts are exact JSON numbers, times RFC 3339 in UTC.

    Args:
        amount: the limit's value.
        percentage: how much of it is used, rounded half up to two decimals; above 100 if it is exceeded.
        remaining_amount: what is left of it, never below 0.
        expires_at: when the progress will be reset.
        previous_amount: the value before the last redefinition.
        rebuilt: the limit's creation was not seen; it has been rebuilt from the figures of an event.
        drifted_at: when an event last had figures that differed from the stored ones.
    """

    limit_id: str
    user_id: str
    type: LimitType | None
    amount: Decimal
    progress: Decimal
    percentage: Decimal
    remaining_amount: Decimal
    status: LimitStatus
    period_type: PeriodType | None
    expires_at: Time | None
    name: str | None
    currency_code: str | None
    previous_amount: Decimal | None
    active_from: Time
    active_until: Time | None
    last_reset: LastResetDocument | None
    rebuilt: bool
    drifted_at: Time | None


class LimitDocument(LimitData, frozen=True, gc=False, rename="camel"):
    """One limit, with how current it is.

    Args:
        version: how many events have been applied.
        last_updated: when the last of them was created.
        waiting_since: since when later events of the limit wait to be applied, so that it is as it was then.
            Absent if none do.
    """

    version: int
    last_updated: Time
    waiting_since: Time | UnsetType = UNSET


def limit_document(aggregate: Aggregate[Limit]) -> LimitDocument:
    """Return the document of a stored limit."""
    updated, waiting = rfc3339(aggregate.updated_at), waiting_since(aggregate)
    fields = *_fields(aggregate.state), aggregate.version, updated, waiting
    return LimitDocument(*fields)


def waiting_since(aggregate: Aggregate[Limit]) -> Time | UnsetType:
    """Return since when events of a limit wait; UNSET if none do."""
    return rfc3339(aggregate.parked.since) if aggregate.parked is not None else UNSET


def limit_data(limit: Limit) -> LimitData:
    """Return the public fields of a limit."""
    return LimitData(*_fields(limit))


def _fields(limit: Limit) -> tuple[Any, ...]:
    """Return the fields of LimitData in order: by name, a document takes a fifth longer."""
    reset = limit.last_reset
    return (
        limit.limit_id,
        limit.user_id,
        limit.type,
        limit.value,
        limit.progress,
        percentage(limit),
        remaining(limit),
        limit.status,
        PERIOD_TYPES[limit.period] if limit.period is not None else None,
        _time(limit.next_reset_time),
        limit.name,
        limit.currency_code,
        limit.previous_value,
        rfc3339(limit.active_from),
        _time(limit.active_until),
        LastResetDocument(rfc3339(reset.at), reset.amount, reset.percentage) if reset else None,
        limit.rebuilt,
        _time(limit.drifted_at),
    )


def percentage(limit: Limit) -> Decimal:
    """Return the used percentage of the value; for a limit of 0, 100 if there is progress, else 0."""
    if not limit.value:
        return _HUNDRED if limit.progress > ZERO else ZERO
    exact = _divide(_multiply(limit.progress, _HUNDRED), limit.value)
    shortest = _normalize(_quantize(exact, _HUNDREDTH))
    return _add(shortest, ZERO)  # 7.5, not 7.50; and 100, which normalized is 1E+2


def shown_percentage(limit: Limit) -> Decimal:
    """Return the percentage for people: exactly 100 only for a limit that is exactly used up."""
    percent = percentage(limit)
    if percent != _HUNDRED or limit.progress == limit.value or not limit.value:
        return percent
    return _JUST_BELOW if limit.progress < limit.value else _JUST_ABOVE


def ends_first(limit: Limit) -> bool:
    """Tell whether the limit ends before its next reset."""
    end, reset = limit.active_until, limit.next_reset_time
    return end is not None and (reset is None or end <= reset)


def remaining(limit: Limit) -> Decimal:
    """Return what is left of the value, 0 if it is used up."""
    return max(_subtract(limit.value, limit.progress), ZERO)


def rfc3339(milliseconds: int) -> str:
    """Return a time since epoch in UTC; its milliseconds only if there are any."""
    seconds = milliseconds // 1_000
    minutes = seconds // 60
    hours = minutes // 60
    return (
        f"{_date(hours // 24)}T{_TWO_DIGITS[hours % 24]}:{_TWO_DIGITS[minutes % 60]}:"
        f"{_TWO_DIGITS[seconds % 60]}{_FRACTIONS[milliseconds % 1_000]}Z"
    )


@lru_cache(1024)
def _date(day: int) -> str:
    """Return the date of a day since epoch, cached: few days occur, and this is half of the work."""
    return date.fromordinal(_EPOCH + day).isoformat()


def _time(milliseconds: int | None) -> str | None:
    return rfc3339(milliseconds) if milliseconds is not None else None
