"""Describes the page's API as OpenAPI 3.1: its types are those of the documents. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from kinesis_handler.operator_page.documents import Job, ShownRecord, State
from kinesis_handler.operator_page.routes import DropRequest, RedriveRequest
from kinesis_handler.version import __version__

Json = dict[str, Any]

INTRODUCTION = """\
What the operator's page of `kinesis-handler serve --operator` asks: what happens to the records of a stream,
what waits and why; redrive, and drop. Errors are problem documents (RFC 9457)."""

PROBLEMS = {
    "400": "The request says something else than it may.",
    "401": "There is no token, or it is not valid: where the API asks for tokens.",
    "403": "The token is none of an operator, or the request comes from a page of another origin.",
    "409": "Something else is under way.",
    "413": "The request is too large.",
    "415": "The content type is not application/json.",
    "421": "Where no token is asked for: the request is for another host than this machine.",
    "503": "A store did not answer.",
}
RECORDS = "The latest records with one reason, or the first events that wait for a key"

READING, DOING = ("400", "401", "403", "421", "503"), ("400", "401", "403", "409", "413", "415", "421")


class Problem(Struct, frozen=True):
    """Why a request failed, in words for a person."""

    type: str
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str


def describe(*, with_tokens: bool) -> Json:
    """Return the description.

    Args:
        with_tokens: whether the API asks for tokens.
    """
    types = [State, list[ShownRecord], Job, RedriveRequest, DropRequest, Problem]
    template = "#/components/schemas/{name}"
    schemas, components = msgspec.json.schema_components(types, ref_template=template)
    state, records, job, redrive, drop, problem = schemas
    problems = {
        status: {"description": text, "content": {"application/problem+json": {"schema": problem}}}
        for status, text in PROBLEMS.items()
    }

    def operation(summary: str, answers: Json, statuses: Sequence[str], **more: object) -> Json:
        refusals = {each: problems[each] for each in statuses}
        return {"summary": summary, "responses": {**answers, **refusals}, **more}

    query = [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": text}
        for name, text in (
            ("group", "The `group` of a reason."),
            ("partition", "With `sort`: a parked key, instead of a group."),
            ("sort", "See `partition`."),
        )
    ]
    shown, listed = {"200": _answer("The state.", state)}, {"200": _answer("The records.", records)}
    begun = {"202": _answer("It has begun, or had begun before by a request of the same `id`.", job)}
    description: Json = {
        "openapi": "3.1.0",
        "info": {"title": "Operator", "version": __version__, "description": INTRODUCTION},
        "servers": [{"url": "/operator/api"}],
        "paths": {
            "/state": {"get": operation("All that the page shows", shown, READING)},
            "/records": {"get": operation(RECORDS, listed, READING, parameters=query)},
            "/redrive": {
                "post": operation("Send again what waits", begun, DOING, requestBody=_body(redrive))
            },
            "/drop": {"post": operation("Give up a key's events", begun, DOING, requestBody=_body(drop))},
        },
        "components": {"schemas": components},
    }
    if with_tokens:
        schemes = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
        description["components"]["securitySchemes"] = schemes
        description["security"] = [{"token": []}]
    return description


def _answer(text: str, schema: object) -> Json:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _body(schema: object) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}
