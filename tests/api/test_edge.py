"""What every request meets first, and every answer last."""

import asyncio
from typing import Any

import pytest

from api.stored import EXAMPLE, client, repository_of
from user_limits.api.app import Options
from user_limits.api.cors import Cors
from user_limits.api.edge import MAX_BODY, MAX_URL, Edge

LIMITS = "/api/v1/users/usr_456/limits"
SHOP = "https://shop.example"


@pytest.mark.parametrize(
    "path", [LIMITS, "/healthz", "/docs", "/openapi.json", "/", "/users/anna", "/nowhere"]
)
def test_every_answer_has_the_security_headers(path: str) -> None:
    headers = client(repository_of(EXAMPLE), Options(with_page=True)).get(path).headers
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
    response = client(repository_of(EXAMPLE)).get(path)
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
    asked = client(repository_of(EXAMPLE))
    assert asked.request("GET", LIMITS, content=b"a" * MAX_BODY).status_code == 200
    assert asked.request("GET", LIMITS, content=b"a" * (MAX_BODY + 1)).status_code == 413


@pytest.mark.parametrize("length", ["-1", "a", "1e9", "9" * 30, "²"])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    response = client(repository_of(EXAMPLE)).get(LIMITS, headers={b"content-length": length.encode()})
    assert response.status_code in {400, 413}
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("host", "status"),
    [
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
def test_what_is_open_to_this_machine_is_told_to_no_page_whose_name_leads_here(
    host: str, status: int
) -> None:
    asked = client(repository_of(EXAMPLE), Options(local=True))
    assert asked.get(LIMITS, headers={"host": host}).status_code == status
    assert client(repository_of(EXAMPLE)).get(LIMITS, headers={"host": host}).status_code == 200


def test_without_a_setting_no_other_origin_may_read() -> None:
    response = client(repository_of(EXAMPLE)).get(LIMITS, headers={"origin": SHOP})
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


def test_a_browser_is_told_what_it_may_ask() -> None:
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
    asyncio.run(Edge(never, cors=Cors(), timeout=0.01)(scope, receive, send))
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]


def test_a_store_knows_how_long_it_has() -> None:
    from kinesis_handler.deadline import time_left
    from kinesis_handler.repository import Page
    from kinesis_handler.repository.memory import MemoryRepository
    from user_limits.limit import Limit

    class Watching(MemoryRepository[Limit]):
        left = -1.0

        def find(self, partition: str, *, limit: int = 100, cursor: str | None = None) -> Page[Limit]:
            self.left = time_left()
            return super().find(partition, limit=limit, cursor=cursor)

    repository = Watching()
    client(repository, Options(in_threads=True, timeout=5)).get(LIMITS)
    assert 0 < repository.left <= 5
