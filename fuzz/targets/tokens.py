"""Tokens of callers, and the issuer's key sets."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from functools import cache
from re import compile as pattern
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import serialize_compact

from fuzz.targets import Target
from fuzz.targets.http import run
from user_limits.api.access import Caller
from user_limits.api.jwks import KeySource
from user_limits.api.key_set import parse_keys
from user_limits.api.problems import ProblemError
from user_limits.api.tokens import TokenAccess

_NOW = 1_705_329_000
_ISSUER, _AUDIENCE = "https://issuer.example/", "limits"
_CLAIMS = {
    "iss": _ISSUER,
    "aud": _AUDIENCE,
    "sub": "anna",
    "exp": _NOW + 600,
    "nbf": _NOW - 600,
    "scope": "limits:read:any",
}
_FIGURES = pattern(r"\d+")


@cache
def _key() -> ECKey:
    # Of this search only: a key is made in no time, and one in the repository would look like a secret.
    return ECKey.generate_key("P-256", {"kid": "ec-1"})


@cache
def _access() -> TokenAccess:
    content = json.dumps({"keys": [_key().as_dict(private=False)]}).encode()
    return TokenAccess(
        KeySource(lambda: content, lambda: 0.0), issuer=_ISSUER, audience=_AUDIENCE, clock=lambda: _NOW
    )


@cache
def _signed() -> str:
    return jwt.encode({"alg": "ES256", "kid": "ec-1"}, _CLAIMS, _key(), algorithms=["ES256"])


def check_damaged(inputs: Sequence[bytes]) -> list[str]:
    """Show tokens: inputs, in which SIGNED stands for a token that is signed."""
    tokens = [each.replace(b"SIGNED", _signed().encode(), 1).decode("latin-1") for each in inputs]
    return run(_show_all([(each, each.split(".")[:2] == _signed().split(".")[:2]) for each in tokens]))


def check_signed(inputs: Sequence[bytes]) -> list[str]:
    """Show tokens that are signed: an input is the claims."""
    return run(_show_all([(_sign(each), True) for each in inputs]))


def check_unsigned(inputs: Sequence[bytes]) -> list[str]:
    """Show tokens whose header is an input, and whose signature is another token's."""
    _, claims, signature = _signed().split(".")
    return run(_show_all([(f"{_part(each)}.{claims}.{signature}", each == _HEADER) for each in inputs]))


def _part(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _sign(claims: bytes) -> str:
    return serialize_compact({"alg": "ES256", "kid": "ec-1"}, claims, _key(), algorithms=["ES256"])


async def _show_all(tokens: Sequence[tuple[str, bool]]) -> list[str]:
    return [await _show(*each) for each in tokens]


async def _show(token: str, may_pass: bool) -> str:  # noqa: FBT001
    try:
        caller = await _access().caller(token)
    except ProblemError as error:
        problem = error.problem
        assert problem.status == 401, f"the status is {problem.status}"  # noqa: PLR2004
        assert len(token) < 30 or token not in problem.detail, "the reason quotes the token"  # noqa: PLR2004
        challenge = error.headers["www-authenticate"]
        assert challenge.isascii() and challenge.isprintable(), f"the challenge is {challenge!r}"  # noqa: PT018
        return problem.detail[:80]
    assert may_pass, "a token that nobody signed was accepted"
    assert type(caller) is Caller
    assert type(caller.user_id) is str, f"the caller is {caller.user_id!r}"
    assert all(type(each) is str for each in caller.scopes)
    caller.may_read("anna")
    return f"accepted {bool(caller.scopes)}"


def check_key_sets(inputs: Sequence[bytes]) -> list[str]:
    """Parse key sets: whatever is wrong with one is a ValueError, and a key that is no key is left out."""
    return [_parse(each) for each in inputs]


def _parse(content: bytes) -> str:
    try:
        keys = parse_keys(content)
    except ValueError as error:
        return _FIGURES.sub("#", str(error))[:60]
    assert all(type(kid) is str for kid in keys)
    return f"{len(keys)} keys"


def _public(key: Any) -> dict[str, Any]:
    described: dict[str, Any] = key.as_dict(private=False)
    return described


@cache
def _key_sets() -> list[bytes]:
    keys = [
        _public(_key()),
        _public(RSAKey.generate_key(2048, {"kid": "rsa-1"})),
        {"kid": "x", "kty": "oct", "k": "AA"},
    ]
    return [json.dumps({"keys": some}).encode() for some in (keys, keys[:1], keys[1:2], [])]


_HEADER = urlsafe_b64decode(_signed().partition(".")[0] + "==")
_WORDS = [
    b'"alg"', b'"none"', b'"HS256"', b'"RS256"', b'"ES256"', b'"kid"', b'"ec-1"', b'"crit":["exp"]', b'"b64":false', b'"zip":"DEF"', b'"jwk"',
    b'"iss"', b'"aud"', b'"sub"', b'"exp"', b'"nbf"', b'"iat"', b'"scope"', b'"limits"', b"null", b"true", b"[]", b"{}", b"-1", b"1e999",
    b"99999999999999999999999", b"NaN", b'""', b'["limits",3]', b'"\\ud800"', b"\xff", b".", b"..", b"=", b"SIGNED", b"e30", b"[" * 50,
    b'"\\u0000"', b'"\xc3\xa4"', b"Infinity", b"0.5", b'"9"', b'"1705329600"',
]  # fmt: skip
_KEY_WORDS = [
    *_WORDS, b'"kty"', b'"RSA"', b'"EC"', b'"crv"', b'"P-256"', b'"P-384"', b'"use"', b'"enc"', b'"n"', b'"e"', b'"x"', b'"y"', b'"d"', b'"keys"',
    b'"AQAB"', b'"AA"', b'"use":"sig"', b'"key_ops":["sign"]',
]  # fmt: skip

TARGETS = {
    "tokens: damaged": Target(check_damaged, [b"SIGNED", b"SIGNED.", b"e30.e30.e30"], _WORDS, share=3),
    "tokens: headers": Target(check_unsigned, [_HEADER], _WORDS, share=3),
    "tokens: claims": Target(check_signed, [json.dumps(_CLAIMS).encode(), b"{}"], _WORDS, share=2),
    "tokens: key sets": Target(check_key_sets, _key_sets(), _KEY_WORDS, share=2, at_once=20),
}
