"""What every request meets first, and every answer last."""

import asyncio
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, NoReturn

import httpx
import pytest

from api.stored import EXAMPLE, client, example_client, repository_of
from kinesis_handler.application import ASGIApp
from kinesis_handler.cli.http_protocol import BoundedProtocol
from testkit.coroutines import run
from testkit.serving import serving
from user_limits.api.app import Options, build_api
from user_limits.api.cors import Cors
from user_limits.api.http_guard import MAX_BODY, MAX_URL, HttpGuard
from user_limits.api.page import PageOptions

LIMITS = "/api/v1/users/usr_456/limits"
SHOP = "https://shop.example"


@pytest.mark.parametrize(
    "path", [LIMITS, "/healthz", "/docs", "/openapi.json", "/", "/users/anna", "/nowhere"]
)
def test_every_answer_has_the_security_headers(path: str) -> None:
    headers = example_client(Options(page=PageOptions())).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/users/anna%2Flimits",
        "/api/v1/users/anna%2flimits%2Factive/limits",
        "/api/v1/users/anna/limits/..%2F..%2Fben%2Flimits",
        "/api/v1/users/anna%5C..%5Cben/limits",
        "/api/v1/users/%2e%2e/limits",
        "/api/v1/users/%2E/limits",
        "/api/v1/users/anna/limits/%2e%2e",
        "/api/v1/users/anna/%2e%2e/ben/limits",
    ],
)
def test_slashes_and_dots_that_are_hidden_in_ids_are_refused(path: str) -> None:
    response = example_client().get(path)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_a_path_is_decoded_once() -> None:
    repository = repository_of()
    assert client(repository).get("/api/v1/users/anna%252Flimits/limits").json()["data"] == []


def test_a_url_may_not_be_too_long() -> None:
    response = client(repository_of()).get(f"{LIMITS}?cursor={'a' * MAX_URL}")
    assert response.status_code == 414
    assert response.json()["status"] == 414


def test_a_body_may_not_be_too_large() -> None:
    asked = example_client()
    assert asked.request("GET", LIMITS, content=b"a" * MAX_BODY).status_code == 200
    assert asked.request("GET", LIMITS, content=b"a" * (MAX_BODY + 1)).status_code == 413


@pytest.mark.parametrize("length", ["-1", "a", "1e9", "9" * 30, "²"])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    response = example_client().get(LIMITS, headers={b"content-length": length.encode()})
    assert response.status_code in {400, 413}
    assert response.headers["content-type"] == "application/problem+json"


PATHS = [
    *(LIMITS + rest for rest in ("", "/active", "/lmt_123", "/none", "?limit=0", f"?cursor={'a' * MAX_URL}")),
    *(
        "/",
        "/users/usr_456",
        "/docs",
        "/docs.css",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/nowhere",
        "/a%2Fb",
    ),
]


@pytest.mark.parametrize("http", ["h11", BoundedProtocol], ids=["h11", "bounded"])
def test_head_answers_as_get_without_a_body_and_the_connection_goes_on(
    http: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = build_api(repository_of(EXAMPLE), Options(page=PageOptions()))
    with (
        serving(app, http=http) as url,
        closing(HTTPConnection(url.removeprefix("http://"), timeout=20)) as asked,
    ):
        asked.connect()
        asked.auto_open = 0  # another connection would be an error

        def ask(method: str, path: str, tag: str = "") -> tuple[int, dict[str, str], bytes]:
            asked.request(method, path, headers={"If-None-Match": tag, "X-Correlation-Id": "a"})
            response = asked.getresponse()
            headers = {name: value for name, value in response.getheaders() if name != "date"}
            return response.status, headers, response.read()

        for path in PATHS:
            status, headers, body = ask("GET", path)
            assert body
            assert ask("HEAD", path) == (status, headers, b"")
            tag = headers.get("etag", "none")
            assert ask("HEAD", path, tag)[0] == ask("GET", path, tag)[0]
    assert "Traceback" not in caplog.text


class Frozen(dict[str, Any]):
    """The scope of a server that wants it back as it was."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the server's scope has been changed")

    __setitem__ = __delitem__ = update = setdefault = pop = popitem = clear = __ior__ = _refuse


@pytest.fixture(scope="module")
def local() -> ASGIApp:
    """Make the API as `serve` does."""
    return build_api(repository_of(EXAMPLE), Options(page=PageOptions(), local=True, timeout=20))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
def test_what_a_request_is_remains_what_the_server_said(method: str, path: str, local: ASGIApp) -> None:
    async def ask(scope: Any, receive: Any, send: Any) -> None:
        await local(Frozen(scope), receive, send)

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(ask)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asked:
            return await asked.request(method, path)

    assert run(answer()).status_code < 500


@pytest.mark.parametrize("host", [":c", "[", "localhost:http", "a:65536", ""])
def test_a_host_that_is_none_stops_no_answer(host: str) -> None:
    asked = example_client()
    assert asked.get(LIMITS, headers={"Host": host}).status_code == 200
    refused = asked.get(f"{LIMITS}?limit=", headers={"Host": host})
    assert (refused.status_code, refused.json()["parameter"]) == (400, "limit")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("LOCALHOST", 200),
        ("LocalHost:8000", 200),
        ("localhost.", 200),
        ("localhost.:8000", 200),
        ("localhost:", 200),
        ("127.0.0.2", 200),
        ("[::1]", 200),
        ("[0:0:0:0:0:0:0:1]:8000", 200),
        ("", 421),
        ("localhost..", 421),
        ("localhost:80:80", 421),
        ("localhost:http", 421),
        ("::1", 421),
        ("[::2]:8000", 421),
        ("[localhost]", 421),
        ("127.0.0.1.", 421),
        ("127.0.0.256", 421),
        ("192.0.2.1", 421),
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("limits.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8000", 421),
        ("evil.example:127", 421),
    ],
)
def test_what_is_open_to_this_machine_is_shown_to_no_page_whose_name_leads_here(
    host: str, status: int
) -> None:
    asked = example_client(Options(local=True))
    assert asked.get(LIMITS, headers={"host": host}).status_code == status
    assert example_client().get(LIMITS, headers={"host": host}).status_code == 200


def test_without_a_setting_no_other_origin_may_read() -> None:
    response = example_client().get(LIMITS, headers={"origin": SHOP})
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert "vary" not in response.headers


def test_an_allowed_origin_may_read_answers_and_problems_and_others_may_not() -> None:
    asked = client(repository_of(EXAMPLE), Options(cors_origins=[SHOP]))
    for path in (LIMITS, f"{LIMITS}/none", f"{LIMITS}?limit=0"):
        headers = asked.get(path, headers={"origin": SHOP}).headers
        assert headers["access-control-allow-origin"] == SHOP
        assert "ETag" in headers["access-control-expose-headers"]
        assert headers["vary"] == "Origin"
        for other in ("https://evil.example", "https://shop.example.evil", "http://shop.example", "null"):
            headers = asked.get(path, headers={"origin": other}).headers
            assert "access-control-allow-origin" not in headers
            assert headers["vary"] == "Origin"


def test_a_browser_learns_what_it_may_ask() -> None:
    asked = client(repository_of(EXAMPLE), Options(cors_origins=[SHOP]))
    wish = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    allowed = asked.options(LIMITS, headers={"origin": SHOP, **wish})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == SHOP
    assert "Authorization" in allowed.headers["access-control-allow-headers"]
    assert "GET" in allowed.headers["access-control-allow-methods"]
    refused = asked.options(LIMITS, headers={"origin": "https://evil.example", **wish})
    assert not [name for name in refused.headers if name.startswith("access-control")]


def test_any_origin_may_read_if_the_setting_says_so() -> None:
    asked = client(repository_of(EXAMPLE), Options(cors_origins=["*"]))
    assert asked.get(LIMITS, headers={"origin": SHOP}).headers["access-control-allow-origin"] == SHOP


def test_an_answer_that_takes_too_long_is_a_problem() -> None:
    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
    }
    run(HttpGuard(never, cors=Cors(), timeout=0.01)(scope, receive, send))
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]


def test_a_store_knows_how_long_it_has() -> None:
    from kinesis_handler.deadline import current_deadline
    from kinesis_handler.stores import Page
    from kinesis_handler.stores.memory import MemoryRepository
    from user_limits.limit import Limit

    class Watching(MemoryRepository[Limit]):
        left = -1.0

        def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[Limit]:
            self.left = current_deadline().seconds_left()
            return super().find(partition, limit=limit, cursor=cursor)

    repository = Watching()
    client(repository, Options(in_threads=True, timeout=5)).get(LIMITS)
    assert 0 < repository.left <= 5
