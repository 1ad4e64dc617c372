"""Checks tokens: they must be signed by the issuer, current, and issued for this API."""

import time
from collections.abc import Callable

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, MissingClaimError

from user_limits.api.access import Caller, refused
from user_limits.api.jwks import KeySource
from user_limits.api.key_set import Key

ALGORITHMS = ("RS256", "ES256")
"""Algorithms with public keys only: the API can check tokens, but not sign them."""

MAX_TOKEN = 8_192
"""Longest token, in characters."""

LEEWAY = 30
"""Seconds by which clocks may differ."""

UNTRUSTED = "the token is not signed by a key that is trusted here"


class TokenAccess:
    """Accepts a token if it is signed by the issuer, current, and issued for this API.

    Args:
        keys: the issuer's keys.
        issuer: the issuer of tokens.
        audience: the audience of tokens for this API.
        clock: seconds since epoch.
    """

    def __init__(
        self, keys: KeySource, *, issuer: str, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def caller(self, token: str) -> Caller:
        """See `Access.caller`. Raises ProblemError with the reason, without quoting the token."""
        if len(token) > MAX_TOKEN:
            raise refused("the token is too long")
        key = await self._key(token)
        try:
            claims = jwt.decode(token, key, algorithms=ALGORITHMS).claims
        except Exception as error:  # whatever is wrong with it: it comes from anybody
            raise refused(UNTRUSTED) from error
        try:
            self._claims.validate(claims)
        except ExpiredTokenError as error:
            raise refused("the token has expired") from error
        except MissingClaimError as error:
            raise refused("the token does not say all of iss, aud, exp and sub") from error
        except InvalidClaimError as error:
            raise refused(f"the token is not for here and now: {error.claim}") from error
        scope = claims.get("scope")
        return Caller(claims["sub"], frozenset(scope.split() if isinstance(scope, str) else ()))

    async def _key(self, token: str) -> Key:
        """Return the key that a token names. A token without a key id is refused, not tried with all keys."""
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
        except Exception as error:  # whatever is wrong with it: it comes from anybody
            raise refused(UNTRUSTED) from error
        key = await self._keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise refused(UNTRUSTED)
        return key
