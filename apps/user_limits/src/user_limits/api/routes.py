"""The three routes. Each reads, says what is there, and says so shortly if the caller has it already."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter
from litestar.types import ASGIApp, ExceptionHandlersMap

from kinesis_handler import Aggregate, Key
from kinesis_handler.stores import Page, ReadableRepository
from kinesis_handler.stores.cursor import encode_cursor
from user_limits.api.conditional_json import Answer
from user_limits.api.documents import limit_answer, limits_answer
from user_limits.api.etag import tag_of, tag_of_list
from user_limits.api.problems import ProblemError, unreadable, wrong_parameter
from user_limits.events import LimitType, Period
from user_limits.limit import Limit
from user_limits.view import PERIOD_TYPES

if TYPE_CHECKING:
    from kinesis_handler.errors import UnreadableError

PREFIX = "/api/v1"

MAX_NAME = 64
"""How much of the name of an unknown parameter is told back."""

READ_AT_ONCE = 100
"""How many limits are looked through at a time for active ones."""

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
"""A period as the events spell it, or as the answers do."""

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

ALLOWED: Mapping[str, Sequence[str]] = {
    "userId": ["1 to 512 characters"],
    "limitId": ["1 to 256 characters"],
    "limit": ["a whole number from 1 to 100"],
    "cursor": ["the nextCursor of the page before"],
    "type": get_args(LimitType),
    "period": get_args(PeriodFilter),
}
"""What each parameter may be, as a problem tells it."""


class AnswerHandler(HTTPRouteHandler):
    """A handler of GET whose function returns an `Answer`, which is sent as it is.

    The framework's own looks each time how an answer is to be made of what was returned, and merges the
    exception handlers of all layers anew: a tenth of all that it does for a request.
    """

    def __init__(self, path: str, **told: Any) -> None:
        super().__init__(path, http_method="GET", **told)

    async def to_response(
        self,
        app: Litestar,  # noqa: ARG002 - what it is called with
        data: ASGIApp,
        request: Request[Any, Any, Any],  # noqa: ARG002
    ) -> ASGIApp:
        """Return the answer."""
        return data

    def resolve_exception_handlers(self) -> ExceptionHandlersMap:
        """Return what tells the problems."""
        return self._exception_handlers

    @cached_property
    def _exception_handlers(self) -> ExceptionHandlersMap:
        return super().resolve_exception_handlers()


def limit_routes(
    limits: ReadableRepository[Limit], clock: Callable[[], float], *, in_threads: bool
) -> list[HTTPRouteHandler]:
    """Return the handlers of the routes.

    Args:
        limits: what they read.
        clock: seconds since epoch, for which limits are active.
        in_threads: reading waits for something else, and others have to go on meanwhile.
    """

    @AnswerHandler(
        f"{PREFIX}/users/{{userId:str}}/limits",
        operation_id="listLimits",
        summary="All limits of a user",
        sync_to_thread=in_threads,
        opt={"allowed": ALLOWED},
    )
    def list_limits(
        request: Request[Any, Any, Any],
        userId: UserId,
        limit: PageSize = 100,
        cursor: Cursor = None,
    ) -> Answer:
        """List a user's limits by their ids, whatever their status. A user without any has an empty list.

        A limit that is stored and cannot be read is named in `meta.unreadable`, and keeps no other from being
        listed.
        """
        _check_query(request, "limit", "cursor")
        page = limits.find(userId, limit=limit, cursor=cursor)
        return _page(page)

    @AnswerHandler(
        f"{PREFIX}/users/{{userId:str}}/limits/active",
        operation_id="listActiveLimits",
        summary="The limits of a user that hold now",
        sync_to_thread=in_threads,
        opt={"allowed": ALLOWED},
    )
    def list_active_limits(  # noqa: PLR0913, PLR0917 - it has as many filters as it has
        request: Request[Any, Any, Any],
        userId: UserId,
        type: TypeParameter = None,  # noqa: A002 - the parameter's name
        period: PeriodParameter = None,
        limit: PageSize = 100,
        cursor: Cursor = None,
    ) -> Answer:
        """List the limits whose status is ACTIVE and whose time it is: `activeFrom` ≤ now < `activeUntil`.

        A limit that is stored and cannot be read might be one of them: it is named in `meta.unreadable`.
        """
        _check_query(request, "type", "period", "limit", "cursor")
        wanted = PERIODS[period] if period is not None else None
        now = int(clock() * 1_000)

        def is_wanted(each: Limit) -> bool:
            return (
                is_active(each, now)
                and (type is None or each.type == type)
                and (wanted is None or each.period == wanted)
            )

        return _page(_find(limits, userId, is_wanted, limit, cursor))

    @AnswerHandler(
        f"{PREFIX}/users/{{userId:str}}/limits/{{limitId:str}}",
        operation_id="getLimit",
        summary="One limit of a user",
        sync_to_thread=in_threads,
        opt={"allowed": ALLOWED},
    )
    def get_limit(
        request: Request[Any, Any, Any],
        userId: UserId,
        limitId: LimitId,
    ) -> Answer:
        """Read one limit. A limit whose id is `active` can be read in the list only."""
        _check_query(request)
        found = _load(limits, (userId, limitId))
        return Answer(tag_of(found), lambda: limit_answer(found))

    return [list_limits, list_active_limits, get_limit]


def is_active(limit: Limit, now: int) -> bool:
    """Tell whether a limit holds at a time, in milliseconds since epoch."""
    until = limit.active_until
    return limit.status == "ACTIVE" and limit.active_from <= now and (until is None or now < until)


def _load(limits: ReadableRepository[Limit], key: Key) -> Aggregate[Limit]:
    loaded = limits.load([key])
    if loaded.failed:
        raise loaded.failed[key]
    if key not in loaded.found:
        raise ProblemError(404, "this user has no limit of this id")
    return loaded.found[key]


def _find(
    limits: ReadableRepository[Limit],
    user_id: str,
    is_wanted: Callable[[Limit], bool],
    count: int,
    cursor: str | None,
) -> Page[Limit]:
    """Read on until there is a page of wanted limits, and it is known whether another one follows."""
    found: list[Aggregate[Limit]] = []
    damaged: dict[Key, UnreadableError] = {}
    while True:
        page = limits.find(user_id, limit=READ_AT_ONCE, cursor=cursor)
        found += [each for each in page.aggregates if is_wanted(each.state)]
        damaged |= page.unreadable
        if len(found) > count:
            last = found[count - 1].key
            here = {key: error for key, error in damaged.items() if key <= last}  # the next page has the rest
            return Page(found[:count], encode_cursor(last[1]), here)
        if page.cursor is None:
            return Page(found, None, damaged)
        cursor = page.cursor


def _page(page: Page[Limit]) -> Answer:
    """Answer with a page; what cannot be read is in the log, and named in the answer."""
    for error in page.unreadable.values():
        unreadable(error)
    ids = [limit_id for _, limit_id in page.unreadable]
    tag = tag_of_list(page.aggregates, page.cursor, ids)
    return Answer(tag, lambda: limits_answer(page.aggregates, page.cursor, ids))


def _check_query(request: Request[Any, Any, Any], *allowed: str) -> None:
    """Refuse parameters that nobody reads: a filter whose name is misspelt would answer with too much."""
    if not request.scope["query_string"]:
        return
    told = request.query_params
    for name in told:
        if name not in allowed:
            raise wrong_parameter(name[:MAX_NAME], "this parameter is not known here", allowed)
        if len(told.getall(name)) > 1:
            raise wrong_parameter(name, f"{name} is there more than once", ALLOWED[name])
    # The framework reads 5.0 and 1e1 as whole numbers too.
    if not told.get("limit", "1").isdecimal():
        raise wrong_parameter("limit", f"allowed for limit: {ALLOWED['limit'][0]}", ALLOWED["limit"])
