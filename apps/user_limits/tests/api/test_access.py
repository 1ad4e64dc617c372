"""Who may see what: real keys, and real tokens."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from api.stored import NOW, client, limit, repository_of
from user_limits.api.app import Options
from user_limits.api.jwks import KeySource
from user_limits.api.tokens import TokenAccess

ISSUER, AUDIENCE = "https://issuer.example/", "limits"
LIMITS = "/api/v1/users/anna/limits"

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa-1"})

CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "exp": NOW + 600, "nbf": NOW - 600, "iat": NOW - 600}


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def token(key: Any = RSA, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Sign claims; those that are None are left out."""
    algorithm = {"RSA": "RS256", "EC": "ES256", "oct": "HS256"}[key.key_type]
    told = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return jwt.encode(
        {"alg": algorithm, "kid": key.kid, **(header or {})},
        told,
        key,
        algorithms=[algorithm, "HS256", "RS384", "RS512", "PS256"],
    )


def raw(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Put a token together as no library would."""

    def part(content: bytes) -> bytes:
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    signed = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(sign(signed))).decode()


def access(
    fetch: Callable[[], bytes] = lambda: key_set(RSA, EC), clock: Callable[[], float] = lambda: 0.0
) -> TokenAccess:
    return TokenAccess(KeySource(fetch, clock), issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)


def ask(bearer: str | None, path: str = LIMITS, **options: Any) -> Any:
    headers = {} if bearer is None else {"authorization": f"Bearer {bearer}"}
    asked = client(
        repository_of(limit("anna", "bet"), limit("ben", "loss")), Options(access=access(**options))
    )
    return asked.get(path, headers=headers)


def pem() -> bytes:
    return bytes(RSA.as_pem(private=False))


def by_rsa(signed: bytes) -> bytes:
    key: Any = RSA.private_key
    signature: bytes = key.sign(signed, PKCS1v15(), SHA256())
    return signature


def by_hmac(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
@pytest.mark.parametrize("path", ["", "/active", "/bet"])
def test_a_player_sees_their_own_limits(key: Any, path: str) -> None:
    assert ask(token(key), LIMITS + path).status_code == 200


def test_a_token_need_not_be_made_by_the_library_that_checks_it() -> None:
    assert ask(raw({"alg": "RS256", "kid": "rsa-1"}, CLAIMS, by_rsa)).status_code == 200


def test_the_scheme_may_be_written_in_any_case() -> None:
    asked = client(repository_of(), Options(access=access()))
    assert asked.get(LIMITS, headers={"authorization": f"bearer {token()}"}).status_code == 200


@pytest.mark.parametrize("path", ["", "/active", "/loss", "/none"])
def test_a_player_sees_nobody_elses_not_even_whether_there_is_any(path: str) -> None:
    for user in ("ben", "nobody", "Anna", "anna "):
        response = ask(token(), f"/api/v1/users/{user}/limits{path}")
        assert response.status_code == 403
        assert response.json()["detail"] == "the token is for another user's limits"
        assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


@pytest.mark.parametrize("scope", ["limits:read:any", "openid limits:read:any profile"])
def test_support_staff_see_everybodys(scope: str) -> None:
    assert ask(token(sub="staff-7", scope=scope), "/api/v1/users/ben/limits").status_code == 200


@pytest.mark.parametrize(
    "scope", ["limits:read", "limits:read:any:more", "Limits:Read:Any", ["limits:read:any"], 1, ""]
)
def test_another_scope_does_not_do(scope: Any) -> None:
    assert ask(token(scope=scope), "/api/v1/users/ben/limits").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/users/anna%2F..%2Fben/limits",
        "/api/v1/users/ben%2Flimits",
        "/api/v1/users/anna/limits/..%2F..%2Fben%2Flimits",
    ],
)
def test_a_way_around_through_a_path_is_refused(path: str) -> None:
    assert ask(token(), path).status_code == 400


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "no signature, alg none": (
        lambda: raw({"alg": "none", "kid": "rsa-1"}, CLAIMS, lambda _: b""),
        "signed",
    ),
    "alg None in other letters": (
        lambda: raw({"alg": "nOnE", "kid": "rsa-1"}, CLAIMS, lambda _: b""),
        "signed",
    ),
    "HS256 with the public key": (
        lambda: raw({"alg": "HS256", "kid": "rsa-1"}, CLAIMS, by_hmac(pem())),
        "signed",
    ),
    "HS256 with the key as it is published": (
        lambda: raw(
            {"alg": "HS256", "kid": "rsa-1"}, CLAIMS, by_hmac(json.dumps(RSA.as_dict(private=False)).encode())
        ),
        "signed",
    ),
    "HS256 with a secret of its own": (
        lambda: token(OctKey.import_key("k" * 32, {"kid": "rsa-1"})),
        "signed",
    ),
    "another algorithm of the same key": (lambda: token(header={"alg": "RS512"}), "signed"),
    "PS256": (lambda: token(header={"alg": "PS256"}), "signed"),
    "ES256 named with an RSA key": (
        lambda: raw({"alg": "ES256", "kid": "rsa-1"}, CLAIMS, lambda _: b"\1" * 64),
        "signed",
    ),
    "a signature of zeros": (
        lambda: raw({"alg": "ES256", "kid": "ec-1"}, CLAIMS, lambda _: bytes(64)),
        "signed",
    ),
    "an unknown key": (lambda: token(header={"kid": "rsa-2"}), "signed"),
    "no key named": (lambda: raw({"alg": "RS256"}, CLAIMS, by_rsa), "signed"),
    "a key named by a number": (lambda: raw({"alg": "RS256", "kid": 1}, CLAIMS, lambda _: b"x"), "signed"),
    "a key that came along": (
        lambda: raw(
            {"alg": "RS256", "kid": "new", "jwk": STRANGER.as_dict(private=False)}, CLAIMS, lambda _: b"x"
        ),
        "signed",
    ),
    "another's key of that name": (lambda: token(STRANGER), "signed"),
    "a claim that was changed": (
        lambda: token().replace(token().split(".")[1], token(sub="ben").split(".")[1]),
        "signed",
    ),
    "expired": (lambda: token(exp=NOW - 31), "expired"),
    "never expires": (lambda: token(exp=None), "exp"),
    "expires as a text": (lambda: token(exp=str(NOW + 600)), "exp"),
    "expires at infinity": (
        lambda: raw_signed(f'{{"iss":"{ISSUER}","aud":"limits","sub":"anna","exp":1e999}}'),
        "exp",
    ),
    "not yet": (lambda: token(nbf=NOW + 31), "nbf"),
    "issued in the future": (lambda: token(iat=NOW + 31), "iat"),
    "for another audience": (lambda: token(aud="shop"), "aud"),
    "for a list of other audiences": (lambda: token(aud=["shop", "limits2"]), "aud"),
    "for nobody": (lambda: token(aud=None), "aud"),
    "by another issuer": (lambda: token(iss="https://issuer.example"), "iss"),
    "by nobody": (lambda: token(iss=None), "iss"),
    "about nobody": (lambda: token(sub=None), "sub"),
    "about an empty name": (lambda: token(sub=""), "sub"),
    "about a number": (lambda: token(sub=7), "sub"),
    "an extension that has to be understood": (
        lambda: raw({"alg": "RS256", "kid": "rsa-1", "crit": ["exp"], "exp": NOW}, CLAIMS, by_rsa),
        "signed",
    ),
    "claims that are a list": (lambda: raw_signed("[]"), "signed"),
    "claims that are no JSON": (lambda: raw_signed("{"), "signed"),
    "a word": (lambda: "anna", "signed"),
    "nothing": (lambda: "", "signed"),
    "dots": (lambda: "..", "signed"),
    "other letters": (lambda: "ü.ü.ü", "signed"),
    "too long": (lambda: token(more="a" * 8_192), "long"),
    "deeply nested": (lambda: raw_signed("[" * 4_000), "signed"),
}


def raw_signed(claims: str) -> str:
    """Sign what need not be claims."""
    from joserfc.jws import serialize_compact

    return serialize_compact({"alg": "RS256", "kid": "rsa-1"}, claims, RSA)


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_token_that_is_not_as_it_has_to_be_is_refused(make: Callable[[], str], reason: str) -> None:
    bearer = make()
    asked = client(repository_of(limit("anna", "bet")), Options(access=access()))
    response = asked.get(LIMITS, headers={b"authorization": f"Bearer {bearer}".encode()})
    assert response.status_code == 401, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert reason in response.json()["detail"]
    assert response.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert "anna" not in response.text


@pytest.mark.parametrize("told", [None, "", "Basic YTpi", "Bearer", token()])
def test_without_a_token_there_is_a_challenge_and_nothing_else(told: str | None) -> None:
    asked = client(repository_of(limit("anna", "bet")), Options(access=access()))
    response = asked.get(LIMITS, headers={} if told is None else {"authorization": told})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


def test_clocks_may_be_half_a_minute_apart() -> None:
    assert ask(token(exp=NOW - 29)).status_code == 200
    assert ask(token(nbf=NOW + 29, iat=NOW + 29)).status_code == 200


def test_a_token_is_asked_for_before_anything_is_said_of_the_request() -> None:
    assert ask(None, f"{LIMITS}?limit=0").status_code == 401
    assert ask(token(), "/api/v1/users/ben/limits?limit=0").status_code == 403


def test_health_and_description_need_no_token() -> None:
    asked = client(repository_of(), Options(access=access()))
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert asked.get(path).status_code == 200


def test_the_page_is_not_served_where_a_token_is_needed() -> None:
    from kinesis_handler.application import Api
    from user_limits.wiring import application

    settings = {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWT_JWKS": "file:///keys.json"}
    for auth, status in (("none", 200), ("jwt", 404)):
        api = application({"AUTH": auth, **settings}).api
        assert isinstance(api, Api)
        assert api.is_open is (auth == "none")
        app: Any = api.build(local=False)
        from litestar.testing import TestClient

        assert TestClient(app).get("/users/anna").status_code == status
