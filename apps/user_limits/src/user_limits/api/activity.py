"""Defines the route and the documents of a limit's activity: its last changes, in pages, and its periods."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter
from msgspec import Struct

from kinesis_handler import Aggregate
from kinesis_handler.errors import InvalidCursorError
from kinesis_handler.stores import ReadableRepository
from kinesis_handler.stores.cursor import decode_cursor, encode_cursor
from user_limits.activity import MAX_CHANGES, Activity, ChangeKind, LimitChange, PeriodTotal
from user_limits.api.conditional_json import ConditionalJson
from user_limits.api.etag import tag_of
from user_limits.api.routes import (
    ALLOWED,
    LIMIT,
    AmountsParameter,
    Cursor,
    LimitId,
    UserId,
    check_query,
    load,
)
from user_limits.limit import Limit
from user_limits.view import Time, rfc3339

ActivityPageSize = Annotated[
    int, QueryParameter(ge=1, le=100, description="How many changes a page has at most.")
]

MAX_DIGITS = 20
"""Digits of a cursor's number that are read: no limit has as many changes."""


class ChangeDocument(Struct, frozen=True, rename="camel"):
    """One change of a limit.

    Args:
        number: how many changes the limit has had with this one.
        at: when it happened.
        kind: what happened: the limit was created or redefined, its progress changed, or it was reset.
        amount: by how much the progress changed, below 0 if it was taken back; how much was reset; the value
            of a limit that was created or redefined. Null if the event did not say it, or did not fit.
        progress: the progress after it.
        limit_amount: the limit's value after it.
    """

    number: int
    at: Time
    kind: ChangeKind
    amount: Decimal | None
    progress: Decimal | None
    limit_amount: Decimal | None


class PeriodDocument(Struct, frozen=True, rename="camel"):
    """How much of a limit was used from one reset to the next. What no event has said is null.

    Args:
        started_at: when the period began; null if that was not seen.
        ended_at: when it was reset; null while it runs.
        progress: the progress at its end, or so far.
        limit_amount: the limit's value at its end, or now.
        changes: how often the progress changed in it.
    """

    started_at: Time | None
    ended_at: Time | None
    progress: Decimal | None
    limit_amount: Decimal | None
    changes: int


class ActivityData(Struct, frozen=True, rename="camel"):
    """What happened to one limit.

    Args:
        changes: its last changes, newest first.
        periods: its last periods, newest first; the first one runs. They are on every page.
    """

    limit_id: str
    user_id: str
    currency_code: str | None
    changes: Sequence[ChangeDocument]
    periods: Sequence[PeriodDocument]


class ActivityMeta(Struct, frozen=True, rename="camel"):
    """How current the activity is, and the position of the page in it.

    Args:
        version: how many changes there have been, with those that are no longer stored.
        last_updated: when the last of them happened; null if none is known.
        count: how many changes are on this page.
        next_cursor: requests the next page; null on the last one.
    """

    version: int
    last_updated: Time | None
    count: int
    next_cursor: str | None


class ActivityResponse(Struct, frozen=True):
    """A page of what happened to one limit."""

    data: ActivityData
    meta: ActivityMeta


def activity_routes(
    limits: ReadableRepository[Limit], activities: ReadableRepository[Activity], *, in_threads: bool
) -> list[HTTPRouteHandler]:
    """Return the handler of the route.

    Args:
        limits: the stored limits, to tell one without activity from one that does not exist.
        activities: what happened to them.
        in_threads: read in threads, because reading blocks.
    """
    read = partial(get, sync_to_thread=in_threads, opt={"allowed": ALLOWED})

    @read(f"{LIMIT}/activity", operation_id="getLimitActivity", summary="What happened to a limit")
    def get_limit_activity(  # noqa: PLR0913, PLR0917 - one for each parameter
        request: Request[Any, Any, Any],
        userId: UserId,
        limitId: LimitId,
        limit: ActivityPageSize = 20,
        cursor: Cursor = None,
        amounts: AmountsParameter = "number",
    ) -> ConditionalJson:
        """List the last changes of a limit, newest first, and the totals of its last periods.

        At most 50 changes and 12 periods are stored. Of a limit that has not changed since they are stored,
        both lists are empty.
        """
        check_query(request, "limit", "cursor", "amounts")
        before = _number(cursor)
        key = userId, limitId
        loaded = activities.load([key])
        if loaded.failed:
            raise loaded.failed[key]
        found = loaded.found.get(key)
        if found is None:
            known = load(limits, key)
            return ConditionalJson(tag_of(known), lambda: no_activity(known))
        page = activity_response(found, limit, before)
        return ConditionalJson(tag_of(found), lambda: page, amounts, page.meta.next_cursor)

    return [get_limit_activity]


def activity_response(
    aggregate: Aggregate[Activity], count: int = MAX_CHANGES, before: int | None = None
) -> ActivityResponse:
    """Return a page: at most `count` changes, newest first, whose numbers are below `before`."""
    user_id, limit_id = aggregate.key
    activity = aggregate.state
    first = aggregate.version - len(activity.changes) + 1
    numbered = [each for each in enumerate(activity.changes, first) if before is None or each[0] < before]
    page = numbered[: -count - 1 : -1]
    is_last = len(page) == len(numbered)
    data = ActivityData(
        limit_id=limit_id,
        user_id=user_id,
        currency_code=activity.currency_code,
        changes=[_change(*each) for each in page],
        periods=[_period(each) for each in reversed(activity.periods)],
    )
    cursor = None if is_last else encode_cursor(str(page[-1][0]))
    meta = ActivityMeta(aggregate.version, rfc3339(aggregate.updated_at), len(page), cursor)
    return ActivityResponse(data, meta)


def no_activity(known: Aggregate[Limit]) -> ActivityResponse:
    """Return the document of a limit that is older than its activity."""
    user_id, limit_id = known.key
    data = ActivityData(limit_id, user_id, known.state.currency_code, changes=[], periods=[])
    return ActivityResponse(data, ActivityMeta(version=0, last_updated=None, count=0, next_cursor=None))


def _change(number: int, change: LimitChange) -> ChangeDocument:
    return ChangeDocument(
        number, rfc3339(change.at), change.kind, change.amount, change.progress, change.value
    )


def _period(period: PeriodTotal) -> PeriodDocument:
    since, until = (rfc3339(at) if at is not None else None for at in (period.since, period.until))
    return PeriodDocument(since, until, period.progress, period.value, period.changes)


def _number(cursor: str | None) -> int | None:
    """Return the number behind which a page begins; None for the first page."""
    if cursor is None:
        return None
    text = decode_cursor(cursor)
    if not (text.isascii() and text.isdigit()):
        raise InvalidCursorError("the cursor is none of this list")
    return int(text[:MAX_DIGITS])


EXAMPLE = Aggregate(
    key=("usr_456", "lmt_123"),
    state=Activity(
        changes=(
            LimitChange(1_705_276_799_000, "RESET", Decimal("320.50"), Decimal(0), Decimal("1000.00")),
            LimitChange(
                1_705_329_000_000, "PROGRESS", Decimal("750.00"), Decimal("750.00"), Decimal("1000.00")
            ),
        ),
        periods=(
            PeriodTotal(1_705_190_399_000, 1_705_276_799_000, Decimal("320.50"), Decimal("1000.00"), 4),
            PeriodTotal(1_705_276_799_000, None, Decimal("750.00"), Decimal("1000.00"), 1),
        ),
        currency_code="EUR",
    ),
    version=12,
    updated_at=1_705_329_000_000,
    record_sequence_number="1",
    record_sub_sequence_number=0,
    recent_event_ids=(),
)
"""Activity in the examples of the API's description."""
