"""The events of user limits: the payload of each type, validated, its amounts exact."""

from decimal import (
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
    Subnormal,
)
from typing import Annotated, Literal, cast

from msgspec import Meta, Struct

from kinesis_handler.ingest.event import Timestamp

LimitType = Literal["BALANCE", "BET", "DEPOSIT", "LOSS", "SESSION"]
Period = Literal[
    "CALENDAR_DAY", "CALENDAR_WEEK", "CALENDAR_MONTH", "DAY", "WEEK", "MONTH", "INDEFINITE", "INSTANCE"
]
LimitStatus = Literal["ACTIVE", "CANCELED", "FUTURE", "IN_COOLDOWN"]

UserId = Annotated[str, Meta(min_length=1, max_length=512)]
"""Fits DynamoDB's 2,048 bytes for a partition key, whatever characters it is made of."""

LimitId = Annotated[str, Meta(min_length=1, max_length=256)]
"""Fits DynamoDB's 1,024 bytes for a sort key, whatever characters it is made of."""

Text = Annotated[str, Meta(max_length=256)]

_NOT_EXACT = [Inexact, Subnormal, Overflow, InvalidOperation, DivisionByZero]

EXACT = Context(prec=38, Emin=-130, Emax=125, traps=_NOT_EXACT)
"""Arithmetic that never rounds: it raises ArithmeticError at a result that is no DynamoDB number.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

# An amount is kept as it came: even zeros at its end count as digits, or there could be ten thousand.
_as_it_is = Context(prec=38, Emin=-130, Emax=125, traps=[*_NOT_EXACT, Rounded, Clamped]).plus


class UserLimitCreated(Struct, gc=False, rename="camel"):
    """USER_LIMIT_CREATED: a limit is made, or defined anew."""

    user_id: UserId
    user_limit_id: LimitId
    value: Decimal | None = None
    max_value: Decimal | None = None
    name: Text | None = None
    brand_id: Text | None = None
    currency_code: Text | None = None
    type: LimitType | None = None
    period: Period | None = None
    status: LimitStatus | None = None
    active_from: Timestamp | None = None
    active_until: Timestamp | None = None
    next_reset_time: Timestamp | None = None
    previous_limit_value: Decimal | None = None
    progress: Decimal | None = None

    def __post_init__(self) -> None:
        _check(
            ("value", "maxValue", "previousLimitValue", "progress"),
            self.value,
            self.max_value,
            self.previous_limit_value,
            self.progress,
        )
        if self.value is None and self.max_value is None:
            raise ValueError("Object missing required field `value`, or its alias `maxValue`")
        if self.value is not None and self.max_value is not None and self.value != self.max_value:
            raise ValueError("`value` and its alias `maxValue` differ")
        if self.limit_value < 0:
            raise ValueError("`value` is below 0")

    @property
    def limit_value(self) -> Decimal:
        """`value` or its alias `maxValue`: one of them is there, or it would not have been decoded."""
        return self.value if self.value is not None else cast("Decimal", self.max_value)


class UserLimitProgressChanged(Struct, gc=False, rename="camel"):
    """USER_LIMIT_PROGRESS_CHANGED. `amount` is what the progress changes by, and may be negative."""

    user_id: UserId
    user_limit_id: LimitId
    amount: Decimal
    previous_progress: Decimal | None = None
    remaining_amount: Decimal | None = None
    next_reset_time: Timestamp | None = None
    brand_id: Text | None = None
    currency_code: Text | None = None

    def __post_init__(self) -> None:
        _check(
            ("amount", "previousProgress", "remainingAmount"),
            self.amount,
            self.previous_progress,
            self.remaining_amount,
        )


class UserLimitReset(Struct, gc=False, rename="camel"):
    """USER_LIMIT_RESET. `reset_amount` is the progress that was reset, `unused_amount` what was left."""

    user_id: UserId
    user_limit_id: LimitId
    type: LimitType | None = None
    period: Period | None = None
    next_reset_time: Timestamp | None = None
    reset_amount: Decimal | None = None
    reset_percentage: Decimal | None = None
    unused_amount: Decimal | None = None
    brand_id: Text | None = None
    currency_code: Text | None = None

    def __post_init__(self) -> None:
        _check(
            ("resetAmount", "resetPercentage", "unusedAmount"),
            self.reset_amount,
            self.reset_percentage,
            self.unused_amount,
        )


LimitPayload = UserLimitCreated | UserLimitProgressChanged | UserLimitReset

EVENT_TYPES: dict[str, type[LimitPayload]] = {
    "USER_LIMIT_CREATED": UserLimitCreated,
    "USER_LIMIT_PROGRESS_CHANGED": UserLimitProgressChanged,
    "USER_LIMIT_RESET": UserLimitReset,
}


def _check(fields: tuple[str, ...], *amounts: Decimal | None) -> None:
    """Raise ValueError at an amount that cannot be kept exactly, and name its field."""
    for amount in amounts:
        if amount is None:
            continue
        try:
            if amount.is_finite():
                _as_it_is(amount)
                continue
            problem = "is not a finite number"
        except ArithmeticError:
            problem = f"is not a number of at most {EXACT.prec} digits"
        field = next(name for name, each in zip(fields, amounts, strict=True) if each is amount)
        raise ValueError(f"`{field}` {problem}")
