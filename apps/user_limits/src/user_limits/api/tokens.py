"""Tokens: checked against the keys of whoever issues them, and for being meant for this API, now."""

import time
from collections.abc import Callable

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, MissingClaimError

from user_limits.api.access import Caller, refused
from user_limits.api.jwks import KeySource
from user_limits.api.key_set import Key

ALGORITHMS = ("RS256", "ES256")
"""Those of public keys only: what can be checked here cannot be signed here."""

MAX_TOKEN = 8_192
"""Characters."""

LEEWAY = 30
"""Seconds that clocks may be apart."""

UNTRUSTED = "the token is not signed by a key that is trusted here"


class TokenAccess:
    """Takes a token for what it says if it is signed, current, and issued for this API.

    Args:
        keys: the keys of whoever issues tokens.
        issuer: who that is.
        audience: what tokens for this API are issued for.
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
        """See `Access.caller`. Raises ProblemError that says why, and quotes nothing of the token."""
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
        """Return the key that a token names. One that names none is not tried with all."""
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
        except Exception as error:  # whatever is wrong with it: it comes from anybody
            raise refused(UNTRUSTED) from error
        key = await self._keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise refused(UNTRUSTED)
        return key
