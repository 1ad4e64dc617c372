"""Answers every failed request with an RFC 9457 problem document.

A problem quotes no value of the request: ids and parameters are named, not echoed. Internal errors are logged
under the `instance` of the document.

Source: https://www.rfc-editor.org/rfc/rfc9457
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from logging import DEBUG
from typing import Annotated, Any, Literal

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap
from msgspec import UNSET, Meta, Struct, UnsetType

from kinesis_handler import RepositoryError
from kinesis_handler.errors import InvalidCursorError, UnexpectedError, UnreadableError

MEDIA_TYPE = "application/problem+json"

METHODS = "GET, HEAD, OPTIONS"
"""Methods that every path allows."""

RETRY_AFTER = 1
"""Seconds after which a client may try again when the store did not answer."""


ProblemCode = Literal[
    "bad-request", "wrong-parameter",
    "unauthenticated", "forbidden",
    "not-found", "no-such-limit", "method-not-allowed",
    "too-large", "url-too-long", "misdirected",
    "internal-error", "unreadable-limit", "unavailable",
    "request-timeout", "headers-too-large",
]  # fmt: skip

CODES: Mapping[int, ProblemCode] = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    414: "url-too-long",
    421: "misdirected",
    500: "internal-error",
    503: "unavailable",
}
"""Code of a problem that has none of its own, by its status."""


class Problem(Struct, frozen=True, kw_only=True):
    """The reason why a request failed.

    Args:
        type: "about:blank" means that the status alone identifies the kind of problem.
        title: the status in words.
        status: the HTTP status.
        code: what was wrong, for a program: it stays the same whatever words `detail` has.
        detail: what was wrong, for a person.
        parameter: the parameter that was wrong.
        allowed: the allowed values of that parameter.
        instance: the id of this occurrence in the log.
    """

    type: Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})] = "about:blank"
    title: str
    status: int
    code: ProblemCode
    detail: str
    parameter: str | UnsetType = UNSET
    allowed: Sequence[str] | UnsetType = UNSET
    instance: Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})] | UnsetType = UNSET


class ProblemError(Exception):
    """A request that fails, with its problem document."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        code: ProblemCode | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.headers = {"cache-control": "no-store", **(headers or {})}
        self.problem = Problem(
            title=HTTPStatus(status).phrase,
            status=status,
            code=code or CODES.get(status, "bad-request"),
            detail=detail,
            **more,
        )


def wrong_parameter(name: str, detail: str, allowed: Sequence[str]) -> ProblemError:
    """Return the problem of an unknown parameter, or of a value that is not allowed."""
    return ProblemError(400, detail, code="wrong-parameter", parameter=name, allowed=allowed)


def encoded(error: ProblemError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return a problem as status, headers and body."""
    body = msgspec.json.encode(error.problem)
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **error.headers}
    return error.problem.status, [(k.encode(), v.encode()) for k, v in headers.items()], body


def unexpected(error: Exception) -> ProblemError:
    """Log an unexpected error, and return a problem that only names its instance in the log."""
    is_debug = structlog.get_logger(component="api").is_enabled_for(DEBUG)
    fields = {"reason": str(UnexpectedError(error)), **({"exc_info": error} if is_debug else {})}
    instance = _logged("request failed", **fields)
    return ProblemError(
        500, "something went wrong here; the log knows more under this instance", instance=instance
    )


def unreadable(error: Exception) -> ProblemError:
    """Log that a stored limit cannot be read, and return a problem: waiting does not help."""
    return ProblemError(
        500,
        "this limit is stored and cannot be read; the log knows more under this instance",
        code="unreadable-limit",
        instance=_logged("limit not readable", reason=str(error)),
    )


def unavailable(error: Exception) -> ProblemError:
    """Log that the store did not answer, and return a problem that says so."""
    instance = _logged("store not available", error=type(error).__name__, reason=str(error))
    headers = {"retry-after": str(RETRY_AFTER)}
    return ProblemError(503, "the limits cannot be read now; try again", headers, instance=instance)


def _logged(event: str, **fields: object) -> str:
    """Log why a request fails, and return the instance under which that is found."""
    instance = f"urn:uuid:{uuid.uuid4()}"
    structlog.get_logger(component="api").error(event, instance=instance, **fields)
    return instance


def _of_problem(_: Request[Any, Any, Any], error: ProblemError) -> Response[bytes]:
    status, _headers, body = encoded(error)
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=error.headers)


def _of(
    problem: Callable[[Exception], ProblemError],
) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    """Return what answers an error with the problem that is made of it."""
    return lambda request, error: _of_problem(request, problem(error))


def _of_cursor(request: Request[Any, Any, Any], _: Exception) -> Response[bytes]:
    allowed = request.scope["route_handler"].opt["allowed"]["cursor"]
    return _of_problem(request, wrong_parameter("cursor", "cursor was not handed out with a page", allowed))


def _of_validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """Return a problem with the parameter and its allowed values, as its handler declares them."""
    errors: Any = error.extra
    name = errors[0].get("key", "") if errors else ""
    handler = request.scope["route_handler"]
    allowed = handler.opt.get("allowed", {}).get(name, [])
    detail = f"allowed for {name}: {', '.join(allowed)}"
    return _of_problem(request, wrong_parameter(name, detail, allowed))


def _of_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Return a problem for a refusal by the framework, without its text, which may quote the path."""
    match error.status_code:
        case 404:
            problem = ProblemError(404, "there is nothing at this path")
        case 405:
            problem = ProblemError(405, "this can only be read", {"allow": METHODS})
        case status if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            problem = ProblemError(status, "the request cannot be understood")
        case _:
            problem = unexpected(error)
    return _of_problem(request, problem)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    ProblemError: _of_problem,
    ValidationException: _of_validation,
    HTTPException: _of_http,
    InvalidCursorError: _of_cursor,
    UnreadableError: _of(unreadable),
    RepositoryError: _of(unavailable),
    Exception: _of(unexpected),
}
