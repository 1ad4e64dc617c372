"""The peer of the API's benchmark: FastAPI with pydantic models, written as its documentation recommends.

It reads the same repository, and the same functions compute what it shows of a limit. These are passed to it,
as `shown`, and it imports nothing of this project, so its start is its own. Its routes are `async`, because
nothing in them waits: FastAPI would run plain functions in threads, which takes far longer. It writes amounts
as strings, which is pydantic's default and less work than exact numbers. It checks its parameters and sends
the entity tag and the caching header; it has no bounds, security headers or problem documents.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Path, Query, Response
from pydantic import AliasGenerator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from kinesis_handler.stores import Repository
    from user_limits.limit import Limit


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=AliasGenerator(serialization_alias=to_camel))


class LastResetModel(Model):
    at: str
    amount: Decimal | None
    percentage: Decimal | None


class LimitModel(Model):
    limit_id: str
    user_id: str
    type: str | None
    amount: Decimal
    progress: Decimal
    percentage: Decimal
    remaining_amount: Decimal
    status: str
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


class MetaModel(Model):
    version: int
    last_updated: str


class VersionedLimitModel(LimitModel, MetaModel):
    pass


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

    def set_headers(response: Response, tag: str, if_none_match: str | None) -> None:
        headers = {"etag": tag, "cache-control": CACHING}
        if shown.is_known(tag, if_none_match):
            raise HTTPException(304, headers=headers)
        response.headers.update(headers)

    @app.get("/api/v1/users/{user_id}/limits/{limit_id}", response_model=AnswerModel)
    async def get_limit(
        user_id: UserId, limit_id: LimitId, response: Response, if_none_match: IfNoneMatch = None
    ) -> Any:
        key = user_id, limit_id
        found = limits.load([key]).found.get(key)
        if found is None:
            raise HTTPException(404)
        set_headers(response, shown.tag_of(found), if_none_match)
        document = shown.limit_document(found)
        return {"data": document, "meta": document}

    @app.get("/api/v1/users/{user_id}/limits", response_model=PageAnswerModel)
    async def list_limits(
        user_id: UserId,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=100)] = 100,
        cursor: str | None = None,
        if_none_match: IfNoneMatch = None,
    ) -> Any:
        page = limits.find(user_id, limit=limit, cursor=cursor)
        set_headers(response, shown.tag_of_list(page.aggregates, page.cursor), if_none_match)
        data = list(map(shown.limit_document, page.aggregates))
        return {"data": data, "meta": {"count": len(data), "next_cursor": page.cursor}}

    return app
