"""Defines the three routes. Each reads limits, and answers 304 if the caller already has them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter

from kinesis_handler import Aggregate, Key
from kinesis_handler.stores import Page, ReadableRepository
from kinesis_handler.stores.cursor import encode_cursor
from user_limits.api.conditional_json import Amounts, ConditionalJson
from user_limits.api.documents import limit_response, limits_response
from user_limits.api.etag import tag_of, tag_of_list
from user_limits.api.problems import ProblemError, unreadable, wrong_parameter
from user_limits.events import LimitType, Period
from user_limits.limit import Limit
from user_limits.view import PERIOD_TYPES

if TYPE_CHECKING:
    from kinesis_handler.errors import UnreadableError

PREFIX = "/api/v1"
LIMITS = f"{PREFIX}/users/{{userId:str}}/limits"
LIMIT = f"{LIMITS}/{{limitId:str}}"
"""Paths of a user's limits, and of one."""

MAX_NAME = 64
"""Most characters of an unknown parameter's name that a problem repeats."""

READ_AT_ONCE = 100
"""Limits read at a time when looking for active ones."""

PeriodFilter = Literal[
    "DAY", "DAILY",
    "WEEK", "WEEKLY",
    "MONTH", "MONTHLY",
    "CALENDAR_DAY", "CALENDAR_DAILY",
    "CALENDAR_WEEK", "CALENDAR_WEEKLY",
    "CALENDAR_MONTH", "CALENDAR_MONTHLY",
    "INDEFINITE",
    "INSTANCE",
]  # fmt: skip
"""Period as spelled in the events, or in the answers."""

PERIODS: Mapping[str, Period] = {
    spelling: period for period, shown in PERIOD_TYPES.items() for spelling in (period, shown)
}

UserId = Annotated[
    str, PathParameter(min_length=1, max_length=512, description="The user's id. No `/` in it.")
]
LimitId = Annotated[
    str, PathParameter(min_length=1, max_length=256, description="The limit's id. No `/` in it.")
]
TypeParameter = Annotated[LimitType | None, QueryParameter(description="Only limits of this type.")]
PeriodParameter = Annotated[PeriodFilter | None, QueryParameter(description="Only limits of this period.")]
PageSize = Annotated[int, QueryParameter(ge=1, le=100, description="How many limits a page has at most.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=1_500, description="The `nextCursor` of the page before.")
]

AmountsParameter = Annotated[
    Amounts,
    QueryParameter(
        description="How amounts are written: as numbers, or as strings, for callers whose numbers are "
        "doubles, which end at 2^53."
    ),
]

ALLOWED: Mapping[str, Sequence[str]] = {
    "userId": ["1 to 512 characters"],
    "limitId": ["1 to 256 characters"],
    "limit": ["a whole number from 1 to 100"],
    "cursor": ["the nextCursor of the page before"],
    "type": get_args(LimitType),
    "period": get_args(PeriodFilter),
    "amounts": get_args(Amounts),
}
"""Allowed values of each parameter, for problems."""


def limit_routes(
    limits: ReadableRepository[Limit], clock: Callable[[], float], *, in_threads: bool
) -> list[HTTPRouteHandler]:
    """Return the handlers of the routes.

    Args:
        limits: the stored limits.
        clock: seconds since epoch, to find active limits.
        in_threads: read in threads, because reading blocks.
    """
    read = partial(get, sync_to_thread=in_threads, opt={"allowed": ALLOWED})

    @read(LIMITS, operation_id="listLimits", summary="All limits of a user")
    def list_limits(
        request: Request[Any, Any, Any],
        userId: UserId,
        limit: PageSize = 100,
        cursor: Cursor = None,
        amounts: AmountsParameter = "number",
    ) -> ConditionalJson:
        """List a user's limits by their ids, in any status. For a user without limits the list is empty.

        A stored limit that cannot be read is named in `meta.unreadable`; all others are listed.
        """
        check_query(request, "limit", "cursor", "amounts")
        page = limits.find(userId, limit=limit, cursor=cursor)
        return _page(page, amounts)

    @read(f"{LIMITS}/active", operation_id="listActiveLimits", summary="The limits of a user that hold now")
    def list_active_limits(  # noqa: PLR0913, PLR0917 - one for each filter
        request: Request[Any, Any, Any],
        userId: UserId,
        type: TypeParameter = None,  # noqa: A002 - the parameter's name
        period: PeriodParameter = None,
        limit: PageSize = 100,
        cursor: Cursor = None,
        amounts: AmountsParameter = "number",
    ) -> ConditionalJson:
        """List the limits whose status is ACTIVE and that are valid now: `activeFrom` ≤ now < `activeUntil`.

        A stored limit that cannot be read might be one of them: it is named in `meta.unreadable`.
        """
        check_query(request, "type", "period", "limit", "cursor", "amounts")
        wanted = PERIODS[period] if period is not None else None
        now = int(clock() * 1_000)

        def is_wanted(each: Limit) -> bool:
            return (
                is_active(each, now)
                and (type is None or each.type == type)
                and (wanted is None or each.period == wanted)
            )

        return _page(_find(limits, userId, is_wanted, limit, cursor), amounts)

    @read(LIMIT, operation_id="getLimit", summary="One limit of a user")
    def get_limit(
        request: Request[Any, Any, Any],
        userId: UserId,
        limitId: LimitId,
        amounts: AmountsParameter = "number",
    ) -> ConditionalJson:
        """Read one limit. A limit with the id `active` can be read only in the list."""
        check_query(request, "amounts")
        found = load(limits, (userId, limitId))
        return ConditionalJson(tag_of(found), lambda: limit_response(found), amounts)

    return [list_limits, list_active_limits, get_limit]


def is_active(limit: Limit, now: int) -> bool:
    """Tell whether a limit holds at a time, in milliseconds since epoch."""
    until = limit.active_until
    return limit.status == "ACTIVE" and limit.active_from <= now and (until is None or now < until)


def load(limits: ReadableRepository[Limit], key: Key) -> Aggregate[Limit]:
    """Return one limit. Raises ProblemError if there is none."""
    loaded = limits.load([key])
    if loaded.failed:
        raise loaded.failed[key]
    if key not in loaded.found:
        raise ProblemError(404, "this user has no limit of this id", code="no-such-limit")
    return loaded.found[key]


def _find(
    limits: ReadableRepository[Limit],
    user_id: str,
    is_wanted: Callable[[Limit], bool],
    count: int,
    cursor: str | None,
) -> Page[Limit]:
    """Read until a page of wanted limits is full, and it is known whether another page follows."""
    found: list[Aggregate[Limit]] = []
    damaged: dict[Key, UnreadableError] = {}
    while True:
        page = limits.find(user_id, limit=READ_AT_ONCE, cursor=cursor)
        found += [each for each in page.aggregates if is_wanted(each.state)]
        damaged |= page.unreadable
        if len(found) > count:
            last = found[count - 1].key
            on_page = {
                key: error for key, error in damaged.items() if key <= last
            }  # the next page has the rest
            return Page(found[:count], encode_cursor(last[1]), on_page)
        if page.cursor is None:
            return Page(found, None, damaged)
        cursor = page.cursor


def _page(page: Page[Limit], amounts: Amounts) -> ConditionalJson:
    """Answer with a page; log the unreadable limits, and name them in the answer."""
    for error in page.unreadable.values():
        unreadable(error)
    ids = [limit_id for _, limit_id in page.unreadable]
    tag = tag_of_list(page.aggregates, page.cursor, ids)
    return ConditionalJson(
        tag, lambda: limits_response(page.aggregates, page.cursor, ids), amounts, page.cursor
    )


def check_query(request: Request[Any, Any, Any], *allowed: str) -> None:
    """Refuse unknown parameters: a misspelt filter would return too many limits."""
    if not request.scope["query_string"]:
        return
    given = request.query_params
    for name in given:
        if name not in allowed:
            raise wrong_parameter(name[:MAX_NAME], "this parameter is not known here", allowed)
        if len(given.getall(name)) > 1:
            raise wrong_parameter(name, f"{name} is there more than once", ALLOWED[name])
    # The framework reads 5.0 and 1e1 as whole numbers too.
    if not given.get("limit", "1").isdecimal():
        raise wrong_parameter("limit", f"allowed for limit: {ALLOWED['limit'][0]}", ALLOWED["limit"])
