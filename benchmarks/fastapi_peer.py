"""The peer of the API's benchmark: FastAPI with pydantic models, as its documentation has people write it.

It reads the same repository and shows the same figures, computed by the same functions. Its routes are
`async`, as nothing in them waits: FastAPI would run plain functions in threads, which takes far longer. It
writes amounts as strings, which is pydantic's way and less work than exact numbers. It checks its parameters
and sends the entity tag and the caching header; bounds, security headers and problem documents it has none.
"""

from decimal import Decimal
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Path, Query, Response
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from kinesis_handler import Aggregate
from kinesis_handler.repository import Repository
from user_limits.api.etag import is_known, tag_of, tag_of_list
from user_limits.events import LimitStatus, LimitType
from user_limits.limit import Limit
from user_limits.view import PERIOD_TYPES, percentage, remaining, rfc3339


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


def peer(limits: Repository[Limit]) -> FastAPI:
    app = FastAPI()

    @app.get("/api/v1/users/{user_id}/limits/{limit_id}")
    async def get_limit(
        user_id: UserId, limit_id: LimitId, response: Response, if_none_match: IfNoneMatch = None
    ) -> AnswerModel:
        key = user_id, limit_id
        found = limits.load([key]).found.get(key)
        if found is None:
            raise HTTPException(404)
        _say(response, tag_of(found), if_none_match)
        meta = MetaModel(version=found.version, last_updated=rfc3339(found.updated_at))
        return AnswerModel(data=LimitModel(**_fields(found)), meta=meta)

    @app.get("/api/v1/users/{user_id}/limits")
    async def list_limits(
        user_id: UserId,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=100)] = 100,
        cursor: str | None = None,
        if_none_match: IfNoneMatch = None,
    ) -> PageAnswerModel:
        page = limits.find(user_id, limit=limit, cursor=cursor)
        _say(response, tag_of_list(page.aggregates, page.cursor), if_none_match)
        data = [
            VersionedLimitModel(version=each.version, last_updated=rfc3339(each.updated_at), **_fields(each))
            for each in page.aggregates
        ]
        return PageAnswerModel(data=data, meta=PageModel(count=len(data), next_cursor=page.cursor))

    return app


def _say(response: Response, tag: str, if_none_match: str | None) -> None:
    headers = {"etag": tag, "cache-control": CACHING}
    if is_known(tag, if_none_match):
        raise HTTPException(304, headers=headers)
    response.headers.update(headers)


def _fields(aggregate: Aggregate[Limit]) -> dict[str, Any]:
    limit, reset = aggregate.state, aggregate.state.last_reset
    return {
        "limit_id": limit.limit_id,
        "user_id": limit.user_id,
        "type": limit.type,
        "amount": limit.value,
        "progress": limit.progress,
        "percentage": percentage(limit),
        "remaining_amount": remaining(limit),
        "status": limit.status,
        "period_type": PERIOD_TYPES[limit.period] if limit.period is not None else None,
        "expires_at": _time(limit.next_reset_time),
        "name": limit.name,
        "currency_code": limit.currency_code,
        "previous_amount": limit.previous_value,
        "active_from": rfc3339(limit.active_from),
        "active_until": _time(limit.active_until),
        "last_reset": LastResetModel(at=rfc3339(reset.at), amount=reset.amount, percentage=reset.percentage)
        if reset
        else None,
        "rebuilt": limit.rebuilt,
        "drifted_at": _time(limit.drifted_at),
    }


def _time(milliseconds: int | None) -> str | None:
    return rfc3339(milliseconds) if milliseconds is not None else None
