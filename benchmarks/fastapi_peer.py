"""The peer of the API's benchmark: FastAPI with pydantic models, written as its documentation recommends.

It reads the same repository and shows the same figures, computed by the same functions. These are passed to
it, as `shown`, and it imports nothing of this project, so its start is its own. Its routes are `async`,
because nothing in them waits: FastAPI would run plain functions in threads, which takes far longer. It writes
amounts as strings, which is pydantic's default and less work than exact numbers. It checks its parameters and
sends the entity tag and the caching header; it has no bounds, security headers or problem documents.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Path, Query, Response
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from benchmarks.literals import LimitStatus, LimitType

if TYPE_CHECKING:
    from kinesis_handler import Aggregate
    from kinesis_handler.stores import Repository
    from user_limits.limit import Limit


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class LastResetModel(Model):
    at: str
    amount: Decimal | None
    percentage: Decimal | None


class LimitModel(Model):
    limit_id: str
    user_id: str
    type: LimitType | None
    amount: Decimal
    progress: Decimal
    percentage: Decimal
    remaining_amount: Decimal
    status: LimitStatus
    period_type: str | None
    expires_at: str | None
    name: str | None
    currency_code: str | None
    brand_id: str | None
    previous_amount: Decimal | None
    active_from: str
    active_until: str | None
    last_reset: LastResetModel | None
    rebuilt: bool
    drifted_at: str | None


class VersionedLimitModel(LimitModel):
    version: int
    last_updated: str


class MetaModel(Model):
    version: int
    last_updated: str


class AnswerModel(Model):
    data: LimitModel
    meta: MetaModel


class PageModel(Model):
    count: int
    next_cursor: str | None


class PageAnswerModel(Model):
    data: list[VersionedLimitModel]
    meta: PageModel


UserId = Annotated[str, Path(min_length=1, max_length=512)]
LimitId = Annotated[str, Path(min_length=1, max_length=256)]
IfNoneMatch = Annotated[str | None, Header()]

CACHING = "private, no-cache"


def peer(limits: "Repository[Limit]", shown: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/api/v1/users/{user_id}/limits/{limit_id}")
    async def get_limit(
        user_id: UserId, limit_id: LimitId, response: Response, if_none_match: IfNoneMatch = None
    ) -> AnswerModel:
        key = user_id, limit_id
        found = limits.load([key]).found.get(key)
        if found is None:
            raise HTTPException(404)
        tag = shown.tag_of(found)
        _set_headers(response, tag, known=shown.is_known(tag, if_none_match))
        meta = MetaModel(version=found.version, last_updated=shown.rfc3339(found.updated_at))
        return AnswerModel(data=LimitModel(**_fields(found, shown)), meta=meta)

    @app.get("/api/v1/users/{user_id}/limits")
    async def list_limits(
        user_id: UserId,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=100)] = 100,
        cursor: str | None = None,
        if_none_match: IfNoneMatch = None,
    ) -> PageAnswerModel:
        page = limits.find(user_id, limit=limit, cursor=cursor)
        tag = shown.tag_of_list(page.aggregates, page.cursor)
        _set_headers(response, tag, known=shown.is_known(tag, if_none_match))
        data = [
            VersionedLimitModel(
                version=each.version,
                last_updated=shown.rfc3339(each.updated_at),
                **_fields(each, shown),
            )
            for each in page.aggregates
        ]
        return PageAnswerModel(data=data, meta=PageModel(count=len(data), next_cursor=page.cursor))

    return app


def _set_headers(response: Response, tag: str, *, known: bool) -> None:
    headers = {"etag": tag, "cache-control": CACHING}
    if known:
        raise HTTPException(304, headers=headers)
    response.headers.update(headers)


def _fields(aggregate: "Aggregate[Limit]", shown: Any) -> dict[str, Any]:
    limit, reset, rfc3339 = aggregate.state, aggregate.state.last_reset, shown.rfc3339

    def time(milliseconds: int | None) -> str | None:
        return rfc3339(milliseconds) if milliseconds is not None else None

    return {
        "limit_id": limit.limit_id,
        "user_id": limit.user_id,
        "type": limit.type,
        "amount": limit.value,
        "progress": limit.progress,
        "percentage": shown.percentage(limit),
        "remaining_amount": shown.remaining(limit),
        "status": limit.status,
        "period_type": shown.PERIOD_TYPES[limit.period] if limit.period is not None else None,
        "expires_at": time(limit.next_reset_time),
        "name": limit.name,
        "currency_code": limit.currency_code,
        "brand_id": limit.brand_id,
        "previous_amount": limit.previous_value,
        "active_from": rfc3339(limit.active_from),
        "active_until": time(limit.active_until),
        "last_reset": LastResetModel(at=rfc3339(reset.at), amount=reset.amount, percentage=reset.percentage)
        if reset
        else None,
        "rebuilt": limit.rebuilt,
        "drifted_at": time(limit.drifted_at),
    }
