"""An issuer of tokens on this machine: its keys are fetched over TLS, as an issuer's are."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER, AUDIENCE = "https://issuer.example/", "limits"

_HOST = "127.0.0.1"


class Issuer:
    """Issues tokens.

    Args:
        jwks: where its public keys are.
        certificate: of the server there, which signed it itself.
        key: what it signs with.
    """

    def __init__(self, jwks: str, certificate: Path, key: ECKey) -> None:
        self.jwks = jwks
        self.certificate = certificate
        self._key = key

    def token(self, user_id: str) -> str:
        """Return a token of a user, for ten minutes."""
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user_id, "exp": int(time.time()) + 600}
        return jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key)


@contextmanager
def issuer(folder: Path) -> Iterator[Issuer]:
    """Serve an issuer's keys."""
    key = ECKey.generate_key("P-256", {"kid": "e2e"})
    document = json.dumps({"keys": [key.as_dict(private=False)]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    certificate, private_key = _certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private_key)
    server = ThreadingHTTPServer((_HOST, 0), Keys)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield Issuer(f"https://{_HOST}:{server.server_port}/keys", certificate, key)
    finally:
        server.shutdown()
        server.server_close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine's address, for an hour, and its private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _HOST)])
    now, hour = datetime.now(UTC), timedelta(hours=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - hour)
        .not_valid_after(now + hour)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(_HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, private_key = folder / "issuer.pem", folder / "issuer.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private_key
