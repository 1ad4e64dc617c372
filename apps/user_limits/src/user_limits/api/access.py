"""Who may see what: a player their own limits, and support staff everybody's."""

from typing import Any, Protocol

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import Guard
from msgspec import Struct

from user_limits.api.conditional_json import header
from user_limits.api.problems import ProblemError

READ_ANY = "limits:read:any"
"""The scope of a token whose bearer may read every user's limits."""

SCHEME = "Bearer "


class Caller(Struct, frozen=True):
    """Who asks.

    Args:
        user_id: the user whose limits they may read.
        scopes: what else they may.
    """

    user_id: str
    scopes: frozenset[str] = frozenset()

    def may_read(self, user_id: str) -> bool:
        """Tell whether they may read this user's limits."""
        return user_id == self.user_id or READ_ANY in self.scopes


class Access(Protocol):
    """Tells by a token who asks."""

    async def caller(self, token: str) -> Caller:
        """Return whose token it is. Raises ProblemError if it is nobody's, or if that cannot be told now."""


def guard_of(access: Access) -> Guard:
    """Return what lets a request through to its route, or does not."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Raise ProblemError unless the request carries a token whose bearer may read this user's limits."""
        told = header(connection.scope, b"authorization") or ""
        if told[: len(SCHEME)].lower() != SCHEME.lower():
            # https://www.rfc-editor.org/rfc/rfc6750#section-3: without a token there is no error to tell
            raise ProblemError(
                401, "a token is needed: Authorization: Bearer …", {"www-authenticate": "Bearer"}
            )
        caller = await access.caller(told[len(SCHEME) :].strip())
        if not caller.may_read(connection.path_params["userId"]):
            challenge = f'Bearer error="insufficient_scope", scope="{READ_ANY}"'
            raise ProblemError(403, "the token is for another user's limits", {"www-authenticate": challenge})

    return guard


def refused(detail: str) -> ProblemError:
    """Return the problem of a token that is not taken."""
    challenge = f'Bearer error="invalid_token", error_description="{detail}"'
    return ProblemError(401, detail, {"www-authenticate": challenge})
