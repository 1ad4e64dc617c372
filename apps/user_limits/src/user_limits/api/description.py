"""Builds the API's description, OpenAPI 3.1: parameters from the routes, answers from the document types.

It is built at the first request, so that no start waits for it.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from inspect import cleandoc
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from msgspec import UNSET, Struct, to_builtins

from kinesis_handler.stores.state_type import structs_in
from kinesis_handler.version import __version__
from user_limits.api import activity
from user_limits.api.documents import (
    EXAMPLE,
    LimitResponse,
    LimitsResponse,
    limit_response,
    limits_response,
)
from user_limits.api.health import Health
from user_limits.api.problems import MEDIA_TYPE, METHODS, Problem, ProblemError, wrong_parameter
from user_limits.api.routes import ALLOWED

Json = dict[str, Any]

INTRODUCTION = """\
The current state of users' limits, from the events on the stream. The API is read-only: only events change a
limit. Numbers are exact, times are in UTC. Errors are problem documents (RFC 9457)."""

DOCUMENTS = [*structs_in(LimitResponse | LimitsResponse | activity.ActivityResponse | Problem | Health)]
"""All documents that an answer may have in it."""

ANSWERS: dict[str, Struct] = {
    "listLimits": limits_response([EXAMPLE], None),
    "listActiveLimits": limits_response([EXAMPLE], None),
    "getLimit": limit_response(EXAMPLE),
    "getLimitActivity": activity.activity_response(activity.EXAMPLE),
    "health": Health(),
    "ready": Health(),
}
"""Example answers by operation; they also give the type of the answer."""

EXAMPLES = {
    "userId": EXAMPLE.key[0],
    "limitId": EXAMPLE.key[1],
    "type": "DEPOSIT",
    "period": "DAILY",
    "limit": 10,
}

SERVERS = [{"url": "/", "description": "The server of this description."}]

NEXT = {"description": 'Leads to the next page, `rel="next"`.', "schema": {"type": "string"}}


def _always(description: str, **schema: Any) -> Json:
    """Describe a header that is always there."""
    return {"description": description, "required": True, "schema": {"type": "string", **schema}}


CORRELATION = _always("Id of the request in the log.")
TAG = _always("Changes when the answer changes.")
SECONDS = _always("Seconds to wait before asking again.", type="integer", minimum=1)
CHALLENGE = _always("What kind of token is needed.")
ALLOW = _always("The allowed methods.", examples=[METHODS])

AMOUNT = {
    "title": "Amount",
    "description": "An exact amount or percentage: a number, or with `amounts=string` its digits as text.",
    "type": ["number", "string"],
}

ID = r"^(?!\.{1,2}$)[^/\\]+$"
"""Pattern of an id in a path: one segment."""

CURSORS = {"getLimitActivity": "activity-cursor"}
"""Formats of values that only an answer provides, by operation; `cursor` for all others."""

IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer: if unchanged, the answer is 304, without a body.",
    "schema": {"type": "string"},
}

CORRELATION_ID = {
    "name": "X-Correlation-Id",
    "in": "header",
    "description": "Id of the request in the log; without one, it gets a new one. The answer repeats it.",
    "schema": {"type": "string"},
}

INSTANCE = "urn:uuid:6a2f41a3-c54c-4b0e-9c3c-7d6f1b8f1d52"
PROBLEMS: dict[int, tuple[str, ProblemError, Json]] = {
    400: (
        "A parameter is not allowed.",
        wrong_parameter("limit", "allowed for limit: a whole number from 1 to 100", ALLOWED["limit"]),
        {},
    ),
    401: (
        "The token is missing or invalid.",
        ProblemError(401, "the token has expired"),
        {"WWW-Authenticate": CHALLENGE},
    ),
    403: (
        "The token is for another user's limits.",
        ProblemError(403, "the token is for another user's limits"),
        {"WWW-Authenticate": CHALLENGE},
    ),
    404: (
        "There is no such limit.",
        ProblemError(404, "this user has no limit of this id", code="no-such-limit"),
        {},
    ),
    405: ("The API is read-only.", ProblemError(405, "this can only be read"), {"Allow": ALLOW}),
    413: ("The request is too large.", ProblemError(413, "a request has at most 8192 bytes"), {}),
    414: ("The URL is too long.", ProblemError(414, "a URL has at most 8192 bytes"), {}),
    421: (
        "The API is served to its own machine only.",
        ProblemError(421, "this is served to this machine only, by its own name or address"),
        {},
    ),
    500: (
        "An internal error.",
        ProblemError(
            500, "something went wrong here; the log knows more under this instance", instance=INSTANCE
        ),
        {},
    ),
    503: (
        "The limits cannot be read now.",
        ProblemError(503, "the limits cannot be read now; try again", instance=INSTANCE),
        {"Retry-After": SECONDS},
    ),
}
ON_TOKENS = {401, 403}
EVERYWHERE = {400, 405, 413, 414, 421, 500}

LINK = {
    "limit": {
        "operationId": "getLimit",
        "description": "Reads one limit of the list.",
        "parameters": {
            "userId": "$request.path.userId",
            "limitId": "$response.body#/data/0/limitId",
        },
    }
}


def describe(handlers: Sequence[HTTPRouteHandler], *, with_tokens: bool) -> Json:
    """Return the description of these routes.

    Args:
        handlers: the routes.
        with_tokens: whether the routes of limits require a token.
    """
    config = OpenAPIConfig(title="User limits", version=__version__, description=INTRODUCTION)
    app = Litestar(list(handlers), openapi_config=config, logging_config=None)
    described: Json = app.openapi_schema.to_schema()
    described["servers"] = SERVERS
    for operations in described["paths"].values():
        for operation in operations.values():
            _complete(operation, with_tokens=with_tokens)
    described["components"] = {"schemas": _schemas()}
    if with_tokens:
        bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        described["components"]["securitySchemes"] = {"token": bearer}
    return described


def _complete(operation: Json, *, with_tokens: bool) -> None:
    """Complete an operation with its answers and examples."""
    name = operation["operationId"]
    is_about_limits = "Limit" in name
    for parameter in operation.get("parameters", []):
        _simplify(parameter)
        if parameter["name"] == "cursor":
            parameter["schema"]["format"] = CURSORS.get(name, "cursor")
        if parameter["name"] in EXAMPLES:
            parameter["examples"] = {"example": {"value": EXAMPLES[parameter["name"]]}}
    operation["responses"] = {"200": _content("The answer.", "application/json", ANSWERS[name])}
    if is_about_limits:
        _complete_conditional(operation)
    for status in sorted(EVERYWHERE | _own_problems(name, with_tokens=with_tokens)):
        description, problem, headers = PROBLEMS[status]
        response = _content(description, MEDIA_TYPE, problem.problem)
        operation["responses"][str(status)] = {**response, **({"headers": headers} if headers else {})}
    for response in operation["responses"].values():
        response["headers"] = {**response.get("headers", {}), "X-Correlation-Id": CORRELATION}
    if with_tokens and is_about_limits:
        operation["security"] = [{"token": []}]


def _complete_conditional(operation: Json) -> None:
    """Complete an operation whose answer has a tag."""
    name, responses = operation["operationId"], operation["responses"]
    operation["parameters"] = [*operation["parameters"], IF_NONE_MATCH, CORRELATION_ID]
    responses["304"] = {"description": "The answer has not changed."}
    is_paged = name in {"listLimits", "listActiveLimits", "getLimitActivity"}
    for status in ("200", "304"):
        responses[status]["headers"] = {"ETag": TAG, **({"Link": NEXT} if is_paged else {})}
    if name in {"listLimits", "listActiveLimits"}:
        responses["200"]["links"] = LINK


def _own_problems(name: str, *, with_tokens: bool) -> set[int]:
    """Return the statuses that an operation may answer with beside those of every operation."""
    is_about_limits = "Limit" in name
    return {
        *({503} if is_about_limits or name == "ready" else ()),
        *({404} if name in {"getLimit", "getLimitActivity"} else ()),
        *(ON_TOKENS if is_about_limits and with_tokens else ()),
    }


def _simplify(parameter: Json) -> None:
    """Remove the framework's duplicate descriptions of a parameter, and its null types."""
    schema = parameter["schema"]
    schema.pop("description", None)
    for each in schema.pop("oneOf", []):
        if each != {"type": "null"}:
            schema.update(each)
    if isinstance(schema.get("type"), list):
        [schema["type"]] = [each for each in schema["type"] if each != "null"]
    if "enum" in schema:
        schema["enum"] = [each for each in schema["enum"] if each is not None]
    schema |= {bound: int(schema[bound]) for bound in ("minimum", "maximum") if bound in schema}
    if parameter["in"] == "path":
        schema["pattern"] = ID
    for superfluous in ("deprecated", "allowEmptyValue", "allowReserved"):
        parameter.pop(superfluous, None)


def _content(description: str, media_type: str, example: Struct) -> Json:
    content = {
        "schema": {"$ref": f"#/components/schemas/{type(example).__name__}"},
        "examples": {"example": {"value": to_builtins(example, builtin_types=(Decimal,))}},
    }
    return {"description": description, "content": {media_type: content}}


def _schemas() -> Json:
    """Return the schemas of the documents, with the descriptions in their docstrings."""
    _, schemas = msgspec.json.schema_components(DOCUMENTS, ref_template="#/components/schemas/{name}")
    for document in DOCUMENTS:
        schema = schemas[document.__name__]
        schema["description"] = cleandoc(document.__doc__ or "").partition("\n\nArgs:\n")[0]
        schema["properties"] = {name: _exact(each) for name, each in schema["properties"].items()}
        for field in msgspec.structs.fields(document):
            meaning = _meaning(document, field.name)
            if meaning:
                schema["properties"][field.encode_name]["description"] = meaning
        # msgspec leaves out what has a default, as if somebody sent it to us: it is in every answer.
        schema["required"] = [
            field.encode_name for field in msgspec.structs.fields(document) if field.default is not UNSET
        ]
    return {**schemas, "Amount": AMOUNT}


def _meaning(document: type[Struct], field: str) -> str:
    """Return the description of a field in the docstrings of a class and its bases."""
    for each in document.__mro__:
        found = re.search(rf"^    {field}: (.+(?:\n {{8}}.+)*)", cleandoc(each.__doc__ or ""), re.MULTILINE)
        if found:
            return " ".join(found[1].split())
    return ""


def _exact(schema: Any) -> Any:
    """Replace msgspec's schema of a Decimal, a string, by that of an amount."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {"$ref": "#/components/schemas/Amount"}
        return {name: _exact(each) for name, each in schema.items()}
    return [_exact(each) for each in schema] if isinstance(schema, list) else schema
