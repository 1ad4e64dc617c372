"""Defines the documents of the API: limits, in envelopes that say how current they are."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType

from kinesis_handler import Aggregate
from user_limits.limit import LastReset, Limit
from user_limits.view import (
    LimitData,
    LimitDocument,
    Time,
    limit_data,
    limit_document,
    rfc3339,
    waiting_since,
)


class LimitMeta(Struct, frozen=True, rename="camel"):
    """How current a limit is.

    Args:
        version: how many events have been applied to it.
        last_updated: when the last of them was created.
        waiting_since: since when later events of the limit wait to be applied, so that it is as it was then.
            Absent if none do.
    """

    version: int
    last_updated: Time
    waiting_since: Time | UnsetType = UNSET


class LimitResponse(Struct, frozen=True):
    """One limit, and how current it is."""

    data: LimitData
    meta: LimitMeta


class PageMeta(Struct, frozen=True, rename="camel"):
    """The position of a page in a list.

    Args:
        count: how many limits are on this page.
        next_cursor: requests the next page; null on the last one.
        unreadable: the ids of stored limits of this page that cannot be read: they are not in `data`. Absent
            if there are none.
    """

    count: int
    next_cursor: str | None
    unreadable: Sequence[str] | UnsetType = UNSET


class LimitsResponse(Struct, frozen=True):
    """A page of limits, each with how current it is, in the order of their ids."""

    data: Sequence[LimitDocument]
    meta: PageMeta


def limit_response(limit: Aggregate[Limit]) -> LimitResponse:
    """Return the document of one limit."""
    meta = LimitMeta(limit.version, rfc3339(limit.updated_at), waiting_since(limit))
    return LimitResponse(limit_data(limit.state), meta)


def limits_response(
    limits: Sequence[Aggregate[Limit]], next_cursor: str | None, unreadable: Sequence[str] = ()
) -> LimitsResponse:
    """Return the document of a page of limits, with the ids of those that cannot be read."""
    return LimitsResponse(
        [limit_document(limit) for limit in limits], PageMeta(len(limits), next_cursor, unreadable or UNSET)
    )


EXAMPLE = Aggregate(
    key=("usr_456", "lmt_123"),
    state=Limit(
        user_id="usr_456",
        limit_id="lmt_123",
        value=Decimal("1000.00"),
        progress=Decimal("750.00"),
        active_from=1_704_067_200_000,
        next_reset_time=1_705_363_199_000,
        type="DEPOSIT",
        period="DAY",
        currency_code="EUR",
        last_reset=LastReset(1_705_276_799_000, Decimal("320.50"), Decimal("32.05")),
    ),
    version=12,
    updated_at=1_705_329_000_000,
    record_sequence_number="1",
    record_sub_sequence_number=0,
    recent_event_ids=(),
)
"""Limit in the examples of the API's description."""
