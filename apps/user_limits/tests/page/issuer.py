"""An issuer on this machine: OpenID Connect's code flow with PKCE, for a public client."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, AUDIENCE = "limits-page", "limits"


class Issuer:
    """Signs everybody in as `user`, without asking.

    Args:
        key: what it signs tokens with.
    """

    def __init__(self, key: ECKey) -> None:
        self.url = ""
        self.user = "anna"
        self.refuses = ""
        """Reason for which it signs nobody in; empty if it does."""
        self.grants: set[str] = set()
        """The scopes that it grants, if they are asked for."""
        self.lifetime = 600
        """Seconds for which its tokens are good."""
        self.asked: list[dict[str, str]] = []
        """The requests to authorize, as they came."""
        self.key_set = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
        self._key = key
        self._codes: dict[str, dict[str, str]] = {}

    def description(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the browser is sent back to."""
        self.asked.append(asked)
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert asked["code_challenge_method"] == "S256"
        if self.refuses:
            answer = {"error": "access_denied", "error_description": self.refuses}
        else:
            code = secrets.token_urlsafe()
            self._codes[code] = {**asked, "sub": self.user}
            answer = {"code": code, "iss": self.url}
        return f"{asked['redirect_uri']}?{urlencode({**answer, 'state': asked['state']})}"

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Exchange a code, once, for whoever has its verifier."""
        begun = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if begun is None or begun["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant", "error_description": "The code is not valid."}
        assert form["redirect_uri"] == begun["redirect_uri"]
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": begun["sub"],
            "exp": int(time.time()) + self.lifetime,
            "scope": " ".join(sorted(self.grants.intersection(begun["scope"].split()))),
        }
        token = jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 600}


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Run an issuer until the end of the block."""
    made = Issuer(ECKey.generate_key("P-256", {"kid": "page"}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            match address.path:
                case "/.well-known/openid-configuration":
                    self._send(200, made.description())
                case "/authorize":
                    self.send_response(302)
                    self.send_header("location", made.authorize(_fields(address.query)))
                    self.end_headers()
                case _:
                    self._send(404, {})

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["content-length"])).decode()
            self._send(*made.token(_fields(form)))

        def _send(self, status: int, document: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("access-control-allow-origin", "*")
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def _fields(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
