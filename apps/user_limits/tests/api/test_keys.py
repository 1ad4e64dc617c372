"""The keys that tokens are checked with, from a real server, which may be slow or silent."""

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from select import select
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey

from api.stored import NOW, limit, repository_of
from api.test_access import AUDIENCE, EC, ISSUER, LIMITS, RSA, ask, key_set, token
from api.test_lambda import event
from testkit.coroutines import run
from user_limits.api.app import Options, build_api
from user_limits.api.gateway import gateway_handler
from user_limits.api.jwks import MAX_AGE, MAX_STALE, PAUSE, REFRESH_AFTER, KeySource
from user_limits.api.key_set import fetcher, parse_keys
from user_limits.api.problems import ProblemError
from user_limits.api.tokens import TokenAccess

SHORT = 0.05
"""Seconds to wait for what will not come."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Whoever issues tokens, and publishes keys. It can be made to fail, and to keep others waiting."""

    def __init__(self, *keys: Any) -> None:
        self.keys = keys
        self.asked = 0
        self.fails = False
        self.answers = threading.Event()
        self.answers.set()

    def __call__(self) -> bytes:
        self.asked += 1
        self.answers.wait()
        if self.fails:
            raise OSError("the line is cut")
        return key_set(*self.keys)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer(RSA)
    yield made
    made.answers.set()
    settle()


def find(source: KeySource, kid: str) -> Any:
    """Ask as one request does, on a loop of its own, as on Lambda after a restart."""
    return run(source.find(kid))


def settle() -> None:
    """Wait until no fetch is under way."""
    for thread in threading.enumerate():
        if thread.name == "keys":
            thread.join()


def test_keys_are_fetched_when_the_first_token_comes_and_kept(issuer: Issuer) -> None:
    clock = Clock()
    issuer.keys = (RSA, EC)
    source = KeySource(issuer, clock)
    assert issuer.asked == 0
    assert find(source, "rsa-1") is not None
    clock.now += REFRESH_AFTER - 1
    assert find(source, "ec-1") is not None
    assert issuer.asked == 1


def test_tokens_that_come_while_the_first_keys_are_fetched_wait_for_them(issuer: Issuer) -> None:
    source = KeySource(issuer, Clock(), wait=60)
    issuer.answers.clear()

    async def together() -> list[Any]:
        asked = [asyncio.create_task(source.find("rsa-1")) for _ in range(20)]
        await asyncio.sleep(0)  # each has asked
        issuer.answers.set()
        return await asyncio.gather(*asked)

    assert None not in run(together())
    assert issuer.asked == 1


def test_a_new_key_is_found_as_soon_as_a_token_names_it(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock)
    find(source, "rsa-1")
    issuer.keys = (RSA, EC)
    clock.now += PAUSE
    assert find(source, "ec-1") is not None
    assert issuer.asked == 2


def test_at_a_rotation_all_tokens_of_the_new_key_wait_for_one_fetch(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock, wait=60)
    find(source, "rsa-1")
    issuer.keys = (EC,)
    issuer.answers.clear()
    clock.now += PAUSE

    async def together() -> list[Any]:
        asked = [asyncio.create_task(source.find("ec-1")) for _ in range(20)]
        await asyncio.sleep(0)
        assert await source.find("rsa-1") is not None, "the old key holds meanwhile, and waits for nothing"
        issuer.answers.set()
        return await asyncio.gather(*asked)

    assert None not in run(together())
    assert issuer.asked == 2


def test_a_known_key_is_used_at_once_while_keys_are_refreshed(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock, wait=60)
    find(source, "rsa-1")
    issuer.answers.clear()
    clock.now += REFRESH_AFTER
    for _ in range(3):
        assert find(source, "rsa-1") is not None
        clock.now += PAUSE
    issuer.answers.set()
    settle()
    assert issuer.asked == 2, "one fetch at a time"


def test_an_unknown_key_waits_for_a_bounded_time_and_is_no_fault_of_the_token(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock, wait=SHORT)
    find(source, "rsa-1")
    issuer.answers.clear()
    clock.now += PAUSE
    with pytest.raises(ProblemError, match="cannot be fetched now") as caught:
        find(source, "ec-1")
    assert caught.value.problem.status == 503
    assert int(caught.value.headers["retry-after"]) >= 1
    assert find(source, "rsa-1") is not None
    issuer.keys = (RSA, EC)
    issuer.answers.set()
    settle()
    assert find(source, "ec-1") is not None, "the fetch went on, and nobody has to begin it again"
    assert issuer.asked == 2


def test_a_withdrawn_key_is_trusted_no_longer_than_ten_minutes(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock, wait=60)
    find(source, "rsa-1")
    issuer.keys = (EC,)
    clock.now += MAX_AGE
    assert find(source, "rsa-1") is None


def test_where_nothing_runs_between_requests_a_fetch_is_waited_for(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock, wait=60, refresh_after=MAX_AGE)
    find(source, "rsa-1")
    clock.now += MAX_AGE - 1
    assert find(source, "rsa-1") is not None
    assert issuer.asked == 1, "nothing was begun that would be frozen with the request's end"
    issuer.keys = (EC,)
    clock.now += 1
    assert find(source, "rsa-1") is None


def test_made_up_keys_do_not_make_us_ask_again_and_again(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock)
    for number in range(100):
        assert find(source, f"made-up-{number}") is None
        clock.now += PAUSE / 50
    assert issuer.asked <= 3


def test_while_keys_cannot_be_fetched_the_known_ones_hold_for_an_hour(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock)
    find(source, "rsa-1")
    issuer.fails = True
    clock.now += MAX_STALE
    assert find(source, "rsa-1") is not None
    clock.now += 1
    with pytest.raises(ProblemError, match="cannot be fetched now"):
        find(source, "rsa-1")


def test_who_has_a_key_waits_for_one_fetch_of_an_issuer_that_is_out_and_not_for_each(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock, wait=60)
    find(source, "rsa-1")
    issuer.fails = True
    clock.now += MAX_AGE
    assert find(source, "rsa-1") is not None
    issuer.answers.clear()
    clock.now += PAUSE
    assert find(source, "rsa-1") is not None, "though a fetch is under way that does not end"
    issuer.answers.set()
    settle()
    assert issuer.asked == 3


def test_while_keys_cannot_be_fetched_an_unknown_one_is_no_fault_of_the_token(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock)
    find(source, "rsa-1")
    issuer.fails = True
    for step in (PAUSE, 1):  # with a fetch, and too soon for another
        clock.now += step
        with pytest.raises(ProblemError, match="cannot be fetched now") as caught:
            find(source, "ec-1")
    assert caught.value.headers["retry-after"] == str(PAUSE - 1)
    issuer.fails, issuer.keys = False, (RSA, EC)
    clock.now += PAUSE - 1
    assert find(source, "ec-1") is not None


def test_without_keys_it_is_not_the_token_that_is_at_fault(issuer: Issuer) -> None:
    issuer.fails = True
    response = ask(token(), fetch=issuer)
    assert response.status_code == 503
    assert response.headers["retry-after"] == str(PAUSE)


def test_of_a_key_set_only_what_can_check_signatures_is_taken() -> None:
    keys = [
        RSA.as_dict(private=False),
        EC.as_dict(private=False),
        {**RSA.as_dict(private=False), "kid": "for encryption", "use": "enc"},
        {**RSA.as_dict(private=False), "kid": 7},
        {name: value for name, value in RSA.as_dict(private=False).items() if name != "kid"},
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {**ECKey.generate_key("P-384").as_dict(private=False), "kid": "p-384"},
        {"kty": "new", "kid": "new"},
    ]
    assert set(parse_keys(json.dumps({"keys": keys}).encode())) == {"rsa-1", "ec-1"}


def test_a_short_rsa_key_is_not_taken() -> None:
    published = RSA.as_dict(private=False)
    short = (1 << 1023) + 1  # 1,024 bits
    modulus = base64.urlsafe_b64encode(short.to_bytes(128, "big")).rstrip(b"=").decode()
    assert parse_keys(json.dumps({"keys": [{**published, "n": modulus}]}).encode()) == {}


@contextmanager
def key_server(
    answer: Callable[[BaseHTTPRequestHandler], None], secure: SSLContext | None = None
) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if secure is not None:
        server.socket = secure.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        scheme, host = ("http", "127.0.0.1") if secure is None else ("https", "localhost")
        yield f"{scheme}://{host}:{server.server_port}/keys.json"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sends(status: int, content: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def test_keys_come_from_a_server() -> None:
    with key_server(sends(200, key_set(RSA))) as url:
        assert ask(token(), fetch=fetcher(url)).status_code == 200


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(key_set(EC))
    assert ask(token(EC), fetch=fetcher((tmp_path / "keys.json").as_uri())).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        sends(500),
        sends(404),
        sends(302, Location="file:///etc/passwd"),
        sends(302, Location="http://127.0.0.1:1/keys.json"),
        sends(200, b"<html>"),
        sends(200, b"{}"),
        sends(200, b'{"keys": [' + b" " * 300_000 + b"]}"),
    ],
    ids=["error", "missing", "to a file", "elsewhere", "no JSON", "no keys", "too much"],
)
def test_what_is_no_key_set_is_not_taken_for_one(answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
    with key_server(answer) as url:
        assert ask(token(), fetch=fetcher(url)).status_code == 503


def drips(head: bytes, rest: Callable[[], bytes]) -> Callable[[BaseHTTPRequestHandler], None]:
    """Send some, and then a byte at a time until the other side hangs up."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        with suppress(OSError):
            request.wfile.write(head)
            while not select([request.connection], [], [], 0.005)[0]:
                request.wfile.write(rest())

    return answer


DRIPS = {
    "its status": drips(b"HTTP/1.1 200", lambda: b" "),
    "its headers": drips(b"HTTP/1.1 200 OK\r\nX: ", lambda: b"x"),
    "its keys": drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", lambda: b" "),
    "keys of no known length": drips(b"HTTP/1.1 200 OK\r\n\r\n", lambda: b" "),
    "the length of a chunk": drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", lambda: b"0"),
}


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)
def test_a_fetch_ends_at_its_deadline_though_a_byte_comes_now_and_then(
    answer: Callable[[BaseHTTPRequestHandler], None],
) -> None:
    with key_server(answer) as url, pytest.raises(TimeoutError, match=r"not complete within 0\.2 s"):
        fetcher(url, timeout=60, deadline=0.2)()


def test_with_tls_a_fetch_ends_at_its_deadline_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secure = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with key_server(sends(200, key_set(RSA)), secure) as url:
        assert set(parse_keys(fetcher(url)())) == {"rsa-1"}
    with key_server(DRIPS["its keys"], secure) as url, pytest.raises(TimeoutError, match="not complete"):
        fetcher(url, timeout=60, deadline=0.2)()
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        key_server(sends(200, key_set(RSA)), secure) as url,
        pytest.raises(OSError, match="CERTIFICATE_VERIFY"),
    ):
        fetcher(url)()


def certified(folder: Path) -> SSLContext:
    """Make a certificate for localhost, which nobody trusts who is not told to."""
    key, name = (
        generate_private_key(SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")]),
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(private)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_a_flood_of_made_up_keys_keeps_nobody_waiting_whose_key_is_known(issuer: Issuer) -> None:
    clock = Clock()
    source = KeySource(issuer, clock, wait=60)
    tokens = TokenAccess(source, issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)
    app: Any = build_api(repository_of(limit("anna", "bet")), Options(access=tokens), clock=lambda: NOW)

    async def flood() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as asked:

            async def ask(bearer: str) -> int:
                response = await asked.get(LIMITS, headers={"authorization": f"Bearer {bearer}"})
                return response.status_code

            assert await ask(token()) == 200
            issuer.answers.clear()
            clock.now += PAUSE
            made_up = [asyncio.create_task(ask(token(header={"kid": f"made-up-{n}"}))) for n in range(100)]
            await asyncio.sleep(0)
            assert [await ask(token()) for _ in range(5)] == [200] * 5
            assert not [each for each in made_up if each.done()], "they wait all the while"
            issuer.answers.set()
            assert set(await asyncio.gather(*made_up)) == {401}

    run(flood())
    assert issuer.asked == 2


def test_on_lambda_a_request_that_had_to_go_without_keys_is_followed_by_one_that_has_them(
    issuer: Issuer,
) -> None:
    source = KeySource(issuer, Clock(), wait=SHORT, refresh_after=MAX_AGE)
    tokens = TokenAccess(source, issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)
    app = build_api(repository_of(limit("anna", "bet")), Options(access=tokens), clock=lambda: NOW)
    handler: Any = gateway_handler(app)
    request = event(LIMITS, headers={"authorization": f"Bearer {token()}"})
    issuer.answers.clear()
    assert handler(request, None)["statusCode"] == 503
    issuer.answers.set()
    settle()
    assert handler(request, None)["statusCode"] == 200
    assert issuer.asked == 1


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys":[{"\xff"', b"[" * 5_000, b'{"keys":[3]}'])
def test_what_is_no_key_set_is_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="it is no JSON Web Key Set"):
        parse_keys(content)
