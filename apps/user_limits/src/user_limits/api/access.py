"""Authorizes requests: players may read their own limits, and support staff everybody's."""

from typing import Any, Protocol

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard
from msgspec import Struct

from user_limits.api.conditional_json import header
from user_limits.api.problems import ProblemError

READ_ANY = "limits:read:any"
"""Scope of a token whose bearer may read every user's limits."""

SCHEME = "Bearer "


class Caller(Struct, frozen=True):
    """The caller of the API.

    Args:
        user_id: the user whose limits they may read.
        scopes: their further permissions.
    """

    user_id: str
    scopes: frozenset[str] = frozenset()

    def may_read(self, user_id: str) -> bool:
        """Tell whether the caller may read this user's limits."""
        return user_id == self.user_id or READ_ANY in self.scopes


class Access(Protocol):
    """Identifies callers by their tokens."""

    async def caller(self, token: str) -> Caller:
        """Return the bearer of a token. Raises ProblemError if it is invalid, or cannot be checked now."""


def guard_of(access: Access) -> Guard:
    """Return a guard that lets only authorized requests through to a route."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Raise ProblemError unless the request carries a token whose bearer may read this user's limits."""
        authorization = header(connection.scope, b"authorization") or ""
        if authorization[: len(SCHEME)].lower() != SCHEME.lower():
            # https://www.rfc-editor.org/rfc/rfc6750#section-3: without a token there is no error to report
            raise ProblemError(
                401, "a token is needed: Authorization: Bearer …", {"www-authenticate": "Bearer"}
            )
        caller = await access.caller(authorization[len(SCHEME) :].strip())
        if not caller.may_read(connection.path_params["userId"]):
            challenge = f'Bearer error="insufficient_scope", scope="{READ_ANY}"'
            raise ProblemError(403, "the token is for another user's limits", {"www-authenticate": challenge})

    return guard


def refused(detail: str) -> ProblemError:
    """Return the problem of an invalid token."""
    challenge = f'Bearer error="invalid_token", error_description="{detail}"'
    return ProblemError(401, detail, {"www-authenticate": challenge})
