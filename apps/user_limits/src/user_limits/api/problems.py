"""Every answer that is not the one asked for, as an RFC 9457 problem document.

None of them quotes a value of the request: ids and parameters are named, not echoed. What went wrong inside
goes to the log, under the `instance` that the document carries.

Source: https://www.rfc-editor.org/rfc/rfc9457
"""

import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from logging import DEBUG
from typing import Annotated, Any

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
"""What can be done with anything here."""

RETRY_AFTER = 1
"""Seconds after which a store that did not answer may be asked again."""


class Problem(Struct, frozen=True, kw_only=True):
    """Why there is no other answer.

    Args:
        type: "about:blank" says that the status is all there is to tell the kinds of problems apart.
        title: the status in words.
        status: the HTTP status.
        detail: what was wrong, for a person.
        parameter: which parameter was wrong.
        allowed: what that parameter may be.
        instance: what this occurrence is called in the log.
    """

    type: Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})] = "about:blank"
    title: str
    status: int
    detail: str
    parameter: str | UnsetType = UNSET
    allowed: Sequence[str] | UnsetType = UNSET
    instance: Annotated[str, Meta(extra_json_schema={"format": "uri-reference"})] | UnsetType = UNSET


class ProblemError(Exception):
    """Raised wherever a request cannot be answered as it was asked."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.headers = {"cache-control": "no-store", **(headers or {})}
        self.problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, **more)


def wrong_parameter(name: str, detail: str, allowed: Sequence[str]) -> ProblemError:
    """Return the problem of a parameter that is not allowed, or not as it is."""
    return ProblemError(400, detail, parameter=name, allowed=allowed)


def encoded(error: ProblemError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return a problem as status, headers and body."""
    body = msgspec.json.encode(error.problem)
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **error.headers}
    return error.problem.status, [(k.encode(), v.encode()) for k, v in headers.items()], body


def unexpected(error: Exception) -> ProblemError:
    """Log an error that nobody foresaw, and return a problem that says no more than where to look."""
    instance = f"urn:uuid:{uuid.uuid4()}"
    log = structlog.get_logger(component="api")
    fields = {"exc_info": error} if log.is_enabled_for(DEBUG) else {}
    log.error("request failed", instance=instance, reason=str(UnexpectedError(error)), **fields)
    return ProblemError(
        500, "something went wrong here; the log knows more under this instance", instance=instance
    )


def unreadable(error: Exception) -> ProblemError:
    """Log that a limit is stored and cannot be read, and return a problem: waiting does not help."""
    instance = f"urn:uuid:{uuid.uuid4()}"
    structlog.get_logger(component="api").error("limit not readable", instance=instance, reason=str(error))
    return ProblemError(
        500,
        "this limit is stored and cannot be read; the log knows more under this instance",
        instance=instance,
    )


def unavailable(error: Exception) -> ProblemError:
    """Log that the store did not answer, and return a problem that says so."""
    instance = f"urn:uuid:{uuid.uuid4()}"
    structlog.get_logger(component="api").error(
        "store not available", instance=instance, error=type(error).__name__, reason=str(error)
    )
    return ProblemError(
        503,
        "the limits cannot be read now; try again",
        {"retry-after": str(RETRY_AFTER)},
        instance=instance,
    )


def _of_problem(_: Request[Any, Any, Any], error: ProblemError) -> Response[bytes]:
    status, _headers, body = encoded(error)
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=error.headers)


def _of_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _of_problem(request, unexpected(error))


def _of_damage(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _of_problem(request, unreadable(error))


def _of_store(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _of_problem(request, unavailable(error))


def _of_cursor(request: Request[Any, Any, Any], _: Exception) -> Response[bytes]:
    allowed = request.scope["route_handler"].opt["allowed"]["cursor"]
    return _of_problem(request, wrong_parameter("cursor", "cursor was not handed out with a page", allowed))


def _of_validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """Name the parameter, and what it may be, by the constraints that its handler declares."""
    told: Any = error.extra
    name = told[0].get("key", "") if told else ""
    handler = request.scope["route_handler"]
    allowed = handler.opt.get("allowed", {}).get(name, [])
    detail = f"allowed for {name}: {', '.join(allowed)}"
    return _of_problem(request, wrong_parameter(name, detail, allowed))


def _of_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework itself refuses: it may name the path, and so does not get its words in."""
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
    UnreadableError: _of_damage,
    RepositoryError: _of_store,
    Exception: _of_unexpected,
}
