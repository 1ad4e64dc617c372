"""Decides who may operate: the bearers of a token with a scope of its own, which lets nobody read limits."""

from collections.abc import Awaitable, Callable

from kinesis_handler.application import Refusal
from user_limits.api.access import Access
from user_limits.api.problems import ProblemError


def identify_by(access: Access, scope: str) -> Callable[[str], Awaitable[str | Refusal]]:
    """Return what identifies an operator by a token, or says why it is refused.

    Args:
        access: identifies callers.
        scope: what the token has to have.
    """

    async def identify(token: str) -> str | Refusal:
        try:
            caller = await access.caller(token)
        except ProblemError as error:
            challenge = error.headers.get("www-authenticate", "Bearer")
            return Refusal(error.problem.status, error.problem.detail, challenge)
        if scope not in caller.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            return Refusal(403, f"the token lacks the scope {scope}", challenge)
        return caller.user_id

    return identify
