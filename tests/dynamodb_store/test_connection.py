"""The connection to DynamoDB finds, signs and sends as botocore's client does, though that is not used."""

import json
import ssl
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kinesis_handler import ConfigurationError
from kinesis_handler.stores.dynamodb import dynamodb_connection
from kinesis_handler.stores.dynamodb.answer import Meaning, Problem
from testkit.emulators.wire import as_text, response

NOT_VALID = '{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","Message":"m"}'
FUTURE = "2099-01-01T00:00:00Z"


class Sent:
    """Stands for what a connection sends by, and answers everything with an empty object."""

    def __init__(self, answer: AWSResponse | None = None) -> None:
        self.requests: list[AWSPreparedRequest] = []
        self._answer = answer

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        return self._answer or response(200, {"TableNames": [], "Responses": {}})

    def close(self) -> None:
        """Close nothing."""


def by_both() -> tuple[AWSPreparedRequest, AWSPreparedRequest]:
    """Return a request of the connection, and one of botocore's client with the same settings."""
    sent = Sent()
    with closing(dynamodb_connection()) as connection:
        connection.http = sent  # type: ignore[assignment]
        connection.post("BatchGetItem", b'{"RequestItems":{}}')
        events: Any = connection.client.meta.events  # its types have no hook that answers
        events.register("before-send.dynamodb", sent.send)
        connection.client.batch_get_item(RequestItems={})
    own, clients = sent.requests
    return own, clients


def scope(request: AWSPreparedRequest) -> list[str]:
    """Return whose key signed a request, and for what: key, day, region, service."""
    return as_text(request.headers["Authorization"]).partition("Credential=")[2].partition(",")[0].split("/")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"AWS_REGION": "cn-north-1"},
        {"AWS_REGION": "us-gov-west-1", "AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_REGION": "us-east-1", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_REGION": "us-east-1", "AWS_USE_FIPS_ENDPOINT": "TRUE", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_REGION": "us-east-1", "AWS_USE_FIPS_ENDPOINT": "false"},
        {"AWS_REGION": "local"},
        {"AWS_ACCOUNT_ID": "123456789012"},
        {"AWS_ACCOUNT_ID": "123456789012", "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"},
        {"AWS_ACCOUNT_ID": "123456789012", "AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_DYNAMODB": "https://example.com:2/path"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        {"AWS_ENDPOINT_URL_DYNAMODB": "http://[::1]:1", "AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_SESSION_TOKEN": "of a role"},
    ],
    ids=lambda settings: " ".join(f"{name}={value}" for name, value in settings.items()) or "none",
)
@pytest.mark.parametrize("in_a_file", [False, True])
def test_a_request_goes_where_botocore_sends_it_and_is_signed_for_the_same(
    settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_a_file: bool
) -> None:
    """With a file of the SDK's its session is asked, and without one the environment alone."""
    file = tmp_path / "config"
    if in_a_file:
        file.write_text("[default]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    own, clients = by_both()
    assert own.url == clients.url
    assert scope(own) == scope(clients)
    for header in ("X-Amz-Target", "Content-Type", "X-Amz-Security-Token"):
        assert as_text(own.headers.get(header, "")) == as_text(clients.headers.get(header, ""))


def test_a_file_may_say_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    file.write_text(
        "[profile bets]\nregion = eu-north-1\nservices = ours\naws_access_key_id = from-the-file\n"
        "aws_secret_access_key = b\n[services ours]\ndynamodb =\n  endpoint_url = http://127.0.0.1:3\n"
    )
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "bets")
    own, clients = by_both()
    assert own.url == clients.url == "http://127.0.0.1:3/"
    assert scope(own) == scope(clients)
    assert scope(own)[::2][:2] == ["from-the-file", "eu-north-1"]


@pytest.mark.parametrize("in_a_file", [False, True])
def test_a_mode_that_is_none_stops_the_start_and_is_named_with_what_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_a_file: bool
) -> None:
    if in_a_file:
        (tmp_path / "config").touch()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "sometimes")
    with pytest.raises(ConfigurationError, match="'sometimes'; allowed: preferred, disabled, required"):
        dynamodb_connection()


def test_settings_without_an_endpoint_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "local")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    with pytest.raises(ConfigurationError, match=r"the AWS SDK cannot be set up: .*FIPS and local endpoint"):
        dynamodb_connection()


def test_an_account_that_is_required_and_not_known_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "required")
    with closing(dynamodb_connection()) as connection:
        problem = connection.post("Scan", b"{}")
    assert isinstance(problem, Problem)
    assert problem.meaning is Meaning.REFUSED
    assert "AccountId" in problem.detail


@pytest.mark.other_programs
def test_credentials_that_expire_are_fetched_again_before_a_request_is_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = tmp_path / "credentials.json"

    def fetched_next(key: str, expires: str) -> None:
        secret = {"Version": 1, "SecretAccessKey": "b", "SessionToken": f"token of {key}"}
        printed.write_text(json.dumps({**secret, "AccessKeyId": key, "Expiration": expires}))

    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {printed}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    fetched_next("first", "2020-01-01T00:00:00Z")
    sent = Sent()
    with closing(dynamodb_connection("eu-west-1")) as connection:
        connection.http = sent  # type: ignore[assignment]
        fetched_next("second", FUTURE)
        connection.post("Scan", b"{}")
        fetched_next("third", FUTURE)
        connection.post("Scan", b"{}")
    assert [scope(each)[0] for each in sent.requests] == ["second", "second"]
    assert [each.headers["X-Amz-Security-Token"] for each in sent.requests] == ["token of second"] * 2


@pytest.mark.other_programs
def test_when_they_cannot_be_fetched_again_the_request_is_refused_and_it_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {tmp_path}/printed\n")
    expired = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "Expiration": "2020-01-01T00:00:00Z"}
    (tmp_path / "printed").write_text(json.dumps(expired))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with closing(dynamodb_connection("eu-west-1")) as connection:
        (tmp_path / "printed").unlink()
        problem = connection.post("Scan", b"{}")
    assert isinstance(problem, Problem)
    assert (problem.meaning, problem.code) == (Meaning.REFUSED, "CredentialRetrievalError")


@pytest.mark.parametrize(("stated", "is_whole"), [(zlib.crc32(b"{}"), True), (1, False)])
def test_an_answer_whose_checksum_is_another_is_lost(stated: int, *, is_whole: bool) -> None:
    answer = response(200, "{}")
    answer.headers["x-amz-crc32"] = str(stated)
    with closing(dynamodb_connection()) as connection:
        connection.http = Sent(answer)  # type: ignore[assignment]
        content = connection.post("Scan", b"{}")
    if is_whole:
        assert content == b"{}"
    else:
        assert isinstance(content, Problem)
        assert (content.meaning, content.code) == (Meaning.UNSURE, "ChecksumError")


@pytest.mark.parametrize(
    ("status", "text", "meaning", "said"),
    [
        (503, "<html>busy</html>", Meaning.UNSURE, "DynamoDB: 503: <html>busy</html>"),
        (403, "<html>no</html>", Meaning.REFUSED, "DynamoDB: 403: <html>no</html>"),
        (400, NOT_VALID, Meaning.NEVER, "DynamoDB: ValidationException: m"),
        (400, '{"__type":"ThrottlingException"}', Meaning.NOT_NOW, "DynamoDB: ThrottlingException"),
        (500, "{", Meaning.UNSURE, "DynamoDB: 500: {"),
    ],
    ids=["a proxy is busy", "a proxy refuses", "not valid", "throttled", "cut"],
)
def test_an_error_says_what_became_of_the_request_whoever_wrote_it(
    status: int, text: str, meaning: Meaning, said: str
) -> None:
    with closing(dynamodb_connection()) as connection:
        connection.http = Sent(response(status, text))  # type: ignore[assignment]
        problem = connection.post("Scan", b"{}")
    assert isinstance(problem, Problem)
    assert (problem.meaning, str(problem)) == (meaning, said)


@contextmanager
def server(certificate: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    """Run a server that answers every request with an empty object; yield its port, and what is asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - its name in the library
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        if certificate is not None:
            running.socket = certificate.wrap_socket(running.socket, server_side=True)
        thread = Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running.server_address[1], asked
        finally:
            running.shutdown()
            thread.join()


class TestProxy:
    @pytest.fixture
    def proxy(self) -> Iterator[tuple[str, list[str]]]:
        """Run a proxy that answers by itself; return its URL, and the URLs that it was asked for."""
        with server() as (port, asked):
            yield f"http://127.0.0.1:{port}", asked

    def test_a_request_goes_through_the_proxy_of_the_environment(
        self, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url, asked = proxy
        monkeypatch.setenv("HTTP_PROXY", url)
        with closing(dynamodb_connection(endpoint="http://table.example")) as connection:
            assert connection.post("Scan", b"{}") == b"{}"
        assert asked == ["http://table.example/"]

    def test_not_so_to_a_host_that_needs_none(
        self, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url, asked = proxy
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with closing(dynamodb_connection(endpoint=url)) as connection:
            assert connection.post("Scan", b"{}") == b"{}"
        assert asked == ["/"]

    def test_over_tls_it_goes_through_a_tunnel_for_which_the_proxy_gets_the_password(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[tuple[str, str | None]] = []

        class Refuses(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                asked.append((self.path, self.headers["Proxy-Authorization"]))
                self.send_error(403)

            def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - its name in the library
                """Write nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as running:
            thread = Thread(target=running.serve_forever, args=(0.01,))
            thread.start()
            monkeypatch.setenv("HTTPS_PROXY", f"http://anna:secret@127.0.0.1:{running.server_address[1]}")
            with closing(dynamodb_connection(endpoint="https://table.example")) as connection:
                problem = connection.post("Scan", b"{}")
            running.shutdown()
            thread.join()
        assert asked == [("table.example:443", "Basic YW5uYTpzZWNyZXQ=")]
        assert isinstance(problem, Problem)
        assert (problem.meaning, problem.code) == (Meaning.NOT_NOW, "ProxyConnectionError")
        assert "secret" not in str(problem)

    def test_one_that_is_down_was_never_sent_through(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with closing(dynamodb_connection(endpoint="http://table.example")) as connection:
            problem = connection.post("Scan", b"{}")
        assert isinstance(problem, Problem)
        assert (problem.meaning, problem.code) == (Meaning.NOT_NOW, "ProxyConnectionError")

    def test_a_url_of_one_that_cannot_be_read_is_a_problem_and_no_crash(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:port")
        with closing(dynamodb_connection(endpoint="http://table.example")) as connection:
            problem = connection.post("Scan", b"{}")
        assert isinstance(problem, Problem)
        assert problem.code == "HTTPClientError"


class TestCertificates:
    @pytest.fixture
    def own_authority(self, tmp_path: Path) -> Iterator[tuple[str, Path]]:
        """Run a server with a certificate of its own; return its URL, and the certificate's file."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self_signed(tmp_path))
        with server(context) as (port, _):
            yield f"https://127.0.0.1:{port}", tmp_path / "certificate.pem"

    @pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
    def test_those_of_the_environment_are_trusted(
        self, own_authority: tuple[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url, file = own_authority
        monkeypatch.setenv(name, str(file))
        with closing(dynamodb_connection(endpoint=url)) as connection:
            assert connection.post("Scan", b"{}") == b"{}"

    def test_they_hold_for_their_own_host_only(
        self, own_authority: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url, file = own_authority
        monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
        with closing(dynamodb_connection(endpoint=url.replace("127.0.0.1", "localhost"))) as connection:
            problem = connection.post("Scan", b"{}")
        assert isinstance(problem, Problem)
        assert problem.code == "SSLError"
        assert "localhost" in str(problem)

    def test_no_other_is(self, own_authority: tuple[str, Path]) -> None:
        url, _ = own_authority
        with closing(dynamodb_connection(endpoint=url)) as connection:
            problem = connection.post("Scan", b"{}")
        assert isinstance(problem, Problem)
        assert problem.code == "SSLError"
        assert "certificate verify failed" in str(problem)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate of 127.0.0.1, and its key, into a folder; return the files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def test_a_start_needs_no_client_of_botocore(dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.session.Session.create_client", None)
    with closing(dynamodb_connection(endpoint=dynamodb_endpoint)) as connection:
        answer = connection.post("BatchGetItem", b'{"RequestItems":{}}')
    assert isinstance(answer, Problem)
    assert answer.code == "ValidationException"
